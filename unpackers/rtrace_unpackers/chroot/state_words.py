"""The names in the folder of a chroot target, and the words of its state."""

from __future__ import annotations

from rtrace_unpackers.target.state import MADE_BY_STATE

NAME = "chroot"
TREE = "root"
CHANGES = "changes"
TREE_NEW = "root.new"
"""A tree in the making; and once it is whole and has taken the old one's place, the old one, which goes."""
TREE_OLD = "root.old"
"""The old tree, for a moment, where the system cannot exchange two folders in one step."""
PUT_NEW = "rtrace-put.new"
"""A file that is about to be put into the tree."""
MADE = (TREE, TREE_NEW, TREE_OLD, PUT_NEW, CHANGES, *MADE_BY_STATE)

RECORDED, SHIFTED, CALLER = "recorded", "shifted", "caller"
"""Whose the files are: as recorded, as recorded but shifted to where nobody is, all of whoever unpacked."""

SHARED, EXACT = "tree", "exact"
"""Facts of a target whose files lie in the cache: where, and whether a replay is not to be told from another one."""
