"""What `unpack`, `replay`, `destroy` and `extract` answer."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypedDict

from rtrace.answers.replays.sweeping import SweepAnswer, answer_sweep
from rtrace.answers.words import Bytes, Path
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path as FilePath

    from rtrace.bundle.entry import Entry
    from rtrace.operations.exchange.fetching import Fetched
    from rtrace.operations.extract import Original
    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.operations.sweeping.sweep import Swept
    from rtrace.replay.protocol import Outcome, Unpacked


class UnpackAnswer(TypedDict):
    """A target that was made."""

    target: Path
    unpacker: str
    incomplete: Annotated[list[str], "what the bundle lacks, a sentence each"]
    notes: Annotated[list[str], "what else there is to know, a sentence each"]
    plan: Annotated[list[str], "with --dry-run: what would be done, a step each; nothing is written then"]


class ReplayedAnswer(TypedDict):
    """How the replay of a run ended."""

    run: str
    exit_status: Annotated[int, "as a shell shows it: 128+N when signal N ended it"]
    limit: Annotated[str | None, "the limit that ended it"]
    notes: Annotated[list[str], "what there is to know, a sentence each"]


class FetchedOutputAnswer(TypedDict):
    """An output that was copied out of the target afterwards."""

    name: str
    path: Annotated[Path, "where it was in the target"]
    file: Path
    size: Bytes


class ReplayAnswer(TypedDict):
    """The runs that were replayed, in their order."""

    unpacker: Annotated[str, "what replayed them"]
    runs: list[ReplayedAnswer]
    changed: Annotated[list[str], "what was changed of the runs that were named, a sentence each"]
    opened: Annotated[list[str], "what of the machine was opened to them, a sentence each"]
    fetched: list[FetchedOutputAnswer]
    target: Annotated[Path | None, "the target that was made of a bundle and stays"]
    sweep: Annotated[SweepAnswer | None, "with --sweep: what came of it, and the rest is empty"]


class DestroyAnswer(TypedDict):
    """A target that was removed."""

    target: Path


class ExtractedAnswer(TypedDict):
    """A file of the bundle."""

    path: Path
    size: Bytes
    sha256: str | None
    written: Annotated[bool, "false: the bundle holds only its size"]


class ExtractAnswer(TypedDict):
    """The files that were copied out of a bundle."""

    files: list[ExtractedAnswer]


def answer_unpack(unpacked: Unpacked, target: FilePath, unpacker: str) -> UnpackAnswer:
    """Return what `unpack` answers."""
    return {
        "target": str(target),
        "unpacker": unpacker,
        "incomplete": list(unpacked.incomplete),
        "notes": list(unpacked.notes),
        "plan": [],
    }


def answer_plan(steps: Iterable[str], target: FilePath, unpacker: str) -> UnpackAnswer:
    """Return what `unpack --dry-run` answers."""
    return {"target": str(target), "unpacker": unpacker, "incomplete": [], "notes": [], "plan": list(steps)}


def answer_replay(
    outcomes: Iterable[Outcome],
    unpacker: str,
    changed: Iterable[str] = (),
    opened: Iterable[str] = (),
    fetched: Iterable[Fetched] = (),
    *,
    target: FilePath | None = None,
) -> ReplayAnswer:
    """Return what `replay` answers."""
    return {
        "unpacker": unpacker,
        "runs": [
            {
                "run": outcome.run,
                "exit_status": outcome.exit_status,
                "limit": outcome.reached,
                "notes": list(outcome.notes),
            }
            for outcome in outcomes
        ],
        "changed": list(changed),
        "opened": list(opened),
        "fetched": [
            {"name": one.name, "path": printable(one.path), "file": str(one.to), "size": one.size} for one in fetched
        ],
        "target": None if target is None else str(target),
        "sweep": None,
    }


def answer_swept(
    sweep: Sweep, folder: FilePath, swept: Swept, changed: Iterable[str], opened: Iterable[str]
) -> ReplayAnswer:
    """Return what `replay --sweep` answers."""
    answer = answer_replay((), sweep.unpacker, changed, opened)
    return {**answer, "sweep": answer_sweep(sweep, folder, swept)}


def answer_destroy(target: FilePath) -> DestroyAnswer:
    """Return what `destroy` answers."""
    return {"target": str(target)}


def answer_extract(entries: Iterable[Entry], without: Iterable[Entry]) -> ExtractAnswer:
    """Return what `extract` answers; of ``without`` nothing was written."""
    lost = {entry.path for entry in without}
    return {
        "files": [
            {
                "path": printable(entry.path),
                "size": entry.size,
                "sha256": entry.sha256,
                "written": entry.path not in lost,
            }
            for entry in entries
        ]
    }


def answer_originals(originals: Iterable[Original]) -> ExtractAnswer:
    """Return what `extract --written` answers."""
    return {
        "files": [
            {"path": printable(one.name), "size": one.size, "sha256": one.sha256, "written": True} for one in originals
        ]
    }
