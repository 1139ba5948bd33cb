"""A list for apt: ``name=version`` lines, as in ``xargs -a apt.txt apt-get install``."""

from __future__ import annotations

from rtrace.declared.writing.pins import Pins, Written


def write_apt(pins: Pins) -> Written:
    """Return the packages of dpkg as a list for apt."""
    return Written("".join(f"{one.shown}={one.version}\n" for one in pins.of("dpkg")))
