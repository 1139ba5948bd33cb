"""What makes a bundle incomplete: content that a run needs and that could not be packed, and runs cut short."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.manifest.model import Manifest, Notice

MISSING = frozenset({"missing"})
"""The kinds of notices for whose sake no bundle is written: content that a run had, and that is not to be had now."""
UNFINISHED = "unfinished"
"""The kind of those that tell of a run which did not come to its own end."""
INCOMPLETE = MISSING | {UNFINISHED, "unreadable"}
"""These, and those of programs that may be executed only, and of runs."""
MARK = "INCOMPLETE"


def find_missing(notices: Iterable[Notice]) -> tuple[Notice, ...]:
    """Give the notices about content that is missing."""
    return tuple(notice for notice in notices if notice.kind in MISSING)


def list_incomplete(manifest: Manifest) -> Iterator[str]:
    """Say, a sentence each, what a bundle lacks."""
    for notice in manifest.notices:
        if notice.kind in INCOMPLETE:
            yield f"{notice.what}; {notice.advice}"
