"""What makes a bundle incomplete: content that a run needs and that could not be packed, input, runs cut short."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.limits import Limits
    from rtrace.manifest.model import Manifest, Notice, Run

MISSING = frozenset({"missing"})
"""The kinds of notices that keep a bundle from being written: content that a run had is gone."""
CHANGED = "changed"
"""The kind of those that tell of files that are not packed as the run found them, or may not be."""
UNFINISHED = "unfinished"
"""The kind of those that tell of a run which did not come to its own end."""
INPUT = "input"
"""The kind of those that tell of what a run read, by a descriptor or a FIFO, and is not in the bundle."""
WAITING = "fifo"
"""The kind of those that tell of a FIFO at which a replay may wait for a program that is not in the bundle."""
PATIENCE, PATIENCE_SECONDS = 10, 60
"""How many times as long as the run such a replay may take, and as many seconds besides."""
LAUNCHER = "launcher"
"""The kind of those that tell of ranks which spoke through a launcher that is not in the bundle."""
DOUBTS = frozenset({INPUT, WAITING, LAUNCHER, "descriptor"})
"""The kinds after which a difference says nothing: the replay was, or may have been, given less than the run."""
INCOMPLETE = MISSING | {UNFINISHED, INPUT, WAITING, "unreadable"}
"""These, and those of programs that may be executed only, of what came by descriptor, and of runs."""
MARK = "INCOMPLETE"


def find_missing(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Return the notices about content that is missing."""
    return tuple(notice for notice in notices if notice.kind in MISSING)


def list_incomplete(manifest: Manifest) -> Iterator[str]:
    """Yield, a sentence each, what a bundle lacks."""
    for notice in manifest.notices:
        if notice.kind in INCOMPLETE:
            yield f"{notice.what}; {notice.advice}"


def limit_waiting(limits: Limits, manifest: Manifest, run: Run) -> Limits:
    """Return the replay of a run an end, where none was asked for and it may wait for what is not in the bundle."""
    if limits.timeout is not None or all(notice.kind != WAITING for notice in manifest.notices):
        return limits
    lasted = max((run.finished or 0) - (run.started or 0), 0)
    return replace(limits, timeout=PATIENCE_SECONDS + round(PATIENCE * lasted))
