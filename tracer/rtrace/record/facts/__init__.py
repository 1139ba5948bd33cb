"""The facts of a record, each read from where the machine, the files or version control tell it.

Pure reading: nothing here starts a program, but for `version_control`, which asks git, hg and svn in such a way that a
repository starts nothing either. What cannot be read is null, never an error: a run is worth recording on any machine.
May use the ground, the files, and the doors of YAML and of the host's description.
"""
