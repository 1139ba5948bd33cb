"""What the commands on the history answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.record.document import Record
from rtrace.record.times import write_time

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from rtrace.operations.history.blaming import Blamed
    from rtrace.operations.history.importing import Imported
    from rtrace.operations.history.syncing import Synced
    from rtrace.operations.repeating.repetition import Repeated
    from rtrace.record.diff import Change, RecordDifference
    from rtrace.record.query import Made, Row


class RunRowAnswer(TypedDict):
    """A run in a list."""

    id: Annotated[str, "UUIDv7"]
    short: Annotated[str, "the shortest beginning of the id that names the run alone"]
    kind: Annotated[str, "run, replay or verification"]
    status: Annotated[str, "succeeded, failed, killed, crashed or unknown"]
    verdict: Annotated[str | None, "same, different or unknown, where results were compared"]
    label: str | None
    parent: Annotated[str | None, "id of the run that this one repeats, replays or verifies"]
    started: Annotated[str | None, "UTC, ISO 8601"]
    wall: Annotated[float | None, "seconds"]
    exit_code: int | None
    signal: int | None
    project: str | None
    reason: str | None
    outcome: str | None
    tags: list[str]
    arguments: Annotated[list[str], "the command, word by word"]
    main: Annotated[str | None, "the path of the main script, else of the program"]
    workingdir: str | None
    user: str | None
    host: str | None
    inputs: Annotated[int, "how many files it read"]
    outputs: Annotated[int, "how many files it wrote"]


class LogAnswer(TypedDict):
    """The runs of a history that were asked for, newest first."""

    history: Annotated[str, "the folder or the database"]
    total: Annotated[int, "how many runs fit, also beyond --limit"]
    runs: list[RunRowAnswer]


class FoundRunAnswer(TypedDict):
    """A run in which a text was found, and where."""

    run: RunRowAnswer
    places: Annotated[list[str], "what holds a word that was searched for, a line each"]


class SearchAnswer(TypedDict):
    """The runs in which a text was found, newest first."""

    history: Annotated[str, "the folder or the database"]
    total: Annotated[int, "how many runs fit, also beyond --limit"]
    runs: list[FoundRunAnswer]


class ShowAnswer(TypedDict):
    """The record of a run."""

    record: Record


class MadeAnswer(TypedDict):
    """A file that a run wrote."""

    id: Annotated[str, "of the run"]
    path: Annotated[str, "the file's path at that time"]


class BlameAnswer(TypedDict):
    """Which runs made a file."""

    sha256: Annotated[str, "the file's digest"]
    made: Annotated[list[MadeAnswer], "the runs that wrote this content, newest first, ten at most"]
    by_path: Annotated[list[RunRowAnswer], "where no run wrote it: those that used another content at this path"]
    read: Annotated[list[RunRowAnswer], "where no run wrote the content: those that read it"]


class ChangeAnswer(TypedDict):
    """Something that two records say differently."""

    what: str
    before: Annotated[str | None, "null where the first run has no such thing"]
    after: Annotated[str | None, "null where the second run has no such thing"]


class DiffAnswer(TypedDict):
    """What differs between two runs."""

    before: Annotated[str, "the id of the first run"]
    after: Annotated[str, "the id of the second run"]
    same: bool
    code: list[ChangeAnswer]
    inputs: list[ChangeAnswer]
    parameters: list[ChangeAnswer]
    packages: list[ChangeAnswer]
    environment: list[ChangeAnswer]
    machine: list[ChangeAnswer]
    outputs: list[ChangeAnswer]


class ImportAnswer(TypedDict):
    """What came into a history."""

    added: int
    merged: Annotated[int, "records that were there, and got something new"]
    same: Annotated[int, "records that were there with all that"]
    problems: Annotated[int, "documents that could not be read"]


class SyncAnswer(TypedDict):
    """What went from one history to another, and back."""

    fetched: int
    sent: int
    merged: Annotated[int, "records to which both had added something"]
    forgotten: Annotated[int, "records that were forgotten in one of the two"]
    problems: Annotated[int, "documents that could not be read"]


class RepeatAnswer(TypedDict):
    """What came of running a command again."""

    id: Annotated[str, "of the repetition"]
    parent: Annotated[str, "the id of the run that was repeated"]
    directory: Annotated[str | None, "the trace directory of the repetition; null where that was removed"]
    verdict: Annotated[str, "same, different, unknown"]
    compared: Annotated[int, "how many outputs and streams were compared"]
    differences: Annotated[list[str], "a sentence each"]


def answer_row(row: Row, short: str) -> RunRowAnswer:
    """Return a run of a list."""
    return {
        "id": row.id,
        "short": short,
        "kind": row.kind,
        "status": row.status,
        "verdict": row.verdict,
        "label": row.label,
        "parent": row.parent,
        "started": None if row.started is None else write_time(row.started),
        "wall": row.wall,
        "exit_code": row.exit_code,
        "signal": row.signal,
        "project": row.project,
        "reason": row.reason,
        "outcome": row.outcome,
        "tags": row.tags,
        "arguments": row.arguments,
        "main": row.main,
        "workingdir": row.workingdir,
        "user": row.user,
        "host": row.host,
        "inputs": row.inputs,
        "outputs": row.outputs,
    }


def answer_log(place: str, rows: Iterable[Row], total: int, short: Callable[[str], str]) -> LogAnswer:
    """Return what `log` answers."""
    return {"history": place, "total": total, "runs": [answer_row(row, short(row.id)) for row in rows]}


def answer_search(
    place: str, found: Iterable[tuple[Row, Sequence[str]]], total: int, short: Callable[[str], str]
) -> SearchAnswer:
    """Return what `search` answers."""
    runs: list[FoundRunAnswer] = [
        {"run": answer_row(row, short(row.id)), "places": list(places)} for row, places in found
    ]
    return {"history": place, "total": total, "runs": runs}


def answer_show(record: Record) -> ShowAnswer:
    """Return what `show` answers."""
    return {"record": record}


def answer_made(made: Made) -> MadeAnswer:
    """Return a file that a run wrote."""
    return {"id": made.run, "path": made.path.decode("utf-8", "surrogateescape")}


def answer_blame(blamed: Blamed, short: Callable[[str], str]) -> BlameAnswer:
    """Return what `blame` answers."""
    return {
        "sha256": blamed.sha256,
        "made": [answer_made(made) for made in blamed.made],
        "by_path": [answer_row(row, short(row.id)) for row in blamed.by_path],
        "read": [answer_row(row, short(row.id)) for row in blamed.read],
    }


def answer_diff(before: str, after: str, difference: RecordDifference) -> DiffAnswer:
    """Return what `diff` answers."""

    def list_changes(section: str) -> list[ChangeAnswer]:
        return [answer_change(change) for change in difference.sections[section]]

    return {
        "before": before,
        "after": after,
        "same": difference.is_empty,
        "code": list_changes("code"),
        "inputs": list_changes("inputs"),
        "parameters": list_changes("parameters"),
        "packages": list_changes("packages"),
        "environment": list_changes("environment"),
        "machine": list_changes("machine"),
        "outputs": list_changes("outputs"),
    }


def answer_change(change: Change) -> ChangeAnswer:
    """Return something that two records say differently."""
    return {"what": change.what, "before": change.before, "after": change.after}


def answer_import(imported: Imported) -> ImportAnswer:
    """Return what `import` answers."""
    return {
        "added": imported.added,
        "merged": imported.merged,
        "same": imported.same,
        "problems": imported.problems,
    }


def answer_sync(synced: Synced) -> SyncAnswer:
    """Return what `sync` answers."""
    return {
        "fetched": synced.fetched,
        "sent": synced.sent,
        "merged": synced.merged,
        "forgotten": synced.forgotten,
        "problems": synced.problems,
    }


def answer_repeat(repeated: Repeated) -> RepeatAnswer:
    """Return what `repeat` answers."""
    verdict = repeated.verdict
    return {
        "id": repeated.identifier,
        "parent": repeated.parent,
        "directory": None if repeated.directory is None else str(repeated.directory),
        "verdict": verdict["verdict"],
        "compared": verdict["compared"] or 0,
        "differences": verdict["differences"],
    }
