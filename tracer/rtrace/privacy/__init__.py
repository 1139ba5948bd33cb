"""What must not leave this machine: secrets in a trace and its files, and the author's names in an anonymous bundle.

Before a bundle is written, `decisions` decides on what `searching` finds by the `rules`: in commands, variables and
addresses (`redacting`) and in files (`secret_files`, which `file_search` and `helpers` search). What comes of it are
values: a `redaction` and a `masking`. `anonymous` replaces names. Uses `describe` and what is below it.
"""
