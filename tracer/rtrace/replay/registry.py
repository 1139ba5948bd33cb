"""Unpackers found by name, and targets found by the file that says which unpacker made them."""

from __future__ import annotations

import json
import os
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import ForeignError, TargetError, UsageError
from rtrace.files.folders import read_own
from rtrace.printable import printable, shell_word, suggest
from rtrace.replay.protocol import ENTRY_POINT_GROUP, STATE_FILE, STATE_LIMIT, Target, Unpacker
from rtrace.replay.target_folder import TargetFolder

AUTO = "auto"
"""What a person says who leaves the choice of an unpacker to rtrace; no unpacker can have this name."""


def list_unpackers() -> dict[str, EntryPoint]:
    """Return the installed unpackers, rtrace's own and others', by name; none is imported."""
    points = sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)
    return {point.name: point for point in points if point.name != AUTO}


def load_unpacker(name: str) -> Unpacker:
    """Import an unpacker. Raises UsageError for an unknown name."""
    points = list_unpackers()
    if name not in points:
        known = f"; choose one of: {', '.join(points)}" if points else "; none is installed"
        if os.path.isfile(name) and points:
            known = f"; name one before the bundle: `rtrace unpack {next(iter(points))} {shell_word(name)}`"
        raise UsageError(f"there is no unpacker {name!r}{suggest(name, points) or known}")
    debug(__name__, "the unpacker %s is %s", name, points[name].value)
    unpacker: Unpacker = points[name].load()
    return unpacker


def open_target(path: Path) -> Target:
    """Open a target with the unpacker that made it. Raises TargetError if the folder is not a target."""
    return load_unpacker(read_unpacker(path)).open(path)


def read_unpacker(path: Path) -> str:
    """Return the name of the unpacker that made a target. Raises TargetError if the folder is not a target."""
    match read_any_state(path):
        case {"unpacker": name}:
            return str(name)
    raise _unreadable(printable(os.fsencode(path)))


def read_any_state(path: Path) -> object:
    """Return what the state file of a target says, whatever that is. Raises TargetError if there is none."""
    folder = TargetFolder(path)
    try:
        return json.loads(read_own(folder.descriptor, STATE_FILE, STATE_LIMIT))
    except FileNotFoundError:
        raise folder.no_target() from None
    except (ForeignError, OSError, ValueError, RecursionError):
        raise _unreadable(folder.shown) from None
    finally:
        folder.close()


def _unreadable(shown: str) -> TargetError:
    return TargetError(f"{shown}/{STATE_FILE} cannot be read; unpack the bundle again into another folder")
