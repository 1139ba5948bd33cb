"""What a target says of itself: who made it, of which bundle, and the manifest that its replays follow."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtrace import __version__
from rtrace.errors import ManifestError, TargetError
from rtrace.manifest.load import load
from rtrace.manifest.model import Manifest
from rtrace.manifest.render import render
from rtrace.unpacker import STATE_FILE

TARGET_FORMAT = 1
MANIFEST_FILE = "manifest.yml"


@dataclass(frozen=True, slots=True)
class State:
    """A target's state file. ``facts`` are the unpacker's own."""

    unpacker: str
    bundle: str
    facts: Mapping[str, str] = field(default_factory=dict)


def write_state(folder: Path, state: State, manifest: Manifest) -> None:
    """Write the state file of a target, and its copy of the manifest."""
    (folder / MANIFEST_FILE).write_text(render(manifest), encoding="utf-8", newline="\n")
    update_state(folder, state)


def update_state(folder: Path, state: State) -> None:
    """Write the state file anew; whoever reads meanwhile reads the old one or the new one."""
    content = {
        "bundle": state.bundle,
        "facts": dict(state.facts),
        "format": TARGET_FORMAT,
        "rtrace": __version__,
        "unpacker": state.unpacker,
    }
    new = folder / f"{STATE_FILE}.new"
    new.write_text(json.dumps(content, indent=2, sort_keys=True) + "\n", encoding="utf-8", newline="\n")
    os.replace(new, folder / STATE_FILE)


def read_state(folder: Path, unpacker: str) -> State:
    """Read the state file of a target that this unpacker made. Raises TargetError."""
    path = folder / STATE_FILE
    again = "unpack the bundle again into another folder"
    try:
        content = json.loads(path.read_bytes())
    except FileNotFoundError:
        raise TargetError(
            f"{folder} is not a target of rtrace (it has no {STATE_FILE}); name the right folder"
        ) from None
    except PermissionError:
        raise TargetError(f"{folder} belongs to another user; use it as the user who unpacked it") from None
    except (OSError, ValueError):
        raise TargetError(f"{path} cannot be read; {again}") from None
    match content:
        case {"format": int(version)} if version > TARGET_FORMAT:
            raise TargetError(f"{folder} was made by a newer rtrace (target format {version}); update rtrace")
        case {"unpacker": str(name), "bundle": str(bundle), "facts": dict(facts), "format": int()}:
            if name != unpacker:
                raise TargetError(f"{folder} was made by the unpacker {name}, not by {unpacker}")
            return State(name, bundle, {str(key): str(value) for key, value in facts.items()})
    raise TargetError(f"{path} is not the state of a target; {again}")


def read_manifest(folder: Path) -> Manifest:
    """Read a target's copy of the manifest. Raises TargetError."""
    try:
        return load(folder / MANIFEST_FILE)
    except (OSError, ManifestError) as error:
        raise TargetError(f"the target {folder} is damaged: {error}") from None
