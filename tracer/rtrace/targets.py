"""Unpackers found by name, and targets found by the file that says which unpacker made them."""

from __future__ import annotations

import json
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path

from rtrace.errors import TargetError, UsageError
from rtrace.unpacker import ENTRY_POINT_GROUP, STATE_FILE, Target, Unpacker


def list_unpackers() -> dict[str, EntryPoint]:
    """Return the installed unpackers, rtrace's own and others', by name; none is imported."""
    return {point.name: point for point in sorted(entry_points(group=ENTRY_POINT_GROUP), key=lambda point: point.name)}


def load_unpacker(name: str) -> Unpacker:
    """Import an unpacker; raise UsageError when there is none of that name."""
    points = list_unpackers()
    if name not in points:
        known = ", ".join(points) or "none is installed"
        raise UsageError(f"there is no unpacker called {name!r}; choose one of: {known}")
    unpacker: Unpacker = points[name].load()
    return unpacker


def open_target(path: Path) -> Target:
    """Open a target with the unpacker that made it; raise TargetError when it is none."""
    state = path / STATE_FILE
    if not path.exists():
        raise TargetError(f"{path} does not exist; make a target with `rtrace unpack chroot BUNDLE {path}`")
    try:
        name = json.loads(state.read_bytes())["unpacker"]
    except FileNotFoundError:
        raise TargetError(f"{path} is not a target of rtrace (it has no {STATE_FILE}); name the right folder") from None
    except (OSError, ValueError, KeyError, TypeError):
        raise TargetError(f"{state} cannot be read; unpack the bundle again into another folder") from None
    return load_unpacker(str(name)).open(path)
