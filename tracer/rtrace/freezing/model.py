"""Why two runs differ, as a fixed vocabulary, and a freeze: a choice of values for what a program finds by chance."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias, get_args

Cause: TypeAlias = Literal[
    "time",
    "random",
    "process-id",
    "hash-seed",
    "address",
    "thread-order",
    "directory-order",
    "machine",
    "network",
    "temporary-name",
    "environment",
    "file-times",
    "unknown",
]
"""Why an output differs; docs/reference/causes.md says what each word stands for. The last one: nobody knows."""

CAUSES: tuple[Cause, ...] = get_args(Cause)
SOURCE_DATE_EPOCH = b"SOURCE_DATE_EPOCH"
APART = 400 * 86400
"""Seconds by which another time lies behind the usual one."""
USUAL_BEGINNING = 1577836800
"""2020-01-01T00:00:00Z: when a frozen run begins if nothing else says when, in seconds since the Epoch."""
LATEST_BEGINNING = 1 << 33
"""Seconds since the Epoch: more are taken for a mistake, and would not fit into the times of some file systems."""


@dataclass(frozen=True, slots=True)
class Freeze:
    """What a program finds: all that can be pinned is, and ``varied`` to another value, of which ``variant`` tells.

    ``began`` is when it begins, in seconds since the Epoch; where time is varied, ``clock`` is another moment.
    """

    began: int = USUAL_BEGINNING
    varied: Cause | None = None
    variant: int = 0

    def of(self, cause: Cause) -> int:
        """Return which value a cause has: 0 for the usual one, that of all frozen runs."""
        return self.variant if cause == self.varied else 0

    @property
    def clock(self) -> int:
        """What the clock, and SOURCE_DATE_EPOCH, show when it begins, in seconds since the Epoch."""
        return self.began + self.of("time") * (APART + 11_111)


def choose_beginning(environ: Mapping[bytes, bytes | None], started: float | None) -> int:
    """Return when a frozen run begins: by its SOURCE_DATE_EPOCH, else when the run that it repeats did."""
    given = environ.get(SOURCE_DATE_EPOCH) or b""
    if given.isdigit() and int(given) <= LATEST_BEGINNING:
        return int(given)
    return USUAL_BEGINNING if started is None else int(started)
