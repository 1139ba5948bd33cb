"""`rtrace trace` as a whole: the trace directory made ready, the command traced, the manifest drafted."""

from __future__ import annotations

import errno
import sqlite3
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace.capture.books.snapshots import SNAPSHOT_LIMIT
from rtrace.capture.kernel.architecture import native_architectures
from rtrace.capture.loop.command import check_proc, find_command, read_own_environment
from rtrace.capture.processes.own_limits import explain_limits, lift_limits
from rtrace.capture.relay.keeping import KEPT_BYTES
from rtrace.capture.relay.streams import look_at_given
from rtrace.capture.run_books import RunOptions
from rtrace.capture.session import FinishedRun, trace_command
from rtrace.describe.draft import Draft, make_draft
from rtrace.errors import ManifestError, TraceError
from rtrace.files.folders import write_whole
from rtrace.interrupts import lifted, shielded
from rtrace.manifest.model import Manifest, Notice
from rtrace.manifest.render import render
from rtrace.printable import shell_word
from rtrace.trace import DEFAULT_NAME
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.place import TracePlace
from rtrace.trace.reading.reader import count_run

if TYPE_CHECKING:
    from rtrace.operations.recording.traced import Recorded, RecordRequest


class TraceRequest(NamedTuple):
    """What to trace and how: as a further run (``continued``), or in place of an older trace (``overwrite``).

    ``keep`` is how many bytes of standard output and error are kept, None to leave these alone; ``snapshot_limit`` how
    many the copies of files that the run changes may take; ``record`` says what goes into the record of the run, and
    where that goes; ``environ`` is the command's environment, None for that of this process; ``name`` is what the run
    is called, None for its number. With ``freezes`` all that can be pinned of what it finds by chance is.
    """

    argv: tuple[bytes, ...]
    continued: bool = False
    overwrite: bool = False
    detach_daemons: bool = False
    keep: int | None = KEPT_BYTES
    snapshot_limit: int = SNAPSHOT_LIMIT
    record: RecordRequest | None = None
    environ: tuple[bytes, ...] | None = None
    name: str | None = None
    freezes: bool = False


class TraceReport(NamedTuple):
    """What a trace has to say when it is done.

    ``directory`` is the trace directory as the caller named it, or where it had to stay.
    ``problem`` is what is wrong with the manifest, when a person edited it during the run and made a mistake, or what
    keeps the trace from its place. ``record`` is what became of the record of the run.
    """

    traced: FinishedRun
    processes: int
    paths: int
    notices: tuple[Notice, ...]
    directory: TraceDirectory
    problem: str | None = None
    record: Recorded | None = None

    @property
    def pack_options(self) -> str:
        """The options that `rtrace pack` needs to find this trace, with a space before them."""
        return "" if self.directory.path == Path(DEFAULT_NAME) else f" -d {shell_word(self.directory.path)}"


def trace_into(
    directory: TraceDirectory,
    request: TraceRequest,
    *,
    on_waiting: Callable[[tuple[str, ...]], None],
    on_loss: Callable[[str, str], None],
) -> TraceReport:
    """Trace a command as one more run of a trace directory, and draft the manifest.

    ``on_waiting`` and ``on_loss`` are told while the run goes on, as ``RunOptions`` describes.
    Raises TraceError, CommandNotFoundError, CommandNotExecutableError, TracingRefusedError, and ManifestError when the
    manifest of a trace to be continued is invalid; then everything is as before.
    """
    if request.continued and directory.manifest.exists():
        from rtrace.manifest.reading.load import load

        load(directory.manifest)  # a mistake in it is told now, and not when the run is over
    check_proc()
    given = look_at_given()
    environ = read_own_environment() if request.environ is None else request.environ
    freeze = None
    if request.freezes:
        from rtrace.freezing.starting import choose_freeze

        freeze, environ = choose_freeze(environ)
    command = find_command(request.argv, environ)._replace(limits=lift_limits(), freeze=freeze)
    architectures = native_architectures()
    with shielded():
        place = TracePlace(directory, continued=request.continued, overwrite=request.overwrite)
        begun = False

        def begin() -> None:
            nonlocal begun
            place.keep()
            begun = True

        options = RunOptions(
            begin,
            on_waiting,
            on_loss,
            request.detach_daemons,
            request.keep,
            request.snapshot_limit,
            place.hidden,
            place.shortcoming,
            request.name,
        )
        try:
            with lifted():
                traced = trace_command(command, architectures, place.trace, place.connection, given, options)
        except BaseException as error:
            if begun:
                place.leave()
            else:
                place.restore()
            if isinstance(error, sqlite3.Error):
                reason = f"{error}{explain_limits()}"
                sentence = f"{directory.database} cannot be written ({reason}); free some space and trace again"
                raise TraceError(sentence) from None
            raise
        return report_trace(place, traced, request.record)


def report_trace(place: TracePlace, traced: FinishedRun, request: RecordRequest | None) -> TraceReport:
    """Draft the manifest when the run is over, take the record, and tell what was traced."""
    problem: str | None = None
    target = place.private.target
    draft = make_draft(place.connection, target)
    try:
        notices = write_manifest(draft.manifest, place.trace, target).notices
    except OSError as error:  # a limit on the size of files; `rtrace pack` drafts it again
        if error.errno not in {errno.EFBIG, errno.ENOSPC, errno.EDQUOT}:
            raise
        notices = ()
        problem = f"{place.directory.manifest} cannot be written ({error.strerror}); all else is traced"
    except ManifestError as error:  # it was edited while the run went on: that must not cost the run's exit status
        notices, problem = (), str(error)
    run = place.earlier_runs + 1
    count = count_run(place.connection, run)
    record = _record(place, run, draft, request)
    kept_from_place = place.leave()
    directory = place.trace if kept_from_place else place.directory
    return TraceReport(
        traced,
        count.processes,
        count.paths,
        notices,
        directory,
        kept_from_place or problem,
        record,
    )


def _record(place: TracePlace, run: int, draft: Draft, request: RecordRequest | None) -> Recorded | None:
    """Take the record of the run that has ended; return what became of it."""
    if request is None:
        return None
    from rtrace.operations.recording.traced import record_run

    return record_run(place.connection, place.trace, place.private.target, run, draft, request)


def write_manifest(manifest: Manifest, directory: TraceDirectory, target: TraceDirectory) -> Manifest:
    """Write the manifest of a trace, whole or not at all; what a person wrote into it stays.

    ``target`` is where the trace directory will be.
    Raises ManifestError when a person's manifest is invalid; the draft is then beside it.
    """
    if not directory.manifest.exists():
        write_new_manifest(manifest, directory)
        return manifest
    from rtrace.manifest.merging.edits import keep_edits  # needs PyYAML, which one run alone does not
    from rtrace.manifest.merging.revision import write_again
    from rtrace.manifest.reading.load import load, read_text

    try:
        earlier = read_text(directory.manifest)
        manifest = keep_edits(manifest, load(earlier, str(target.manifest)))
    except ManifestError as error:
        draft = directory.manifest.with_suffix(".draft.yml")
        write_whole(draft, render(manifest).encode())
        shown = target.path / draft.name
        raise ManifestError(f"{error}; all is traced, and {shown} is a fresh manifest to compare it with") from None
    write_whole(directory.manifest, write_again(manifest, earlier).encode())
    return manifest


def write_new_manifest(manifest: Manifest, directory: TraceDirectory) -> None:
    """Write the manifest of a trace directory that has none yet."""
    write_whole(directory.manifest, render(manifest).encode())
