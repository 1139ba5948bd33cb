"""Whose turn it is: of the threads and processes that are born, one begins after the other, each when all others wait.

    born --> held --> its turn: nobody who has begun is running --> begun: it is never held again

So what does not wait for each other runs one after the other, in the order of birth, however busy the machine is.
Nobody is held for ever: who waits for a newborn without sleeping does not see it for a while.
"""

from __future__ import annotations

import random
import time

HELD_AT_MOST = 2.0
"""Seconds without any turn after which the next one begins although somebody is running."""
LONGEST_DELAY = 0.02
"""Seconds by which one begins late where all run beside each other."""
REVERSED, SHUFFLED = 1, 2
"""Other orders than that of birth; each further one lets all run at once, with delays of its own."""
WAITING = frozenset({b"S", b"Z", b"X"})
"""States of a task of proc(5) in which it runs only after somebody else did something."""


class Turns:
    """Those who are held, in the order of their birth."""

    def __init__(self, order: int) -> None:
        """``order`` is 0 for the order of birth; see above for others."""
        self.order = order
        self.chance = random.Random(order)  # noqa: S311 -- the same each time is what is wanted
        self.held: list[int] = []
        self.late: dict[int, float] = {}
        self.last = time.monotonic()

    def __bool__(self) -> bool:
        return bool(self.held or self.late)

    def hold(self, tid: int) -> None:
        """Hold a newborn."""
        if self.order > SHUFFLED:
            self.late[tid] = time.monotonic() + self.chance.random() * LONGEST_DELAY
            return
        if not self.held:
            self.last = time.monotonic()
        self.held.append(tid)

    def forget(self, tid: int) -> None:
        """Forget one that was killed."""
        self.late.pop(tid, None)
        if tid in self.held:
            self.held.remove(tid)

    def is_held(self, tid: int) -> bool:
        """Whether somebody has not begun."""
        return tid in self.late or tid in self.held

    def take(self, is_quiet: bool) -> list[int]:  # noqa: FBT001 -- a fact about the others
        """Return those whose turn it is; ``is_quiet`` tells that nobody who has begun is running."""
        now = time.monotonic()
        ready = [tid for tid, moment in self.late.items() if moment <= now]
        for tid in ready:
            del self.late[tid]
        if self.held and (is_quiet or now - self.last > HELD_AT_MOST):
            self.last = now
            place = {REVERSED: -1, SHUFFLED: self.chance.randrange(len(self.held))}.get(self.order, 0)
            ready.append(self.held.pop(place))
        return ready


def is_waiting(tid: int) -> bool:
    """Whether a task sleeps or has ended; see proc(5)."""
    try:
        with open(f"/proc/{tid}/stat", "rb", buffering=0) as file:
            text = file.read(512)
    except OSError:  # ENOENT, ESRCH: it is gone
        return True
    return text[text.rfind(b")") + 2 :][:1] in WAITING
