"""Secrets that people put where they do not think of any: none reaches a record."""

import json
import os
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rtrace.describe.draft import make_draft
from rtrace.manifest.model import SecretPack
from rtrace.operations.history.annotating import write_annotation
from rtrace.privacy.decisions import Decisions
from rtrace.privacy.redacting import redact_trace
from rtrace.privacy.rules.table import RULES
from rtrace.record.empty import empty_record
from rtrace.record.taking.evidence import gather
from rtrace.record.taking.processes import SPARE, shorten_arguments
from rtrace.record.taking.said import Said
from rtrace.record.taking.secrets.redacting import RecordRedactor
from rtrace.record.taking.streams import MOST_TEXT
from rtrace.record.taking.taking import take_record
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder

TOKEN = "ghp_x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ"  # noqa: S105 - nobody's
WORD = "tk9Xq2LmZ0pW7vT4"


@pytest.fixture(autouse=True)
def all_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """No search is given up here, however slow the machine is."""
    monkeypatch.setattr("rtrace.record.taking.secrets.redacting.LONGEST", 60.0)


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace in an empty folder, in which one run has begun."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    return builder


def take(trace: TraceBuilder, said: Said) -> str:
    """Return the document of the run's record."""
    evidence = gather(trace.connection, trace.directory, 1, make_draft(trace.connection, trace.directory))
    return json.dumps(take_record(evidence, said, trace.directory.path))


@pytest.mark.parametrize(
    "said",
    [
        Said(label=f"with-{TOKEN}"),
        Said(reason=f"to try {TOKEN}"),
        Said(reason=f"the new password: {WORD}"),
        Said(tags=("a", TOKEN)),
        Said(project=TOKEN),
    ],
)
def test_what_a_person_says_of_a_run_holds_no_secret(said: Said, trace: TraceBuilder) -> None:
    """A token in a label, a reason, a tag or a project is replaced, and its place is told."""
    document = take(trace, said)
    assert TOKEN not in document
    assert WORD not in document
    assert len(json.loads(document)["redacted"]) == 1


def test_the_name_of_a_file_holds_no_secret(trace: TraceBuilder, tmp_path: Path) -> None:
    """A token in it is taken out of every place where the name stands."""
    path = tmp_path / f"answer-of-{TOKEN}.json"
    path.write_text("{}")
    trace.read(path)
    document = take(trace, Said())
    assert "answer-of-redacted.json" in document
    assert TOKEN not in document


def test_a_parameter_that_is_a_number_can_be_a_secret(trace: TraceBuilder, tmp_path: Path) -> None:
    """Some passwords have digits alone; a number that only counts something stays what it is."""
    (tmp_path / "run.json").write_text('{"db": {"password": 9123456789012355}, "steps": 9123456789012355}')
    trace.read(tmp_path / "run.json")
    parameters = json.loads(take(trace, Said()))["parameters"]
    values = {one["name"]: one["value"] for one in parameters if one["source"].endswith("run.json")}
    assert values["db.password"] == "redacted"


def test_the_name_of_a_variable_is_not_told_where_it_is_a_secret(tmp_path: Path) -> None:
    """The list of places is searched for what was found, too."""
    redactor = RecordRedactor(tmp_path / "harmless")
    redactor.environment(((TOKEN.encode(), b"1"),))
    record = redactor.finish(empty_record())
    assert record["redacted"]
    assert TOKEN not in json.dumps(record)


def test_no_half_of_a_secret_is_left_where_an_output_is_cut(trace: TraceBuilder) -> None:
    """More is searched than is kept, at both ends."""
    trace.directory.streams.mkdir()
    half = MOST_TEXT // 2
    filler = ("." * 79 + "\n") * (4 * MOST_TEXT // 80)
    head = filler[: half - 30] + " " + TOKEN + "\n"
    tail = " " + TOKEN + " " + filler[: half - 20]
    text = (head + filler + tail).encode()
    (trace.directory.streams / "run1.stdout").write_bytes(text)
    trace.connection.execute(
        "INSERT INTO streams(run, descriptor, kind, joined, file, kept, size, sha256, cut)"
        " VALUES (1, 1, 'pipe', 0, 'run1.stdout', ?, ?, 'x', 0)",
        (len(text), len(text)),
    )
    document = json.loads(take(trace, Said()))
    kept = document["stdout"]["text"]
    assert not [at for at in range(len(TOKEN) - 7) if TOKEN[at : at + 8] in kept]
    assert MOST_TEXT - 200 < len(kept) < MOST_TEXT + 200


def test_no_half_of_a_secret_is_left_where_an_argument_is_cut(trace: TraceBuilder, tmp_path: Path) -> None:
    """A very long argument is searched before its end is left out."""
    program = tmp_path / "prog"
    program.write_bytes(b"\x7fELF")
    number = trace.touch(program, Use.EXECUTE)
    trace.connection.execute(
        "INSERT INTO processes(id, run, parent, pid, is_thread, started) VALUES (1, 1, NULL, 10, 0, 0)"
    )
    argument = "y" * 4080 + " " + TOKEN
    trace.connection.execute(
        "INSERT INTO executions VALUES (NULL, ?, 1, 0, ?, ?, 1, ?)",
        (trace.run, number, f"prog\0{argument}\0".encode(), bytes(trace.home)),
    )
    document = take(trace, Said())
    (process,) = json.loads(document)["processes"]
    assert process["arguments"][1] == "y" * 4080 + " redacted"
    assert len(shorten_arguments([b"x" * (SPARE + 9000)])[0]) < SPARE


def test_what_is_said_later_holds_no_secret() -> None:
    """An annotation is searched like what is said at the start."""
    annotation = write_annotation(
        label=TOKEN, reason=f"with {TOKEN}", outcome=f"password: {WORD}", add_tags=[TOKEN, "a"], remove_tags=[]
    )
    assert TOKEN not in json.dumps(annotation)
    assert WORD not in json.dumps(annotation)
    assert annotation["add_tags"] == ["redacted", "a"]
    plain = write_annotation(label=None, reason="", outcome=None, add_tags=[], remove_tags=[])
    assert (plain["label"], plain["reason"]) == (None, "")


def test_paths_that_differ_in_a_secret_alone_stay_apart(trace: TraceBuilder, tmp_path: Path) -> None:
    """In the trace of a bundle one of them gets a number; two of one name cannot be."""
    tokens = [TOKEN[:-1] + end for end in "abc"]
    for token in tokens:
        (tmp_path / f"out-{token}").write_text("1")
        trace.read(tmp_path / f"out-{token}")
    copy = tmp_path / "copy"
    with closing(sqlite3.connect(copy)) as target:
        trace.connection.backup(target)
    decisions = Decisions(())
    decisions.decide("here", next(iter(RULES)), "a token", SecretPack.REDACTED)
    decisions.learn([token.encode() for token in tokens], {SecretPack.REDACTED})
    redact_trace(copy, decisions.settle())
    with closing(sqlite3.connect(copy)) as connection:
        paths = {Path(os.fsdecode(row[0])).name for row in connection.execute("SELECT path FROM paths")}
    assert {"out-redacted", "out-redacted-2", "out-redacted-3"} <= paths
