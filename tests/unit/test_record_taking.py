"""The record of a run, put together from a trace: what is an input, a script, a secret, and what a run took."""

import base64
import json
import os
import re
from dataclasses import replace
from pathlib import Path
from typing import get_type_hints

import pytest

from rtrace.describe.draft import make_draft
from rtrace.errors import TraceError
from rtrace.pack.records import read_records
from rtrace.packages.model import Installed
from rtrace.privacy.remembered import Remembered
from rtrace.record import document
from rtrace.record.empty import empty_record
from rtrace.record.history.place import own_folder
from rtrace.record.taking.contents import Content, describe_contents
from rtrace.record.taking.evidence import Evidence, gather
from rtrace.record.taking.files import MOST_FILES, find_inputs, find_outputs
from rtrace.record.taking.keeping import keep_in_trace, read_from_trace
from rtrace.record.taking.processes import describe_usage
from rtrace.record.taking.programs import find_main, find_programs
from rtrace.record.taking.said import Said
from rtrace.record.taking.secrets.redacting import RecordRedactor
from rtrace.record.taking.streams import MOST_TEXT, describe_stream
from rtrace.record.taking.taking import name_project, take_record
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder

CHECKOUT = Path(__file__).resolve().parents[2]
TOKEN = "ghp_x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ"  # noqa: S105 - nobody's


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace in an empty folder, in which one run has begun."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    return builder


def look(trace: TraceBuilder, run: int = 1) -> Evidence:
    """Gather what the trace says of a run."""
    return gather(trace.connection, trace.directory, run, make_draft(trace.connection, trace.directory))


def execute(trace: TraceBuilder, path: Path, *words: str) -> None:
    """Note that the first process executed a file."""
    number = trace.touch(path, Use.EXECUTE | Use.READ)
    argv = b"".join(os.fsencode(word) + b"\0" for word in words)
    row = (trace.run, number, argv, bytes(trace.home))
    trace.connection.execute("INSERT INTO executions VALUES (NULL, ?, 1, 0, ?, ?, 1, ?)", row)


def names(contents: list[Content]) -> set[str]:
    """Return the last parts of paths."""
    return {Path(os.fsdecode(one.path)).name for one in contents}


def test_inputs_are_what_was_there_and_outputs_what_is_left(trace: TraceBuilder, tmp_path: Path) -> None:
    """A file that the run made and then read is no input; a module is neither; what was only looked at is nothing."""
    for name in ("data.csv", "module.py", "kept.txt"):
        (tmp_path / name).write_text(name)
    trace.read(tmp_path / "data.csv", tmp_path / "module.py")
    trace.touch(tmp_path / "kept.txt", Use.LOOKUP)
    trace.write(tmp_path / "new.txt", b"new")
    trace.touch(tmp_path / "new.txt", Use.READ)
    trace.result(tmp_path / "new.txt")
    evidence = look(trace)
    assert names(find_inputs(evidence)) == {"data.csv"}
    assert names(find_outputs(evidence)) == {"new.txt"}


def test_what_was_replaced_before_it_was_read_is_no_input(trace: TraceBuilder, tmp_path: Path) -> None:
    """What the run read is its own."""
    (tmp_path / "state.txt").write_text("old")
    trace.write(tmp_path / "state.txt", b"new")
    trace.touch(tmp_path / "state.txt", Use.READ)
    trace.result(tmp_path / "state.txt")
    assert find_inputs(look(trace)) == []


def test_a_content_that_changed_since_has_no_digest(tmp_path: Path) -> None:
    """It is told; so is one that is gone, and one that is beyond the bytes that are read for a record."""
    path = tmp_path / "data"
    path.write_text("12345")
    state = path.stat()
    whole = Content(bytes(path), bytes(path), 5, state.st_mtime_ns, state.st_ino)
    (known,) = describe_contents([whole], with_md5=True)
    assert (known["problem"], known["size"]) == (None, 5)
    assert known["md5"] is not None
    (large,) = describe_contents([whole], with_md5=False, most=4)
    assert large["sha256"] is None
    assert "larger than what is left" in (large["problem"] or "")
    path.write_text("67890")
    os.utime(path, ns=(0, 0))
    (changed,) = describe_contents([whole], with_md5=False)
    assert changed["sha256"] is None
    assert "has changed since" in (changed["problem"] or "")
    path.unlink()
    (gone,) = describe_contents([whole], with_md5=False)
    assert "No such file" in (gone["problem"] or "")


def test_a_fifo_in_the_place_of_a_file_is_not_waited_for(tmp_path: Path) -> None:
    """It is no file any more."""
    path = tmp_path / "data"
    os.mkfifo(path)
    (fact,) = describe_contents([Content(bytes(path), bytes(path), 0, None, None)], with_md5=False)
    assert "is no file any more" in (fact["problem"] or "")


def test_many_files_are_digested_alike_by_threads(tmp_path: Path) -> None:
    """The order is that of the paths, and every digest that of its file."""
    contents = []
    for number in range(20):
        path = tmp_path / f"{number:02}"
        path.write_bytes(bytes([number]) * (1 << 20))
        contents.append(Content(bytes(path), bytes(path), 1 << 20, None, None))
    alone = [describe_contents([one], with_md5=True)[0] for one in contents]
    assert describe_contents(contents, with_md5=True) == alone


@pytest.mark.parametrize(
    "words, main",
    [
        (("python3", "sim.py", "--seed", "3"), "sim.py"),
        (("python3", "-u", "-W", "ignore", "sim.py"), "sim.py"),
        (("R", "--no-echo", "--file=sim.R"), "sim.R"),
        (("python3", "-c", "sim.py"), "python3"),
        (("python3", "-m", "sim.py"), "python3"),
        (("bash", "sim.py"), "sim.py"),
        (("prog", "sim.py"), "prog"),
    ],
)
def test_the_script_of_an_interpreter_is_found(
    words: tuple[str, ...], main: str, trace: TraceBuilder, tmp_path: Path
) -> None:
    """It is the first word that names a file, but not behind -c and -m; of other programs a file is data."""
    program = tmp_path / words[0]
    for path in (tmp_path / "sim.py", tmp_path / "sim.R", program):
        path.write_bytes(b"\x7fELF" if path == program else b"1")
        trace.read(path)
    argv = b"".join(os.fsencode(word) + b"\0" for word in words)
    trace.connection.execute("UPDATE runs SET binary = ?, argv = ?", (bytes(program), argv))
    execute(trace, program, *words)
    evidence = look(trace)
    programs = find_programs(evidence)
    assert Path(os.fsdecode(find_main(evidence, programs))).name == main
    assert programs.counts == {bytes(program): 1}


def test_a_process_that_outlived_its_parent_is_added(trace: TraceBuilder) -> None:
    """The kernel adds a process to the one that waited for it; nobody waited for what outlived its parent."""
    for row in (
        (1, 1, None, 10, 0, 100, 3_000_000_000, 1_000_000_000, 50 << 20, 700, 800),
        (2, 1, 1, 11, 0, 90, 1_000_000_000, 0, 90 << 20, None, None),
        (3, 1, 2, 12, 0, 95, 2_000_000_000, 500_000_000, 10 << 20, None, None),
    ):
        trace.connection.execute(
            "INSERT INTO processes(id, run, parent, pid, is_thread, started, ended, user_time, system_time,"
            " peak_memory, bytes_read, bytes_written) VALUES (?, ?, ?, ?, 0, ?, ?, ?, ?, ?, ?, ?)",
            (*row[:4], row[4], *row[5:]),
        )
    usage = describe_usage(look(trace))
    assert (usage["user"], usage["system"]) == (5.0, 1.5)
    assert (usage["peak_memory"], usage["bytes_read"], usage["bytes_written"]) == (90 << 20, 700, 800)


def test_of_a_long_output_both_ends_are_kept(trace: TraceBuilder) -> None:
    """Between them stands how much is left out."""
    trace.directory.streams.mkdir()
    text = b"begin" + b"." * (2 * MOST_TEXT) + b"end"
    (trace.directory.streams / "run1.stdout").write_bytes(text)
    trace.connection.execute(
        "INSERT INTO streams(run, descriptor, kind, joined, file, kept, size, sha256, cut)"
        " VALUES (1, 1, 'pipe', 0, 'run1.stdout', ?, ?, 'x', 0)",
        (len(text), len(text)),
    )
    stream = describe_stream(look(trace), 1, lambda text: text)
    assert stream is not None
    assert stream["cut"]
    assert stream["text"] is not None
    assert stream["text"].startswith("begin.")
    assert stream["text"].endswith(".end")
    assert f"[... {len(text) - MOST_TEXT} bytes ...]" in stream["text"]


def test_a_record_is_whole_and_readable(trace: TraceBuilder, tmp_path: Path) -> None:
    """Every key is there, a name that is not UTF-8 survives, and what was kept is what is read."""
    (tmp_path / "in.txt").write_text("1")
    trace.read(tmp_path / "in.txt")
    record = take_record(look(trace), Said("a", "b", ("c", "c"), "d"), trace.directory.path)
    assert record["tags"] == ["c"]
    assert record["project"] == {"name": "d", "description": None, "url": None}
    assert record["environment"] == {"PATH": "/usr/bin", "ODD": "\udcff"}
    assert record["usage"]["user"] is None
    keep_in_trace(trace.directory, record)
    assert read_from_trace(trace.directory) == [record]
    assert [path.name for path in trace.directory.records.iterdir()] == ["run1.json"]


def test_project_is_that_of_the_script_or_of_the_folder(trace: TraceBuilder, tmp_path: Path) -> None:
    """A run without a script of its own belongs to the working tree around it, not to that of a package's program."""
    for name in ("study", "elsewhere"):
        (tmp_path / name / ".git").mkdir(parents=True)
        (tmp_path / name / "tool").write_bytes(b"\x7fELF")
    tool = os.fsencode(tmp_path / "elsewhere/tool")
    roots = [os.fsencode(tmp_path / name) for name in ("study", "elsewhere")]
    evidence = look(trace)
    inside = evidence._replace(run=replace(evidence.run, workingdir=roots[0]))
    package = Installed(manager="prefix", name="python", version="3", architecture="", origin="")
    owners = {tool: package}
    assert name_project(inside, tool, roots) == "elsewhere"
    assert name_project(inside._replace(owners=owners), tool, roots) == "study"
    assert name_project(evidence._replace(owners=owners), tool, roots) is None


def test_lists_are_limited_and_that_is_told(trace: TraceBuilder, monkeypatch: pytest.MonkeyPatch) -> None:
    """A notice says how many there were."""
    monkeypatch.setattr("rtrace.record.taking.taking.MOST_FILES", 1)
    for number in range(3):
        (trace.home / f"{number}.txt").write_text("1")
        trace.read(trace.home / f"{number}.txt")
    record = take_record(look(trace), Said(), trace.directory.path)
    (notice,) = (one for one in record["notices"] if one["kind"] == "record")
    assert notice["what"] == "the record lists the first 1 of 3 inputs"
    assert MOST_FILES > 1


def test_what_is_found_in_one_place_is_taken_out_of_all(tmp_path: Path) -> None:
    """A secret of the environment goes from the output, in base64 as well; the list of places has no value."""
    redactor = RecordRedactor(tmp_path / "harmless")
    environ = redactor.environment(((b"HOME", b"/home/ada"), (b"API_TOKEN", TOKEN.encode())))
    assert environ == ((b"HOME", b"/home/ada"), (b"API_TOKEN", b"redacted"))
    record = empty_record()
    record["reason"] = f"to try {TOKEN}, or {base64.b64encode(TOKEN.encode()).decode()}"
    record = redactor.finish(record)
    assert record["reason"] == "to try redacted, or redactedQ=="
    assert record["redacted"]
    assert TOKEN not in json.dumps(record)


def test_a_memory_of_other_rules_counts_as_empty(tmp_path: Path) -> None:
    """So does one that somebody wrote by hand, one that is another user's kind of thing, and one that is cut off."""
    path = tmp_path / "harmless"
    memory = Remembered(path)
    memory.remember("variable", b"A=1")
    memory.save()
    assert Remembered(path).knows("variable", b"A=1")
    assert not Remembered(path).knows("argument", b"A=1")
    whole = path.read_bytes()
    for content in (whole.replace(b'["', b'["x', 1), whole[:50], b"", b"[]\n" + whole, b"\xff" * 100):
        path.write_bytes(content)
        assert not Remembered(path).knows("variable", b"A=1")
        assert not Remembered(path).has_no_needle("file", b"nothing")
    path.unlink()
    path.symlink_to(tmp_path / "elsewhere")
    assert not Remembered(path).knows("variable", b"A=1")


def test_a_text_without_needles_needs_no_rules(tmp_path: Path) -> None:
    """It is known from the needles of the very rules; with one of them in it, it is searched."""
    memory = Remembered(tmp_path / "harmless")
    memory.remember("variable", b"A=1")
    memory.save()
    again = Remembered(tmp_path / "harmless")
    assert again.has_no_needle("file", b"mean 4.0\n")
    assert not again.has_no_needle("file", b"password: x")
    assert not again.has_no_needle("file", TOKEN.encode())


def test_the_memory_lies_with_the_history() -> None:
    """Both are in the folder for state of the user."""
    assert own_folder().name == "history"
    assert RecordRedactor()._remembered._path == own_folder().with_name("harmless")


@pytest.mark.parametrize("content", [b"x", b"[]", b"[" * 100_000, b'"' + b"\xff"])
def test_a_document_that_is_no_record_is_not_packed(content: bytes, trace: TraceBuilder) -> None:
    """Packing stops with a sentence that names it."""
    trace.directory.records.mkdir()
    (trace.directory.records / "run1.json").write_bytes(content)
    with pytest.raises(TraceError, match=r"records/run1\.json is not a record"):
        read_records(trace.directory, {"run1": "run1"})


def test_the_format_names_every_key() -> None:
    """FORMAT.md has each key of a record, and of each of its parts."""
    text = (CHECKOUT / "tracer/FORMAT.md").read_text()
    section = text[text.index("## The record") : text.index("## Bundles of rtrace in")]
    named = set(re.findall(r"`([a-z_0-9]+)`", section))
    parts = [one for one in vars(document).values() if isinstance(one, type) and issubclass(one, dict)]
    keys = {key for part in parts for key in get_type_hints(part)}
    assert len(parts) > 15
    assert keys - named == set()
