"""The manifest that rtrace proposes: inputs and outputs as a person would name them."""

from pathlib import Path

import pytest

from rtrace.describe.belonging import fold_folders
from rtrace.describe.draft import draft_manifest
from rtrace.describe.names import choose_names, clean_name
from rtrace.describe.program_files import is_program
from rtrace.files.patterns import Patterns
from rtrace.manifest.model import Manifest
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder


def draft(trace: TraceBuilder) -> Manifest:
    """Draft the manifest of a trace."""
    return draft_manifest(trace.connection, trace.directory)


@pytest.fixture
def trace(tmp_path: Path) -> TraceBuilder:
    """A trace with one run begun."""
    builder = TraceBuilder(tmp_path)
    builder.begin()
    return builder


def test_inputs_are_data_that_was_read(trace: TraceBuilder, tmp_path: Path) -> None:
    """Data that was read is an input; programs, sources, hidden and system files, things only looked at are not."""
    for name in ("data.csv", "run.sh", "helper.py", "tool", ".config", "looked", "libx.so.1.2", "Makefile"):
        (tmp_path / name).write_text(name)
    trace.read(*(tmp_path / name for name in ("data.csv", "helper.py", ".config", "libx.so.1.2", "Makefile")))
    trace.touch(tmp_path / "run.sh", Use.EXECUTE)
    trace.touch(tmp_path / "tool", Use.EXECUTE)
    trace.touch(tmp_path / "tool", Use.READ)
    trace.touch(tmp_path / "looked", Use.LOOKUP)
    trace.touch(b"/etc/hostname", Use.READ)
    assert [(file.name, file.path, file.runs) for file in draft(trace).inputs] == [
        ("data.csv", bytes(tmp_path / "data.csv"), ("run1",))
    ]


def test_outputs_are_what_was_made_or_changed(trace: TraceBuilder, tmp_path: Path) -> None:
    """Files with a content of the run's own are outputs; untouched, removed and compiled ones are not."""
    for name in ("appended", "opened", "removed"):
        (tmp_path / name).write_text("before")
    trace.write(tmp_path / "made", b"new")
    trace.write(tmp_path / "appended", b"before and after")
    trace.write(tmp_path / "removed", None)
    trace.write(tmp_path / "module.pyc", b"x")
    trace.touch(tmp_path / "opened", Use.WRITE)
    for name in ("made", "appended", "removed", "module.pyc", "opened"):
        trace.result(tmp_path / name)
    found = draft(trace)
    assert [file.name for file in found.outputs] == ["appended", "made"]
    assert [file.name for file in found.inputs] == []


def test_intermediate_files_are_no_inputs(trace: TraceBuilder, tmp_path: Path) -> None:
    """What one run wrote and the next read is an output of the first, and an input of none."""
    trace.write(tmp_path / "step", b"1")
    trace.result(tmp_path / "step")
    trace.begin()
    trace.read(tmp_path / "step")
    found = draft(trace)
    assert found.inputs == ()
    assert [(file.name, file.runs) for file in found.outputs] == [("step", ("run1",))]


def test_file_that_is_input_and_output_has_one_name(trace: TraceBuilder, tmp_path: Path) -> None:
    """A file that is changed in place is listed in both under the same name."""
    (tmp_path / "log").write_text("a")
    trace.touch(tmp_path)
    trace.read(tmp_path / "log")
    trace.write(tmp_path / "log", b"ab")
    trace.result(tmp_path / "log")
    found = draft(trace)
    assert found.inputs == found.outputs
    assert found.inputs[0].name == "log"


def test_many_files_of_a_folder_are_not_listed(trace: TraceBuilder, tmp_path: Path) -> None:
    """A folder of a thousand files does not bury the one that matters."""
    (tmp_path / "many").mkdir()
    for number in range(200):
        (tmp_path / f"many/{number}").write_text("x")
        trace.read(tmp_path / f"many/{number}")
    (tmp_path / "one").write_text("x")
    trace.read(tmp_path / "one")
    assert [file.name for file in draft(trace).inputs] == ["one"]


def test_names_are_unique_and_typable() -> None:
    """Base names where they are unique, else with their folder, else with a number; nothing that a shell trips over."""
    paths = [b"/a/x", b"/b/x", b"/c/b/x", b"/d/y:z", b"/d/-n", b"/d/sp ace", b"/d/\xff"]
    assert list(choose_names(paths).values()) == ["a_x", "b_x", "b_x_2", "y_z", "n", "sp_ace", "\ufffd"]
    assert clean_name(b"-") == "file"


@pytest.mark.parametrize(
    "path, program",
    [
        (b"/h/a.py", True),
        (b"/h/lib.so.1.2", True),
        (b"/h/site-packages/x/data.json", True),
        (b"/h/CMakeLists.txt", True),
        (b"/h/a.csv", False),
        (b"/h/py", False),
        (b"/h/data.R", True),
        (b"/h/a", False),
    ],
)
def test_programs_are_told_by_their_names(path: bytes, program: bool) -> None:  # noqa: FBT001
    """Sources, libraries and installed packages are programs; data is not."""
    assert is_program(path) == program


def test_unfinished_run_is_noticed(tmp_path: Path) -> None:
    """A run whose end nobody saw is told in the manifest."""
    trace = TraceBuilder(tmp_path)
    trace.begin(finished=False)
    assert [notice.what for notice in draft(trace).notices] == [
        "run1 was cut short: rtrace was killed before the run had ended"
    ]


def test_run_is_as_it_was_started(trace: TraceBuilder, tmp_path: Path) -> None:
    """Arguments, environment and the rest come from the trace, byte for byte."""
    (run,) = draft(trace).runs
    assert run.argv == (b"./run.sh", b"a b")
    assert run.environ == ((b"PATH", b"/usr/bin"), (b"ODD", b"\xff"))
    assert run.groups == (4, 1000)
    assert run.workingdir == bytes(tmp_path)
    assert run.exit_status == 0


def test_folders_fold_until_they_fit() -> None:
    """Files in hundreds of folders are counted by the folders above, no file is lost."""
    few = fold_folders({b"/a/b": (2, 20), b"": (1, 10)})
    assert [(folder.path, folder.files, folder.size) for folder in few] == [(b"/", 1, 10), (b"/a/b", 2, 20)]
    many = fold_folders({b"/a/b/%d/%d" % (number % 5, number): (1, 1) for number in range(300)})
    assert [(folder.path, folder.files) for folder in many] == [(b"/a/b/%d" % number, 60) for number in range(5)]


@pytest.mark.parametrize(
    "pattern, path, matches",
    [
        (b"/a/*.txt", b"/a/b.txt", True),
        (b"/a/*.txt", b"/a/b/c.txt", False),
        (b"/a/**.txt", b"/a/b/c.txt", True),
        (b"/a/**/c", b"/a/c", True),
        (b"/a/**/c", b"/a/b/b/c", True),
        (b"/a/**/c", b"/a/bc", False),
        (b"/a", b"/a/b/c", True),
        (b"/a", b"/ab", False),
        (b"/a/", b"/a/b", True),
        (b"/a?", b"/ab", True),
        (b"/a?b", b"/a/b", False),
        (b"/[a-c]", b"/b", True),
        (b"/[!a-c]", b"/b", False),
        (b"/[!a-c]", b"/d", True),
        (b"/x[!a]y", b"/x/y", False),
        (b"/[]]", b"/]", True),
        (b"/[z-a]", b"/b", False),
        (b"/[", b"/[", True),
        (b"/\\*", b"/*", True),
        (b"/\\*", b"/a", False),
        (b"*.tmp", b"/a/b/c.tmp", True),
        (b"*.tmp", b"/a/b.tmp/c", True),
        (b"cache", b"/a/cache/b", True),
        (b"/a\nb/*", b"/a\nb/c\nd", True),
        (b"/\xff*", b"/\xff\xfe", True),
        (b"/", b"/a", True),
        (b"**", b"/a/b", True),
        (b"/a.b", b"/axb", False),
    ],
)
def test_patterns(pattern: bytes, path: bytes, matches: bool) -> None:  # noqa: FBT001
    """Stars stay within a name, two cross slashes, and what matches a folder stands for all in it."""
    assert Patterns([pattern]).match(path) == matches


def test_no_pattern_matches_nothing() -> None:
    """An empty list leaves nothing out."""
    assert not Patterns([]).match(b"/a")
