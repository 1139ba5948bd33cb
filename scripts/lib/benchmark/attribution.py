"""How long it takes to say whose many files are: those of this machine's packages and of a Python environment."""

from __future__ import annotations

import os
import random
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

_PLACES = (b"/etc", b"/usr/bin", b"/usr/lib", b"/usr/share", b"/var/lib/dpkg")


class Cost(NamedTuple):
    """What one round took, in seconds of wall time and of the processor, and how many of the files had an owner."""

    wall: float
    processor: float
    files: int
    owned: int


def measure_attribution(files: int, environment: Path, rounds: int) -> list[Cost]:
    """Attribute files chosen by chance from the system's and a virtual environment's folders, always the same."""
    from rtrace.packages.attribution import attribute

    paths = sorted(path for place in (*_PLACES, os.fsencode(environment)) for path in _walk(place))
    chosen = random.Random(1).sample(paths, min(files, len(paths)))  # noqa: S311 -- the same each time is wanted
    targets = {path: os.readlink(path) for path in chosen if os.path.islink(path)}
    costs = []
    for _ in range(rounds):
        wall, processor = time.perf_counter(), time.process_time()
        owners = attribute(chosen, targets).owners
        costs.append(Cost(time.perf_counter() - wall, time.process_time() - processor, len(chosen), len(owners)))
    return costs


def format_attribution(costs: list[Cost]) -> str:
    """Write the fastest round on a line."""
    best = min(costs)
    return (
        f"{best.files:,} files, {best.owned:,} with an owner: {best.wall:.2f} s "
        f"({best.processor:.2f} s of the processor), the fastest of {len(costs)} rounds"
    )


def _walk(place: bytes) -> Iterator[bytes]:
    for folder, _, names in os.walk(place):
        yield from (os.path.join(folder, name) for name in names)
