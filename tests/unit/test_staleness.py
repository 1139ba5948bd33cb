"""Which runs are stale: what they found against what is there now, whoever wrote it last."""

import os
import shutil
import sqlite3
from pathlib import Path

import pytest

from rtrace.errors import TraceError
from rtrace.operations.staleness.status import find_status
from rtrace.staleness.by_package import tell_by_package
from rtrace.staleness.model import Reason
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder

LATER = 1_800_000_000_000_000_000


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder in which two runs worked: the first reads data and writes a result, the second plots it."""
    for name, content in (("data", "1"), ("tool", "#!"), ("config", "a"), ("seen", "x")):
        (tmp_path / name).write_text(content)
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/old").touch()
    (tmp_path / "link").symlink_to("data")
    builder = TraceBuilder(tmp_path)
    builder.begin()
    builder.read(tmp_path / "data")
    builder.touch(tmp_path / "config", Use.READ)
    builder.touch(tmp_path / "tool", Use.EXECUTE)
    builder.touch(tmp_path / "seen", Use.LOOKUP)
    builder.touch(tmp_path / "link", Use.LOOKUP)
    builder.touch(tmp_path / "missing", Use.LOOKUP)
    builder.touch(tmp_path / "folder", Use.LIST)
    builder.touch(tmp_path / "folder/old")
    builder.touch(tmp_path / "scratch", Use.CREATE | Use.WRITE)
    builder.touch(tmp_path / "scratch", Use.REMOVE)
    builder.result(tmp_path / "scratch")
    builder.write(tmp_path / "folder/made", b"2")
    builder.result(tmp_path / "folder/made")
    builder.write(tmp_path / "result", b"result")
    builder.result(tmp_path / "result")
    builder.begin()
    builder.read(tmp_path / "result")
    builder.write(tmp_path / "config", b"b")
    builder.result(tmp_path / "config")
    builder.write(tmp_path / "plot", b"plot")
    builder.result(tmp_path / "plot")
    builder.finish()
    return tmp_path


def tell(work: Path, *ignored: bytes) -> dict[str, list[str]]:
    """Return the reasons of each run, with paths as seen from the folder."""
    root = f"{work}/"
    report = find_status(work, ignored)
    return {run.run: [reason.text.replace(root, "") for reason in run.reasons] for run in report.runs}


def rewrite(path: Path, content: str) -> None:
    """Write a file at another time."""
    path.write_text(content)
    os.utime(path, ns=(LATER, LATER))


def test_what_was_left_alone_is_fresh(work: Path) -> None:
    """With all that the runs themselves wrote; nothing need be read."""
    report = find_status(work)
    assert [run.staleness for run in report.runs] == ["fresh", "fresh"]
    assert (report.staleness, report.exit_status, report.hashed) == ("fresh", 0, 0)


@pytest.mark.parametrize(
    "name, reasons",
    [
        ("data", ["changed: data"]),
        ("tool", ["executable changed: tool"]),
        ("seen", ["changed: seen"]),
        ("missing", ["appeared: missing"]),
        ("folder/new", ["appeared: folder/new (in a folder that it listed)"]),
        ("link", ["changed: link"]),
        ("scratch", []),
        ("beside", []),
        (".rtrace-other", []),
    ],
)
def test_a_change_is_told(name: str, reasons: list[str], work: Path) -> None:
    """Of what a run read, executed, looked up, did not find and listed; what it never saw does not matter."""
    (work / name).unlink(missing_ok=True)
    rewrite(work / name, "something else")
    assert tell(work)["run1"] == reasons
    assert tell(work)["run2"] == (["needs run1"] if reasons else [])


def test_what_is_gone_is_told(work: Path) -> None:
    """Files, programs, and names in a folder; a folder as a whole with what was in it."""
    for name in ("data", "tool"):
        (work / name).unlink()
    shutil.rmtree(work / "folder")
    expected = [
        "executable gone: tool",
        "gone: data",
        "gone: folder",
        "gone: folder/old",
        "output is gone: folder/made",
    ]
    assert tell(work)["run1"] == expected


def test_outputs_are_compared_with_how_they_were_left(work: Path) -> None:
    """One that was edited makes its run stale, and what reads it; one that only got another time does not."""
    os.utime(work / "result", ns=(LATER, LATER))
    report = find_status(work)
    assert (report.staleness, report.hashed) == ("fresh", 1)
    rewrite(work / "result", "edited")
    assert tell(work) == {"run1": ["output was changed: result"], "run2": ["needs run1", "changed: result"]}
    (work / "plot").unlink()
    assert tell(work)["run2"] == ["needs run1", "changed: result", "output is gone: plot"]
    assert tell(work, b"**/result", b"**/plot") == {"run1": [], "run2": []}


def test_what_a_later_run_wrote_may_be_either(work: Path) -> None:
    """The configuration that run1 read is as run2 left it, or as it was; anything else concerns both."""
    assert tell(work)["run1"] == []
    rewrite(work / "config", "c")
    found = tell(work)
    assert found["run1"][0].endswith(": config")
    assert "output was changed: config" in found["run2"]


def test_a_file_with_another_time_and_unknown_content_is_a_doubt(work: Path) -> None:
    """Nobody noted its digest: neither stale nor fresh."""
    os.utime(work / "data", ns=(LATER, LATER))
    report = find_status(work)
    assert [run.staleness for run in report.runs] == ["unknown", "fresh"]
    assert (report.staleness, report.exit_status) == ("unknown", 3)


def test_a_run_without_an_end_cannot_be_judged(tmp_path: Path) -> None:
    """Its tracer was killed."""
    builder = TraceBuilder(tmp_path)
    builder.begin(finished=False)
    builder.finish()
    report = find_status(tmp_path)
    assert (report.staleness, report.exit_status) == ("unknown", 3)


def test_no_trace_and_no_database(tmp_path: Path) -> None:
    """One sentence with the next step."""
    with pytest.raises(TraceError, match="rtrace trace"):
        find_status(tmp_path)
    TraceDirectory(tmp_path / ".rtrace").path.mkdir()
    (tmp_path / ".rtrace/trace.sqlite3").write_bytes(b"no database")
    with pytest.raises(TraceError, match="is not a trace"):
        find_status(tmp_path)
    (tmp_path / ".rtrace/trace.sqlite3-journal").mkdir()  # as on a full disk, the database may be a whole one
    with pytest.raises(TraceError, match="free some space"):
        find_status(tmp_path)
    (tmp_path / ".rtrace/trace.sqlite3-journal").rmdir()
    (tmp_path / ".rtrace/trace.sqlite3").unlink()
    (tmp_path / "other").mkdir()
    builder = TraceBuilder(tmp_path / "other")
    builder.begin()
    builder.finish()
    with sqlite3.connect(tmp_path / "other/.rtrace/trace.sqlite3") as connection:
        connection.execute("DROP TABLE facts")
    with pytest.raises(TraceError, match="cannot be read"):
        find_status(tmp_path / "other")


def test_a_package_that_is_not_here_any_more_is_named() -> None:
    """A file that is gone is told with the package that owned it, where that is known."""
    gone = Reason("gone", b"/nowhere/libx.so")
    told = tell_by_package({1: [gone]}, (), {b"/nowhere/libx.so": "libx1"})
    assert [reason.text for reason in told[1]] == ["gone: /nowhere/libx.so (of the package libx1)"]
