"""Records of other tools, read without those tools and without running anything of them.

`registry` finds which tool a path is of. `source` opens files and databases that anybody may have written, `shelves`
reads Python's shelves, and each tool has its own module or folder, which no other one knows.
"""
