"""One combination replayed, by a process of its own, and what came of it put into the folder of the sweep."""

from __future__ import annotations

import hashlib
import os
import re
import time
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace import interrupts
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, RtraceError
from rtrace.files.reading import read_parts
from rtrace.files.workspaces import INCOMPLETE, THROW_AWAY, prefix_beside, temporary_folder, working
from rtrace.operations.recording.judged import record_judgement
from rtrace.operations.replay import Exchange, Replay, Replayed
from rtrace.operations.sweeping.folder import SweepFolder
from rtrace.replay.protocol import Streams
from rtrace.sweep.combinations import quote_name
from rtrace.sweep.numbers import LONGEST, Number, find_numbers
from rtrace.sweep.rows import Made, Row, State

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.manifest.model import Run
    from rtrace.operations.exchange.fetching import Fetched
    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.replay.protocol import Outcome
    from rtrace.sweep.combinations import Combination

STDOUT, STDERR = "stdout", "stderr"
_MOST_NUMBERS = 200


class Watch:
    """What is noted of the runs of one replay."""

    def __init__(self) -> None:
        self.outcomes: list[Outcome] = []
        self.notes: list[str] = []
        self.unpacker: str | None = None
        self.started: float | None = None
        self.finished: float | None = None
        self.seconds = 0.0
        self._began = 0.0

    def begin(self, _run: Run) -> None:
        """Note that a run begins."""
        self._began = time.monotonic()
        self.started = self.started or time.time()

    def note(self, outcome: Outcome) -> None:
        """Note how a run ended."""
        self.seconds += time.monotonic() - self._began
        self.finished = time.time()
        self.outcomes.append(outcome)

    def name(self, unpacker: str) -> None:
        """Note what replays."""
        self.unpacker = unpacker

    def warn(self, sentence: str) -> None:
        """Note what is not as it should be, once; the temporary target has no name that means anything later."""
        place = re.escape(os.path.join(temporary_folder(), "rtrace-run-"))
        told = re.sub(rf"{place}[0-9a-f]{{8}}/{THROW_AWAY}\b", "the target", sentence)
        if told not in self.notes:
            self.notes.append(told)


def replay_one(sweep: Sweep, folder: SweepFolder, combination: Combination, *, record: bool) -> str | None:
    """Replay a combination, write its row, and record it in the history; return why that failed, if it did.

    What goes wrong with the replay is in the row. Raises UsageError for an input that cannot be read, OSError where the
    row cannot be written. An interrupted one leaves no row.
    """
    began = time.time()
    key = sweep.find_key(combination, {})
    watch = Watch()
    with working(folder.path, prefix_beside(combination.name, INCOMPLETE)) as workspace:
        outputs, place = workspace / "outputs", workspace / "record"
        for new in (outputs, place):
            new.mkdir()
        done = replay_into(sweep, combination, watch, outputs, place)
        row = make_row(sweep, watch, done, outputs, place)
        folder.take(combination, outputs, place, replace(row, key=key, limits=repr(sweep.settings.limits)))
    if not record or row.exit_status is None:
        return None
    names, inputs = sweep.settings.names, sweep.find_inputs(combination)
    changes = sweep.find_changes(combination)
    return record_judgement("replay", sweep.bundle, names, began, row.exit_status, changes=changes, inputs=inputs)


def replay_into(
    sweep: Sweep, combination: Combination, watch: Watch, outputs: Path, record: Path
) -> Replayed | RtraceError:
    """Replay a combination, and fetch its outputs; return what came of it, or why rtrace could not do so."""
    settings = sweep.settings
    with ExitStack() as stack:
        null = stack.enter_context(open(os.devnull, "rb"))
        out = stack.enter_context((record / STDOUT).open("xb"))
        error = stack.enter_context((record / STDERR).open("xb"))
        stack.enter_context(interrupts.ending_at_once())
        wanted = tuple((name, outputs / quote_name(name)) for name in sweep.outputs)
        replay = Replay(
            settings.limits,
            settings.grants,
            sweep.find_changes(combination),
            Exchange(sweep.find_inputs(combination), wanted),
            streams=Streams(null.fileno(), out.fileno(), error.fileno()),
            warn=watch.warn,
            begin=watch.begin,
            note=watch.note,
            name=watch.name,
            freezes=settings.freezes,
        )
        try:
            return replay.replay(sweep.bundle, settings.names, sweep.unpacker, settings.sources)
        except RtraceError as failure:
            return failure
        except OSError as failure:
            name = f"{failure.filename}: " if failure.filename is not None else ""
            return RtraceError(f"{name}{failure.strerror or failure}")


def make_row(sweep: Sweep, watch: Watch, done: Replayed | RtraceError, outputs: Path, record: Path) -> Row:
    """Return the row of a replay that ended, without its key."""
    failure = done if isinstance(done, RtraceError) else None
    fetched = done.fetched if isinstance(done, Replayed) else ()
    made, numbers = read_outputs(outputs, fetched)
    out_size, out_digest, said = read_stream(record / STDOUT)
    err_size, _, _ = read_stream(record / STDERR)
    outcome = watch.outcomes[-1] if watch.outcomes else None
    if failure is not None:
        watch.warn(str(failure))
    names = {one.name for one in made}
    missing = tuple(name for name in sweep.outputs if name not in names)
    return Row(
        "",
        find_state(outcome, failure, is_complete=not missing),
        exit_status=find_status(outcome, failure),
        signal=outcome.signal if outcome is not None else None,
        limit=outcome.reached if outcome is not None else None,
        unpacker=watch.unpacker,
        started=watch.started,
        finished=watch.finished,
        seconds=round(watch.seconds, 6) if watch.finished is not None else None,
        memory=max((one.memory for one in watch.outcomes if one.memory is not None), default=None),
        stdout=out_size,
        stderr=err_size,
        stdout_sha256=out_digest,
        outputs=made,
        missing=missing,
        numbers=(*find_numbers(STDOUT, said), *numbers)[:_MOST_NUMBERS],
        notes=tuple(watch.notes),
    )


def find_state(outcome: Outcome | None, failure: RtraceError | None, *, is_complete: bool) -> State:
    """Return how a replay ended."""
    if isinstance(failure, (CommandNotFoundError, CommandNotExecutableError)):
        return "failed"
    if failure is not None or outcome is None:
        return "error"
    if outcome.reached is not None:
        return "limit"
    if outcome.signal is not None:
        return "killed"
    if outcome.exit_status:
        return "failed"
    return "done" if is_complete else "incomplete"


def find_status(outcome: Outcome | None, failure: RtraceError | None) -> int | None:
    """Return the exit status of the last run that was started, or that a shell gives one that could not be."""
    if isinstance(failure, (CommandNotFoundError, CommandNotExecutableError)):
        return failure.exit_status
    return outcome.exit_status if outcome is not None else None


def read_outputs(folder: Path, fetched: Iterable[Fetched]) -> tuple[tuple[Made, ...], list[Number]]:
    """Return the files that were fetched, and the numbers in them."""
    made: list[Made] = []
    numbers: list[Number] = []
    for one in fetched:
        if one.to is None:
            continue
        size, digest, content = read_stream(one.to)
        made.append(Made(one.name, str(one.to.relative_to(folder)), size, digest))
        if size <= LONGEST:
            numbers += find_numbers(one.name, content)
    return tuple(made), numbers


def read_stream(path: Path) -> tuple[int, str, bytes]:
    """Return size and SHA-256 of a file of ours, and the end of its content."""
    digest, size, end = hashlib.sha256(), 0, b""
    with path.open("rb") as file:
        for part in read_parts(file.fileno()):
            digest.update(part)
            size += len(part)
            end = (end + part)[-LONGEST:]
    return size, digest.hexdigest(), end
