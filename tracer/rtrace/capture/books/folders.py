"""What is noted of the entries of a folder that is listed, looked at beside others, not removed, or moved."""

from __future__ import annotations

import contextlib
import os
import stat

from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.path_state import PathState
from rtrace.capture.books.walker import Walk
from rtrace.capture.processes.tracee import Process
from rtrace.files.hierarchy import SHARED_MEMORY, is_provided

OWN_LINKS = 2
"""Links that a folder has by itself: its name, and the dot in it."""
MOST_FOLDERS = 1000
"""Folders in one that are noted for the sake of its link count."""


def list_directory(ledger: Ledger, state: PathState) -> None:
    """Note every entry of a folder that is being listed, once, as it is before the run changes more of it."""
    if state.listed or not state.existed:
        return
    state.listed = True
    path = state.path
    if is_provided(path) and path != SHARED_MEMORY:
        return  # the kernel's: its list says nothing about the experiment
    try:
        names = os.listdir(path)
    except OSError as error:
        ledger.judge(error)
        return
    prefix = path if path == b"/" else path + b"/"
    for name in names:
        if prefix + name not in ledger.served and prefix + name != ledger.hidden:
            ledger.state(prefix + name)


def note_folders(ledger: Ledger, state: PathState, walk: Walk) -> None:
    """Note the folders in a folder that is looked at beside others: `ls -l` shows its link count, which they make up.

    That is when the folder above it has been listed, or one in it by whose ``..`` it is named.
    """
    beside = ledger.states.get(walk.passed[-1] if walk.passed else state.path.rpartition(b"/")[0])
    if beside is None or not beside.listed or state.listed or not state.existed:
        return
    status = walk.status or os.lstat(state.path)
    if not stat.S_ISDIR(status.st_mode) or not 0 < status.st_nlink - OWN_LINKS <= MOST_FOLDERS:
        return
    with contextlib.suppress(OSError), os.scandir(state.path) as entries:  # EACCES: as for whoever looks
        for entry in entries:
            path = os.path.join(state.path, os.fsencode(entry.name))
            if path not in ledger.served and path != ledger.hidden and entry.is_dir(follow_symlinks=False):
                ledger.state(path)


def note_member(ledger: Ledger, state: PathState) -> None:
    """Note one entry that was in a folder before the run: it keeps the folder from being removed."""
    if state.listed or not state.existed or is_provided(state.path):
        return
    found: list[bytes] = []
    with contextlib.suppress(OSError), os.scandir(state.path) as entries:  # EACCES: it is empty to the run as well
        for entry in entries:
            path = os.path.join(state.path, os.fsencode(entry.name))
            known = ledger.states.get(path)
            if path in ledger.served or path == ledger.hidden or (known is not None and not known.existed):
                continue
            found.append(path)
            if entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False) or entry.is_symlink():
                break
    if found:
        ledger.state(found[-1])


def keep_tree(ledger: Ledger, process: Process, path: bytes, destination: bytes) -> None:
    """Note everything below a folder that is about to be renamed, and where it will be."""
    for parent, folders, files in os.walk(path, onerror=ledger.judge):
        list_directory(ledger, ledger.state(parent))
        for name in folders + files:
            below = ledger.state(parent + b"/" + name)
            moved = ledger.state(destination + below.path[len(path) :])
            below.mutated = moved.mutated = True
            moved.needed = moved.needed or below.needed
            ledger.follow_content(process, below)
