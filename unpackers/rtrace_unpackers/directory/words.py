"""The names in the folder of a directory target."""

from __future__ import annotations

from rtrace_unpackers.chroot.state_words import MADE as MADE_OF_A_TREE

NAME = "directory"
SCRIPT, TABLE, LAUNCHERS = "run.sh", "runs", "launchers"
OWN = "own"
"""An empty folder for what the tools need while a run lasts."""
ENTRY = b".rtrace"
"""The folder of the tree where the launchers appear; no bundle may hold anything there."""
MADE = (*MADE_OF_A_TREE, SCRIPT, TABLE, LAUNCHERS, OWN)
