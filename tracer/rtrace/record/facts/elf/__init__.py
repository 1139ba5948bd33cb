"""What an ELF file says of itself: sections, notes, what it needs, and who compiled it with which options.

Read by structs of our own, as every program and library of a run is looked at and importing a reader of all that ELF
has takes longer than all of this. A file may be hostile: every offset and length is checked against what is there.
"""
