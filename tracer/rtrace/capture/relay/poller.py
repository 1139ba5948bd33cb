"""What the relay waits for: descriptors, and what to call when something happens to one; see poll(2)."""

from __future__ import annotations

import select
from collections.abc import Callable


class Poller:
    """Descriptors that are watched, and what to call when something happens to one."""

    def __init__(self) -> None:
        """Begin with none."""
        self.poll = select.poll()
        self.calls: dict[int, Callable[[int], None]] = {}
        self.quiet: list[Callable[[], None]] = []

    def watch(self, descriptor: int, events: int, call: Callable[[int], None]) -> None:
        """Watch a descriptor for these events (and for its end) from now on."""
        self.poll.register(descriptor, events)
        self.calls[descriptor] = call

    def forget(self, descriptor: int) -> None:
        """Stop watching a descriptor."""
        if self.calls.pop(descriptor, None) is not None:
            self.poll.unregister(descriptor)

    def wait(self, timeout: int | None) -> bool:
        """Wait, and make the calls; return whether anything happened."""
        ready = self.poll.poll(timeout)
        for descriptor, what in ready:
            call = self.calls.get(descriptor)
            if call is not None:
                call(what)
        return bool(ready)

    def when_quiet(self, call: Callable[[], None]) -> None:
        """Call something as soon as everything written so far has been passed on."""
        self.quiet.append(call)

    def call_quiet(self) -> None:
        """Make these calls."""
        calls, self.quiet = self.quiet, []
        for call in calls:
            call()
