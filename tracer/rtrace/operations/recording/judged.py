"""The record of a replay or a verification: what was replayed, how it ended, and the verdict."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import RecordError
from rtrace.operations.recording.changed import list_options
from rtrace.path_text import to_text
from rtrace.record.empty import empty_record
from rtrace.record.facts.machine import read_machine
from rtrace.record.facts.surroundings import read_surroundings
from rtrace.record.facts.users import read_user
from rtrace.record.history.opening import open_history
from rtrace.record.times import write_time
from rtrace.replay.changing import NO_CHANGES, Changes

if TYPE_CHECKING:
    from rtrace.record.document import BundleFact, Kind, Record, VerdictFact
    from rtrace.verify.verdicts import Report

_MOST_DIFFERENCES = 100


def describe_report(report: Report, unpacker: str) -> VerdictFact:
    """Return the verdict of a verification as a record has it."""
    judged = [line for line in report.lines if line.scope == "output"]
    differences = [f"{line.verdict}: {line.text}" for line in judged if line.verdict != "same"]
    differences += [row.text for row in report.claims if row.reproduced is not True]
    return {
        "verdict": report.verdict,
        "exit_status": report.exit_status,
        "unpacker": unpacker,
        "compared": len(judged),
        "differences": differences[:_MOST_DIFFERENCES],
    }


def record_judgement(  # noqa: PLR0913 -- each is a fact of its own
    kind: Kind,
    place: Path,
    names: Sequence[str],
    began: float,
    exit_status: int,
    verdict: VerdictFact | None = None,
    *,
    changes: Changes = NO_CHANGES,
    inputs: Sequence[tuple[str, Path | None]] = (),
) -> str | None:
    """Add to the history that a bundle or target was replayed or verified; return why that failed, if it did.

    ``changes`` and ``inputs`` made it another run. ``began`` is in seconds since 1970. Nothing is raised: the verdict
    is worth more than its record.
    """
    try:
        record = empty_record(kind)
        command = "verify" if kind == "verification" else "replay"
        record["arguments"] = ["rtrace", command, *list_options(changes, inputs), to_text(os.fsencode(place)), *names]
        record["workingdir"] = to_text(os.getcwdb())
        ended = time.time()
        record["started"], record["finished"] = (write_time(int(moment * 1_000_000)) for moment in (began, ended))
        record["usage"]["wall"] = ended - began
        record["exit_code"] = exit_status
        record["status"] = "succeeded" if exit_status == 0 else "failed"
        record["verdict"] = verdict
        record["user"], record["machine"] = read_user(), read_machine()
        record["surroundings"] = read_surroundings(os.environ)
        if place.is_file():
            name_bundle(record, place, names)
        open_history().add(record)
    except Exception as error:  # noqa: BLE001 -- whatever is wrong with a record must cost nobody a verdict
        debug(__name__, "no record: %r", error)
        reason = (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
        return f"this is not in the history ({reason})"
    return None


def name_bundle(record: Record, place: Path, names: Sequence[str]) -> None:
    """Say in a record which bundle was replayed, and whose run that was."""
    from rtrace.opening import open_bundle
    from rtrace.record.bundled import read_bundle

    fact: BundleFact = {"path": str(place.absolute()), "identity": None, "run": None, "doi": None}
    with open_bundle(place) as opened:
        fact["identity"] = f"sha256:{opened.identity}" if opened.identity else None
        runs = [run.id for run in opened.manifest.runs]
    fact["run"] = names[-1] if names else runs[-1] if runs else None
    record["bundles"] = [fact]
    records: dict[str | None, Record] = {}
    with contextlib.suppress(RecordError):  # a bundle of before there were records
        records = {one["run_name"]: one for one in read_bundle(place)}
    original = records.get(fact["run"])
    if original is not None:
        record["parent"] = original["id"]
        record["project"] = original["project"]
        record["main"] = original["main"]
