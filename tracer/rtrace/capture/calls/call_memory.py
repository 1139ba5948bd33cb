"""What calls meant before, so that the same call again costs one look-up."""

from __future__ import annotations

from rtrace.capture.books.path_state import Uses
from rtrace.capture.processes.tracee import Tracee

Key = tuple[int, int, bytes, bytes]
"""A call as far as it matters: its number, the flags that change its meaning, the folder it starts from, its path."""


class CallMemory:
    """Remembers what calls meant, until the namespace changes in a way that may make them mean something else.

    ``known`` holds calls on paths that are there; they mean the same for every process until a folder or symlink
    changes place. ``absent`` holds calls on paths that are not there, until something appears at the component
    that was missing; ``waiting`` finds them by that component. ``makers`` finds the calls that make a path.
    """

    def __init__(self, tracees: dict[int, Tracee]) -> None:
        """Begin empty; ``tracees`` are the living threads, whose own memories are kept in step."""
        self.tracees = tracees
        self.known: dict[Key, Uses] = {}
        self.absent: dict[Key, Uses] = {}
        self.waiting: dict[bytes, list[Key]] = {}
        self.makers: dict[bytes, list[Key]] = {}

    def keep(self, key: Key, uses: Uses, *, makes: bytes | None = None) -> None:
        """Remember a call on a path that is there; ``makes`` is the path that the call itself makes."""
        self.known[key] = uses
        if makes is not None:
            self.makers.setdefault(makes, []).append(key)

    def keep_absent(self, key: Key, uses: Uses, missing: bytes) -> None:
        """Remember a call on a path that is not there, ``missing`` being its first missing component.

        A call that made this path will make it again, as it was removed, and must be decoded again.
        """
        self.absent[key] = uses
        self.waiting.setdefault(missing, []).append(key)
        for maker in self.makers.pop(missing, ()):
            self.known.pop(maker, None)
            for tracee in self.tracees.values():
                tracee.process.seen.discard(maker)

    def appear(self, path: bytes) -> None:
        """Forget the calls that found nothing at a path: something is being made there."""
        for key in self.waiting.pop(path, ()):
            self.absent.pop(key, None)

    def forget(self) -> None:
        """Forget all: any call may mean something else from now on."""
        self.known.clear()
        self.absent.clear()
        self.waiting.clear()
        self.makers.clear()
        for tracee in self.tracees.values():
            tracee.process.seen.clear()
