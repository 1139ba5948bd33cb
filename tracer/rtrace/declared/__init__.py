"""What a project declares that it needs, against what a run used.

`files` reads declarations, a file each kind; `comparing` finds the drift; `writing` pins what was used. Nothing here
reads a trace or a bundle: it is given a `Folder` to read from and the packages that were used.
"""
