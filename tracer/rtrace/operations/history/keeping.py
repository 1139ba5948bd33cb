"""The outputs of a run kept in a data store once the run is over, and those of earlier runs that could not be."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import NoSuchRunError, RtraceError
from rtrace.record.history.opening import open_history
from rtrace.record.keeping.configuration import Store, read_store
from rtrace.record.keeping.keeping import Kept, keep_outputs
from rtrace.record.keeping.pending import forget_pending, list_pending, mark_pending, pending_folder
from rtrace.record.taking.keeping import keep_in_trace, read_from_trace

if TYPE_CHECKING:
    from rtrace.record.document import KeptFile, Record
    from rtrace.record.history.protocol import History
    from rtrace.trace.directory import TraceDirectory

    Tell = Callable[[str], None]

_MOST_EARLIER = 20
"""Earlier runs that are tried again at the end of one."""


def keep_run(configuration: str, directory: TraceDirectory, identifier: str, *, history: bool, tell: Tell) -> None:
    """Keep the outputs of a run that a trace directory has the record of, and then those that are pending.

    Nothing is raised: the run is over, and a data store that is away must not cost its exit status.
    """
    try:
        store = read_store(configuration)
        if store is None:
            return
        if history:
            mark_pending(identifier)
        for record in read_from_trace(directory):
            if record["id"] == identifier:
                kept = keep_outputs(record, store, pending_folder())
                keep_in_trace(directory, _add(record, kept.files))
                _finish(identifier, kept, tell, open_history() if history else None)
        if history:
            _keep_earlier(store, identifier, tell)
    except (OSError, RtraceError, sqlite3.Error) as error:
        _tell_failure(error, tell)


def complete_keeping(configuration: str, tell: Tell) -> None:
    """Keep the outputs of earlier runs that are pending; nothing is raised."""
    try:
        store = read_store(configuration)
        if store is not None:
            _keep_earlier(store, "", tell)
    except (OSError, RtraceError, sqlite3.Error) as error:
        _tell_failure(error, tell)


def _keep_earlier(store: Store, besides: str, tell: Tell) -> None:
    """Try earlier runs again, until one meets a problem: it is most likely that of all others."""
    pending = [identifier for identifier in list_pending() if identifier != besides]
    if not pending:
        return
    history = open_history()
    for identifier in pending[:_MOST_EARLIER]:
        try:
            record = history.read(identifier)
        except NoSuchRunError:  # it was forgotten, or it is in another history
            forget_pending(identifier)
            continue
        kept = keep_outputs(record, store, pending_folder())
        _finish(identifier, kept, lambda sentence: debug(__name__, "%s", sentence), history)
        if kept.problems:
            return
        tell(f"the outputs of the earlier run {identifier} are kept now")


def _finish(identifier: str, kept: Kept, tell: Tell, history: History | None) -> None:
    """Note in the history what was kept, and tell what was not."""
    if history is not None:
        if kept.files:
            history.replace(identifier, lambda record: _add(record, kept.files))
        if not kept.problems:
            forget_pending(identifier)
    if kept.problems:
        again = "; the next run with rtrace tries again" if history is not None else ""
        tell(f"outputs were not kept: {kept.problems[0]}{again}")
    if kept.lost:
        more = f", and so are {len(kept.lost) - 1} more" if len(kept.lost) > 1 else ""
        tell(f"an output is lost to the data store: {kept.lost[0]}{more}")


def _add(record: Record, files: list[KeptFile]) -> Record:
    """Return a record that knows of these copies as well."""
    known = list(record["kept"])
    return {**record, "kept": [*known, *(file for file in files if file not in known)]}


def _tell_failure(error: Exception, tell: Tell) -> None:
    reason = (error.strerror if isinstance(error, OSError) else None) or str(error)
    tell(f"outputs were not kept: {reason}")
