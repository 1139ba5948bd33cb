"""The names in the folder of a chroot target, and the words of its state."""

from __future__ import annotations

from rtrace_unpackers.target.state import MADE_BY_STATE

NAME = "chroot"
TREE = "root"
CHANGES = "changes"
MADE = (TREE, CHANGES, *MADE_BY_STATE)

RECORDED, SHIFTED, CALLER = "recorded", "shifted", "caller"
"""Whose the files are: as recorded, as recorded but shifted to where nobody is, all of whoever unpacked."""

SHARED, EXACT = "tree", "exact"
"""Facts of a target whose files lie in the cache: where, and whether a replay is not to be told from another one."""
