"""Places that cannot be written, or are full, or are no history: a run keeps its status, and one sentence tells."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from observing import run_rtrace
from rtrace.cli.terminal.table import measure
from rtrace.record import RECORD_FORMAT
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.opening import open_history
from rtrace.record.query import Query
from synthetic_history import fill_history, make_synthetic
from terminals import at_terminal


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder to run things in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def run_in(work: Path, place: str | Path, *arguments: str | Path) -> CompletedProcess[bytes]:
    """Run rtrace with a history."""
    return run_rtrace(*arguments, cwd=work, env={**os.environ, "RTRACE_HISTORY": str(place)})


def trace_into(work: Path, place: str | Path) -> list[str]:
    """Trace a program that ends with 7; return what was said of the history, and prove that all else is as always."""
    done = run_in(work, place, "trace", "--overwrite", "sh", "-c", "echo fine > out; exit 7")
    assert done.returncode == 7
    assert (work / ".rtrace/records/run1.json").exists()
    assert (work / ".rtrace/manifest.yml").exists()
    return [line for line in done.stderr.decode().splitlines() if "history" in line]


@pytest.mark.parametrize("kind", ["file", "below a file", "device"])
def test_a_history_that_is_no_folder_costs_no_run(work: Path, tmp_path: Path, kind: str) -> None:
    """The sentence says what to do, and afterwards `rtrace import` of the trace directory adds the record."""
    (tmp_path / "file").write_text("no folder")
    place = {"file": tmp_path / "file", "below a file": tmp_path / "file/x", "device": Path("/dev/null")}[kind]
    told = trace_into(work, place)
    assert len(told) == 1
    assert "rtrace import" in told[0]
    asked = run_in(work, place, "log")
    assert asked.returncode in {0, 2, 125}
    assert b"Traceback" not in asked.stderr
    assert run_in(work, tmp_path / "other", "import", ".rtrace").returncode == 0
    assert run_in(work, tmp_path / "other", "log", "--csv").stdout.count(b"\n") == 2


@pytest.fixture
def full(tmp_path: Path) -> Iterator[Path]:
    """A file system of one mebibyte."""
    place = tmp_path / "small"
    place.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", place], check=True)
    yield place
    subprocess.run(["umount", "-l", place], check=True)


@pytest.mark.requires("root")
def test_a_full_disk_costs_no_run_and_no_record(work: Path, full: Path) -> None:
    """No half document is left; what was there is still listed; with room again the record is added."""
    place = full / "history"
    assert trace_into(work, place) == []
    assert run_in(work, place, "log", "--csv").stdout.count(b"\n") == 2
    (full / "ballast").write_bytes(bytes(os.statvfs(full).f_bavail * os.statvfs(full).f_frsize))
    told = trace_into(work, place)
    assert len(told) == 1
    assert "No space left" in told[0]
    assert [path for path in place.rglob("*.json*") if path.stat().st_size == 0] == []
    assert list(place.rglob(".0*")) == []
    assert run_in(work, place, "log", "--csv").stdout.count(b"\n") == 2
    (full / "ballast").unlink()
    assert run_in(work, place, "import", ".rtrace").returncode == 0
    assert run_in(work, place, "log", "--csv").stdout.count(b"\n") == 3


@pytest.mark.requires("root")
def test_an_index_on_a_full_disk_is_read_all_the_same(work: Path, full: Path) -> None:
    """Where the index cannot learn what is new, a copy in memory does, and that is said."""
    place = full / "history"
    history = FolderHistory(place)
    fill_history(place, range(3), inputs=0)
    history.rebuild()
    history.add(make_synthetic(7))
    (full / "ballast").write_bytes(bytes(os.statvfs(full).f_bavail * os.statvfs(full).f_frsize))
    done = run_in(work, place, "log", "--csv")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 5)
    assert b"cannot write the catalogue" in done.stderr


@pytest.mark.requires("root")
@pytest.mark.parametrize("indexed", [False, True])
def test_a_read_only_history_can_be_looked_at(work: Path, tmp_path: Path, *, indexed: bool) -> None:
    """All that looks works, with what no index knows yet; what writes says in a sentence that it cannot."""
    place = tmp_path / "history"
    history = FolderHistory(place)
    fill_history(place, range(3), inputs=0, outputs=0)
    if indexed:
        history.rebuild()
    history.add(make_synthetic(7))
    subprocess.run(["mount", "--bind", place, place], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", place], check=True)
    try:
        assert run_in(work, place, "log", "--csv").stdout.count(b"\n") == 5
        assert run_in(work, place, "show", "last").returncode == 0
        assert run_in(work, place, "search", "take").returncode == 0
        told = trace_into(work, place)
        assert len(told) == 1
        assert "Read-only file system" in told[0]
        for command in (["annotate", "last", "-m", "x"], ["forget", "last"], ["log", "--rebuild"]):
            done = run_in(work, place, *command)
            assert (done.returncode, done.stderr.count(b"\n")) == (125, 1), done.stderr
    finally:
        subprocess.run(["umount", "-l", place], check=True)


def test_newer_documents_and_indexes_are_refused_in_a_sentence(work: Path, tmp_path: Path) -> None:
    """A document of a later rtrace is named and the others are listed; a later index is not touched."""
    place = tmp_path / "history"
    fill_history(place, range(3), inputs=0, outputs=0)
    document = next((place / "records").rglob("*.json"))
    document.write_text(f'{{"format": {RECORD_FORMAT + 1}, "id": "{document.stem}"}}')
    done = run_in(work, place, "log", "--csv")
    assert (done.returncode, done.stdout.count(b"\n")) == (0, 3)
    assert b"is of a newer rtrace" in done.stderr
    done = run_in(work, place, "import", document)
    assert done.returncode == 1
    assert b"update rtrace to read it" in done.stderr
    with sqlite3.connect(place / "catalogue.sqlite3") as index:
        index.execute("PRAGMA user_version = 100000")
    before = (place / "catalogue.sqlite3").read_bytes()
    done = run_in(work, place, "log")
    assert (done.returncode, done.stdout) == (125, b"")
    assert done.stderr.count(b"\n") == 1
    assert b"update rtrace" in done.stderr
    assert (place / "catalogue.sqlite3").read_bytes() == before


def test_what_is_hostile_in_a_record_reaches_no_terminal(work: Path, tmp_path: Path) -> None:
    """Control characters of every field come out as escapes, whichever command shows them."""
    bad = "\x1b]0;owned\x07\x1b[2J\u202e\udcff\r\n\t"
    record = make_synthetic(1)
    for key in ("label", "reason", "outcome", "workingdir", "main"):
        record[key] = f"word {bad}"
    record["tags"], record["arguments"] = [bad], ["cmd", bad]
    record["project"] = {"name": bad, "description": bad, "url": bad}
    record["environment"], record["redacted"] = {bad: bad}, [bad]
    record["user"]["name"] = record["machine"]["hostname"] = bad
    record["stdout"] = {"kind": bad, "path": bad, "size": 1, "sha256": None, "text": bad * 20, "cut": True}
    other = make_synthetic(2)
    place = tmp_path / "history"
    history = FolderHistory(place)
    history.add(record)
    history.add(other)
    commands = (
        ["log"],
        ["log", "--json"],
        ["log", "--csv"],
        ["show", "--all", "last~1"],
        ["show", "--json", "last~1"],
        ["search", "word"],
        ["diff", "last~1", "last"],
        ["annotate", "last~1", "-t", "x"],
        ["forget", "last~1"],
    )
    for command in commands:
        done = run_in(work, place, *command)
        shown = done.stdout + done.stderr
        assert b"Traceback" not in shown, command
        assert not set(shown) & {*range(9), *range(11, 32), 127}, command
        assert "\u202e" not in shown.decode(), command


def test_a_dump_loses_nothing(work: Path, tmp_path: Path) -> None:
    """What was dumped and imported elsewhere is the same, document by document; a second time nothing is added."""
    place, other = tmp_path / "history", tmp_path / "other"
    fill_history(place, range(20), inputs=2, outputs=2)
    dump = run_in(work, place, "log", "--dump")
    (tmp_path / "dump.jsonl").write_bytes(dump.stdout)
    for added in (b"imported 20 records", b"imported 0 records; 20 were there already"):
        done = run_in(work, other, "import", tmp_path / "dump.jsonl")
        assert (done.returncode, added in done.stderr) == (0, True), done.stderr
    mine, theirs = FolderHistory(place), FolderHistory(other)
    assert {one: mine.read_document(one) for one in mine.identifiers()} == {
        one: theirs.read_document(one) for one in theirs.identifiers()
    }
    assert theirs.catalogue().count(Query()) == 20


@pytest.mark.parametrize(
    "name, data",
    [
        ("x.json", b"{"),
        ("x.json", b"[]"),
        ("x.jsonl", b'{"format": 1}\n{"format": 1}\n'),
        ("x.txt", b"text"),
        ("x.rpz", b"\0" * 2000),
        ("empty", b""),
    ],
)
def test_what_is_no_record_is_not_imported(work: Path, tmp_path: Path, name: str, data: bytes) -> None:
    """The sentence names the file; nothing is made in the history."""
    (work / name).write_bytes(data)
    done = run_in(work, tmp_path / "history", "import", name)
    assert done.returncode == 1
    assert name.encode() in done.stderr
    assert b"Traceback" not in done.stderr
    assert b"rtrace pack" not in done.stderr, "nobody would pack it to import it"
    assert list((tmp_path / "history").rglob("*.json")) == []


@pytest.mark.parametrize("columns", [60, 80, 110, 300])
def test_the_list_fits_into_the_terminal(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, columns: int) -> None:
    """No line of a table is wider than the terminal, as wide as letters may be; in a pipe every word is whole."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    monkeypatch.setenv("PYTHONIOENCODING", "utf-8")
    record = make_synthetic(1)
    record["label"], record["tags"], record["kind"] = "a label of some length", ["storm", "模型" * 9], "verification"
    record["reason"] = "why it was run, in a sentence with the 模型 of the tides and much more than a cell has room for"
    open_history(str(tmp_path / "history")).add(record)
    words = ("env", "-u", "COLUMNS", sys.executable, "-m", "rtrace", "log")  # which readline(3) sets for pytest
    with at_terminal(*words, cwd=tmp_path, columns=columns) as person:
        assert person.leave() == 0
    lines = person.shown.decode().splitlines()
    assert len(lines) == 2
    assert max(map(measure, lines)) <= columns
    assert ("…" in lines[1]) == (columns < 300)
    piped = subprocess.run(words, cwd=tmp_path, check=True, capture_output=True).stdout.decode()
    assert str(record["reason"]) in piped
