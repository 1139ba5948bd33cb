"""`rtrace combine`: several traces become the runs of one, with everything that names something still naming it."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from rtrace.errors import TraceError, UsageError
from rtrace.files.reading import hash_file
from rtrace.operations.combine import combine
from rtrace.trace.directory import TraceDirectory
from trace_builder import TraceBuilder


def test_a_copy_is_kept_once(tmp_path: Path) -> None:
    """What two runs changed after it was the same is stored once."""
    sources = []
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        trace = TraceBuilder(tmp_path / name)
        trace.begin()
        (tmp_path / name / "file").write_bytes(b"same content")
        trace.write(tmp_path / name / "file", b"other")
        sources.append(trace.finish())
    combine(sources, TraceDirectory(tmp_path / "both"))
    copies = list((tmp_path / "both/snapshots").iterdir())
    assert len(copies) == 2
    assert len({copy.stat().st_ino for copy in copies}) == 1
    with closing(sqlite3.connect(tmp_path / "both/trace.sqlite3")) as connection:
        assert {file for (file,) in connection.execute("SELECT file FROM snapshots")} == {copy.name for copy in copies}


def test_a_copy_is_hashed_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """However many ranks have the same files, each is read once: the work grows with their number, not its square."""
    hashed: list[bytes] = []

    def note(path: bytes, *, follow: bool) -> bytes | None:
        hashed.append(path)
        return hash_file(path, follow=follow)

    monkeypatch.setattr("rtrace.operations.combine.hash_file", note)
    sources = []
    for number in range(8):
        home = tmp_path / str(number)
        home.mkdir()
        trace = TraceBuilder(home)
        trace.begin()
        for name, content in (
            ("same", b"same content"),
            ("own", b"of rank %d" % number),
            ("alone", bytes(number + 99)),
        ):
            (home / name).write_bytes(content)
            trace.write(home / name, b"other")
        sources.append(trace.finish())
    combine(sources, TraceDirectory(tmp_path / "all"))
    copies = sorted(copy.stat().st_ino for copy in (tmp_path / "all/snapshots").iterdir())
    assert (len(copies), len(set(copies))) == (24, 17)
    assert len(hashed) == len(set(hashed)) == 16  # none of those whose size no other file has


def test_files_that_differ_between_hosts_are_told(tmp_path: Path) -> None:
    """A path has one content in a bundle: where two hosts had different ones, the trace says so."""
    sources = []
    (tmp_path / "library").write_bytes(b"1")
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        trace = TraceBuilder(tmp_path / name)
        trace.begin()
        trace.connection.execute("UPDATE runs SET hostname = ?", (name,))
        trace.read(tmp_path / "library")
        (tmp_path / "library").write_bytes(b"22")
        sources.append(trace.finish())
    combine(sources, TraceDirectory(tmp_path / "both"))
    with closing(sqlite3.connect(tmp_path / "both/trace.sqlite3")) as connection:
        ((what,),) = connection.execute("SELECT what FROM notices").fetchall()
    assert what == f"not the same on all hosts (one, two): {tmp_path}/library"


def test_what_cannot_be_combined_leaves_nothing(tmp_path: Path) -> None:
    """A source that is none, or is named twice, is refused by name, and no half of a trace is left."""
    (tmp_path / "one").mkdir()
    trace = TraceBuilder(tmp_path / "one")
    trace.begin()
    good = trace.finish()
    (tmp_path / "bad").mkdir()
    (tmp_path / "bad/trace.sqlite3").write_bytes(b"no database")
    target = TraceDirectory(tmp_path / "both")
    with pytest.raises(TraceError, match=r"bad/trace\.sqlite3 is not a trace"):
        combine([good, TraceDirectory(tmp_path / "bad")], target)
    with pytest.raises(UsageError, match="named twice"):
        combine([good, good], target)
    with pytest.raises(TraceError, match="exists already"):
        combine([good], good)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad", "one"]
