"""The clock of a frozen process: it stands still but for what a program waits, and a small step at each look at it.

    elapsed = steps of all looks + what was waited for
    CLOCK_REALTIME = began + elapsed          CLOCK_MONOTONIC = 1000 s + elapsed         processor time = elapsed

A program that does nothing but look at the clock until it has moved on is not to wait for ever, so the steps grow. A
child begins with its parent's clock, and a parent's clock is never behind that of a child that has ended.
"""

from __future__ import annotations

from dataclasses import dataclass

SECOND = 1_000_000_000
SINCE_BOOT = 1000 * SECOND
"""What the clocks that begin with the machine show at the beginning, in nanoseconds."""
STEPS = (1_000, 10_000, 100_000, 1_000_000)
"""Nanoseconds of a look at the clock: that of the first looks, of the next ones, ..., of all further ones."""
LOOKS = 1000
"""How many looks have the same step."""

CLOCK_REALTIME, CLOCK_MONOTONIC, CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID = 0, 1, 2, 3
SINCE_BOOT_CLOCKS = frozenset({CLOCK_MONOTONIC, 4, 6, 7, 9})  # ..._RAW, ..._COARSE, CLOCK_BOOTTIME, ..._ALARM
PROCESSOR_CLOCKS = frozenset({CLOCK_PROCESS_CPUTIME_ID, CLOCK_THREAD_CPUTIME_ID})
LAST_CLOCK = 11  # CLOCK_TAI
TAI_OFFSET = 37 * SECOND


@dataclass(slots=True)
class Clock:
    """A process's clock: nanoseconds that have gone by, and how often it was looked at."""

    elapsed: int = 0
    looks: int = 0

    def look(self) -> int:
        """Return the nanoseconds that have gone by, one step later than before."""
        self.elapsed += STEPS[min(self.looks // LOOKS, len(STEPS) - 1)]
        self.looks += 1
        return self.elapsed

    def wait(self, nanoseconds: int) -> None:
        """Go on by what was waited for."""
        self.elapsed += max(0, nanoseconds)

    def wait_until(self, elapsed: int) -> None:
        """Go on to a moment, unless that has gone by."""
        self.elapsed = max(self.elapsed, elapsed)

    def copy(self) -> Clock:
        """Return the clock of a child."""
        return Clock(self.elapsed, self.looks)

    def join(self, other: Clock) -> None:
        """Take over from a child that has ended."""
        self.elapsed = max(self.elapsed, other.elapsed)
        self.looks = max(self.looks, other.looks)


def find_base(clock: int, began: int, used: int = 0) -> int:
    """Return what a clock of clock_gettime(2) shows when nothing has gone by, in nanoseconds.

    ``began`` is in seconds since the Epoch, ``used`` the seconds of processor time before. A negative id is that of a
    process's or a device's clock.
    """
    if clock in SINCE_BOOT_CLOCKS:
        return SINCE_BOOT
    if clock < 0 or clock in PROCESSOR_CLOCKS:
        return used * SECOND
    return began * SECOND + (TAI_OFFSET if clock == LAST_CLOCK else 0)
