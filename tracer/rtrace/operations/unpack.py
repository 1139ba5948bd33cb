"""`rtrace unpack`: a target from a bundle."""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.progress import SILENT, Progress
from rtrace.replay.choosing import choose_unpacker
from rtrace.replay.registry import AUTO, load_unpacker

if TYPE_CHECKING:
    from rtrace.replay.protocol import Unpacked


def name_target(bundle: Path) -> Path:
    """Return the folder that a bundle is unpacked into when none is named: in this one, by the bundle's name."""
    target = Path(bundle.name).with_suffix("")
    return Path(f"{bundle.name}.target") if target == Path(bundle.name) else target


def plan_unpacking(unpacker_name: str, bundle: Path, target: Path) -> tuple[str, ...]:
    """Return what would be done, a sentence each. Raises UsageError, TargetError and BundleError."""
    unpacker = load_unpacker(unpacker_name)
    refuse_existing(target)
    return unpacker.plan(bundle, target)


def unpack(
    unpacker_name: str, bundle: Path, target: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES
) -> Unpacked:
    """Make a target from a bundle. Raises UsageError, TargetError, BundleError and ElsewhereError."""
    unpacker = load_unpacker(unpacker_name)
    refuse_existing(target)
    began = time.monotonic()
    unpacked = unpacker.unpack(bundle, target, progress=progress, sources=sources)
    debug(__name__, "unpacked with %s in %.3f s", unpacker_name, time.monotonic() - began)
    return unpacked


def resolve_name(name: str, say: Callable[[str], None]) -> str:
    """Return the name of the unpacker to use: for `auto` the first that can replay here, else this one, come what may.

    Raises TargetError where none can.
    """
    if name != AUTO:
        return name
    chosen = choose_unpacker(name)
    if chosen.told is not None:
        say(chosen.told)
    return chosen.name


def refuse_existing(target: Path) -> None:
    """Raise TargetError where something exists already."""
    if os.path.lexists(target):
        raise TargetError(f"{target} exists already; name another folder, or remove it with `rtrace destroy {target}`")
