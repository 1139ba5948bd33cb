"""``rtrace.runs`` and ``rtrace.open_bundle``: what was traced and packed, for scripts."""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import datetime, timezone
from pathlib import Path

from rtrace import opening
from rtrace.bundle.protocol import OpenBundle
from rtrace.errors import UsageError
from rtrace.inside.run import Run
from rtrace.operations.history.moments import read_moment
from rtrace.record.document import Kind, Status
from rtrace.record.history.opening import open_history
from rtrace.record.query import Query

_MICROSECONDS = 1_000_000


def open_bundle(path: str | os.PathLike[str]) -> OpenBundle:
    """Open a bundle of any format that rtrace reads, to be used in a ``with`` block. Raises RtraceError."""
    return opening.open_bundle(Path(path))


def runs(  # noqa: PLR0913 -- what may be asked for, by name
    text: str = "",
    *,
    tag: str | None = None,
    project: str | None = None,
    since: datetime | str | None = None,
    until: datetime | str | None = None,
    status: Status | None = None,
    kind: Kind | None = "run",
    file: str | os.PathLike[str] | None = None,
    digest: str | None = None,
    parameters: Mapping[str, object] | None = None,
    limit: int | None = None,
    history: str | None = None,
) -> list[Run]:
    """Return the runs of the history that fit all that is given, the newest first. Raises RtraceError.

    ``file`` is the path of a file that a run read or wrote, or its mere name; ``digest`` the SHA-256 of one. Times
    without a zone are local, and may be text as `rtrace log --since` takes it. ``history`` is the folder or URL of
    another history than your own.
    """
    query = Query(
        tag=tag,
        project=project,
        since=None if since is None else _count(since),
        until=None if until is None else _count(until, last=True),
        status=status,
        kind=kind,
        file=None if file is None else _find_name(os.fspath(file)),
        digest=digest,
        parameters=tuple((name, str(value)) for name, value in (parameters or {}).items()),
        text=text,
        limit=limit,
    )
    catalogue = open_history(history).catalogue()
    try:
        rows = catalogue.find(query)
    finally:
        catalogue.close()
    return [Run(row.id, place=history) for row in rows]


def _count(moment: datetime | str, *, last: bool = False) -> int:
    """Return a time in microseconds since 1970. Raises UsageError for text that is none."""
    if isinstance(moment, str):
        try:
            return read_moment(moment, last=last)
        except ValueError as error:
            raise UsageError(str(error)) from None
    return round(moment.astimezone(timezone.utc).timestamp() * _MICROSECONDS)


def _find_name(file: str) -> bytes:
    return os.fsencode(file if os.sep not in file else os.path.abspath(file))
