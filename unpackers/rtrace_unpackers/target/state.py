"""What a target says of itself: who made it, of which bundle, and the manifest that its replays follow."""

from __future__ import annotations

import contextlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtrace import __version__
from rtrace.errors import ForeignError, ManifestError, TargetError
from rtrace.files.folders import has_descriptors, read_own, write_new
from rtrace.manifest.model import Manifest
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.printable import printable
from rtrace.replay.protocol import STATE_FILE, STATE_LIMIT
from rtrace.replay.target_folder import TargetFolder

TARGET_FORMAT = 1
MANIFEST_FILE = "manifest.yml"
MANIFEST_LIMIT = 64 << 20
"""The most bytes that are read of one; `rtrace.manifest.reading.load` takes no more than this."""
MADE_BY_STATE = (STATE_FILE, f"{STATE_FILE}.new", MANIFEST_FILE, f"{MANIFEST_FILE}.new")
"""The names that this module gives."""


@dataclass(frozen=True, slots=True)
class State:
    """A target's state file. ``facts`` are the unpacker's own."""

    unpacker: str
    bundle: str
    facts: Mapping[str, str] = field(default_factory=dict)


def write_state(folder: Path | int, state: State, manifest: Manifest) -> None:
    """Write the state file of a target, and its copy of the manifest, into a folder that is open or new."""
    with as_descriptor(folder) as descriptor:
        write_new(descriptor, MANIFEST_FILE, render(manifest).encode())
        update_state(descriptor, state)


def update_state(folder: Path | int, state: State) -> None:
    """Write the state file anew; whoever reads meanwhile reads the old one or the new one."""
    content = {
        "bundle": state.bundle,
        "facts": dict(state.facts),
        "format": TARGET_FORMAT,
        "rtrace": __version__,
        "unpacker": state.unpacker,
    }
    with as_descriptor(folder) as descriptor:
        write_new(descriptor, STATE_FILE, (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


@contextlib.contextmanager
def as_descriptor(folder: Path | int) -> Iterator[int | Path]:
    """Yield the descriptor of a folder that is open, or that belongs to this user alone. Raises TargetError."""
    if isinstance(folder, int) or not has_descriptors():
        yield folder
        return
    opened = TargetFolder(folder)
    try:
        yield opened.descriptor
    finally:
        opened.close()


def read_state(folder: Path | TargetFolder, unpacker: str) -> State:
    """Read the state file of a target that this unpacker made, and that is this user's alone. Raises TargetError."""
    folder = TargetFolder(folder) if isinstance(folder, Path) else folder
    path = f"{folder.shown}/{STATE_FILE}"
    again = "unpack the bundle again into another folder"
    try:
        content = json.loads(read_own(folder.descriptor, STATE_FILE, STATE_LIMIT))
    except FileNotFoundError:
        raise TargetError(
            f"{folder.shown} is not a target of rtrace (it has no {STATE_FILE}); name the right folder"
        ) from None
    except ForeignError as error:
        raise TargetError(f"{error}; {again}") from None
    except (OSError, ValueError, RecursionError):
        raise TargetError(f"{path} cannot be read; {again}") from None
    match content:
        case {"format": int(version)} if version > TARGET_FORMAT:
            raise TargetError(f"{folder.shown} was made by a newer rtrace (target format {version}); update rtrace")
        case {"unpacker": str(name), "bundle": str(bundle), "facts": dict(facts), "format": int()}:
            if name != unpacker:
                made = printable(name.encode("utf-8", "backslashreplace"))
                raise TargetError(f"{folder.shown} was made by the unpacker {made}, not by {unpacker}")
            return State(name, bundle, {str(key): str(value) for key, value in facts.items()})
    raise TargetError(f"{path} is not the state of a target; {again}")


def read_manifest(folder: Path | TargetFolder) -> Manifest:
    """Read a target's copy of the manifest. Raises TargetError."""
    folder = TargetFolder(folder) if isinstance(folder, Path) else folder
    try:
        return load(read_own(folder.descriptor, MANIFEST_FILE, MANIFEST_LIMIT), f"{folder.shown}/{MANIFEST_FILE}")
    except OSError as error:
        reason = error.strerror
    except (ForeignError, ManifestError) as error:
        reason = str(error)
    raise TargetError(f"the target {folder.shown} is damaged: {reason}; unpack the bundle again into another folder")
