"""The unpackers that can be used here."""

from __future__ import annotations

from collections.abc import Iterator

from rtrace.debugging import debug
from rtrace.replay.protocol import Unpacker
from rtrace.replay.registry import list_unpackers, load_unpacker


def load_unpackers() -> Iterator[Unpacker]:
    """Yield the installed unpackers, without those that cannot be imported here."""
    for name in list_unpackers():
        try:
            yield load_unpacker(name)
        except ImportError as error:  # what it needs is not installed; whoever uses it is told
            debug(__name__, "the unpacker %s cannot be imported: %s", name, error)
