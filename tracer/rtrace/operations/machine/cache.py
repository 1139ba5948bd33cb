"""`rtrace cache`: what unpackers keep of bundles, so that the next replay of one begins at once."""

from __future__ import annotations

import string
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import UsageError
from rtrace.opening import open_bundle
from rtrace.operations.machine.unpackers import load_unpackers
from rtrace.printable import printable
from rtrace.replay.protocol import Cached, Cacher

SHORTEST = 4
"""Characters of an identity that name a bundle at least."""
DIGEST = "sha256:"


@dataclass(frozen=True, slots=True)
class Cleared:
    """What was removed, and what stays because a process uses it."""

    gone: tuple[Cached, ...]
    in_use: tuple[Cached, ...]


def list_cached() -> tuple[Cached, ...]:
    """Return what is kept, what was used last first."""
    found = (one for unpacker in list_cachers() for one in unpacker.list_cached())
    return tuple(sorted(found, key=lambda one: (-one.used, one.path)))


def list_cachers() -> Iterator[Cacher]:
    """Yield the unpackers that keep something."""
    return (unpacker for unpacker in load_unpackers() if isinstance(unpacker, Cacher))


def clear(names: Sequence[str]) -> Cleared:
    """Remove what is kept: of the bundles that are named, by identity or file, or of all.

    Raises UsageError for a name of which nothing is kept, before anything is removed.
    """
    kept = [(unpacker, one) for unpacker in list_cachers() for one in unpacker.list_cached()]
    if names:
        chosen = {one.path for name in names for one in choose(name, [one for _, one in kept])}
        kept = [(unpacker, one) for unpacker, one in kept if one.path in chosen]
    gone: list[Cached] = []
    in_use: list[Cached] = []
    for unpacker, one in kept:
        (gone if unpacker.clear_cached(one) else in_use).append(one)
    return Cleared(tuple(gone), tuple(in_use))


def choose(name: str, kept: Sequence[Cached]) -> Sequence[Cached]:
    """Return what is kept of a bundle. Raises UsageError where that is nothing, or of several bundles."""
    if Path(name).is_file():
        with open_bundle(Path(name)) as opened:
            found = [one for one in kept if one.identity == opened.identity]
        beginning = opened.identity
    else:
        beginning = name.removeprefix(DIGEST)
        is_identity = len(beginning) >= SHORTEST and set(beginning) <= set(string.hexdigits)
        found = [one for one in kept if is_identity and one.identity.startswith(beginning.lower())]
    if not found:
        shown = printable(name.encode("utf-8", "surrogateescape"))
        raise UsageError(f"nothing of {shown} is in the cache; `rtrace cache list` shows what is")
    if len({one.identity for one in found}) > 1:
        raise UsageError(f"{beginning} begins the identities of several bundles in the cache; write more of it")
    return found
