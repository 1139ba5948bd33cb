"""Rtrace from inside Python: what `import rtrace` offers to scripts and notebooks.

A process cannot be traced from its middle: what it read before would be missing. So what is captured always runs in a
child of its own, from its beginning: a command, a function, or the cell of a notebook.
"""
