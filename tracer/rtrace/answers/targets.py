"""What `upload`, `download`, `reset`, `shell` and `targets` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Literal, TypedDict

from rtrace.answers.words import IDENTITY_PREFIX, Bytes, Path, Sentence
from rtrace.operations.exchange.known import State as TargetState
from rtrace.operations.exchange.names import Kind
from rtrace.operations.exchange.states import State
from rtrace.printable import printable, printable_text

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path as FilePath

    from rtrace.operations.exchange.fetching import Fetched
    from rtrace.operations.exchange.known import Known
    from rtrace.operations.exchange.states import FileState
    from rtrace.replay.protocol import Outcome
    from rtrace.replay.uploads import Upload


class UploadedAnswer(TypedDict):
    """What a person put in the place of a file."""

    source: Annotated[str, "the file that it came from; - is standard input"]
    size: Bytes
    sha256: str
    at: Annotated[float, "seconds since 1970-01-01 UTC"]


class TargetFileAnswer(TypedDict):
    """A file of a target, as it is now."""

    name: str
    kind: Annotated[Kind, "what it is to the runs; file: a packed file that is neither an input nor an output"]
    path: Path
    state: Annotated[State, "original: as packed; replaced: as uploaded; changed, generated: a run wrote it"]
    size: Annotated[int | None, "bytes; null where there is no regular file"]
    content: Annotated[
        Literal["packed", "elsewhere", "placeholder"] | None, "where the bundle has its content; null: nowhere"
    ]
    uploaded: UploadedAnswer | None


class UploadAnswer(TypedDict):
    """The inputs of a target; or those files that were replaced or brought back."""

    target: Path
    files: list[TargetFileAnswer]


class DownloadedAnswer(TypedDict):
    """A file that was copied out of a target."""

    name: str
    path: Path
    to: Path
    size: Bytes


class DownloadAnswer(TypedDict):
    """The outputs of a target, where nothing was asked for; or the files that were copied out of it."""

    target: Path
    files: list[TargetFileAnswer]
    downloaded: list[DownloadedAnswer]
    missing: Annotated[list[str], "a sentence for each output that --all did not find"]


class ResetAnswer(TypedDict):
    """A target that has the packed state again."""

    target: Path


class ShellAnswer(TypedDict):
    """A shell, or another program, that ran in a target and has ended."""

    target: Path
    run: Annotated[str, "the run as whose user, in whose folder and environment it ran"]
    argv: list[str]
    exit_status: Annotated[int, "as a shell shows it: 128+N when signal N ended it"]
    notes: Annotated[list[str], "what there is to know, a sentence each"]


class KnownTargetAnswer(TypedDict):
    """A target that was unpacked."""

    path: Path
    unpacker: str
    bundle: Annotated[str, "the name of the bundle's file"]
    identity: Annotated[str | None, "sha256: and the bundle's digest; null while the target is made"]
    made: Annotated[float, "seconds since 1970-01-01 UTC"]
    state: TargetState
    problem: Sentence | None
    size: Annotated[int | None, "bytes that its folder takes on the disk, with --size"]


class TargetsAnswer(TypedDict):
    """What was unpacked where."""

    targets: list[KnownTargetAnswer]
    forgotten: Annotated[list[str], "a sentence for each target that is gone"]


def answer_upload(target: FilePath, states: Iterable[FileState]) -> UploadAnswer:
    """Return what `upload` answers."""
    return {"target": printable_text(str(target)), "files": [answer_file(one) for one in states]}


def answer_file(one: FileState) -> TargetFileAnswer:
    """Return a file of a target."""
    return {
        "name": one.file.name,
        "kind": one.file.kind,
        "path": printable(one.path),
        "state": one.state,
        "size": one.size,
        "content": one.file.content,
        "uploaded": None if one.upload is None else answer_uploaded(one.upload),
    }


def answer_uploaded(upload: Upload) -> UploadedAnswer:
    """Return what was uploaded."""
    return {
        "source": printable_text(upload.source),
        "size": upload.size,
        "sha256": upload.sha256,
        "at": upload.at,
    }


def answer_download(
    target: FilePath, states: Iterable[FileState], fetched: Iterable[Fetched], missing: Iterable[str]
) -> DownloadAnswer:
    """Return what `download` answers."""
    return {
        "target": printable_text(str(target)),
        "files": [answer_file(one) for one in states],
        "downloaded": [
            {"name": one.name, "path": printable(one.path), "to": printable_text(str(one.to)), "size": one.size}
            for one in fetched
        ],
        "missing": list(missing),
    }


def answer_reset(target: FilePath) -> ResetAnswer:
    """Return what `reset` answers."""
    return {"target": printable_text(str(target))}


def answer_shell(target: FilePath, run: str, argv: Iterable[bytes], outcome: Outcome) -> ShellAnswer:
    """Return what `shell` answers."""
    return {
        "target": printable_text(str(target)),
        "run": run,
        "argv": [printable(argument) for argument in argv],
        "exit_status": outcome.exit_status,
        "notes": list(outcome.notes),
    }


def answer_targets(known: Iterable[Known], forgotten: Iterable[str]) -> TargetsAnswer:
    """Return what `targets` answers."""
    return {
        "targets": [
            {
                "path": printable_text(str(one.entry.path)),
                "unpacker": one.entry.unpacker,
                "bundle": printable_text(one.entry.bundle),
                "identity": None if one.entry.identity is None else IDENTITY_PREFIX + one.entry.identity,
                "made": one.entry.made,
                "state": one.state,
                "problem": one.problem,
                "size": one.size,
            }
            for one in known
        ],
        "forgotten": list(forgotten),
    }
