"""What `cache` answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.words import Path
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.replay.protocol import Cached


class CachedAnswer(TypedDict):
    """What is kept of a bundle."""

    identity: Annotated[str, "of the bundle, as `info` shows it"]
    name: Annotated[str, "of the bundle's file, when it was unpacked"]
    path: Path
    size: Annotated[int, "bytes that it takes on the disk"]
    used: Annotated[float, "when it was used last, in seconds since the Epoch"]


class CacheAnswer(TypedDict):
    """What the cache holds; with `clear`, after that."""

    cached: list[CachedAnswer]
    cleared: Annotated[list[CachedAnswer], "what `clear` removed"]


def answer_cache(cached: Iterable[Cached], cleared: Iterable[Cached] = ()) -> CacheAnswer:
    """Return what `cache` answers."""
    return {"cached": [describe(one) for one in cached], "cleared": [describe(one) for one in cleared]}


def describe(one: Cached) -> CachedAnswer:
    """Return what is told of something that is kept."""
    return {
        "identity": one.identity,
        "name": printable(one.name.encode("utf-8", "surrogateescape")),
        "path": str(one.path),
        "size": one.size,
        "used": one.used,
    }
