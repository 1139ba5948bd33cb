"""What a person may call a run, and what is told of runs in words."""

from pathlib import Path

import pytest

from rtrace.errors import UsageError
from rtrace.operations.history.blaming import blame_file
from rtrace.operations.history.showing import describe_record
from rtrace.record.document import ExecutableFact
from rtrace.record.empty import empty_record
from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.opening import open_history
from rtrace.record.names import check_label, check_tags
from synthetic_history import make_file, make_synthetic

EXECUTABLE: ExecutableFact = {
    "path": "",
    "name": "",
    "version": None,
    "build_id": None,
    "sha256": None,
    "size": None,
    "compiler": None,
    "compiler_flags": None,
    "language": None,
    "package": None,
    "executions": 1,
}


def test_labels_that_no_command_would_find_are_refused() -> None:
    """`last` and `last~2` mean other runs already; a label that only begins so is a name like any other."""
    for label in ("last", "last~0", "last~17"):
        with pytest.raises(UsageError, match="write another label"):
            check_label(label)
    for other in (None, "", "lasting", "last one", "last~", "01a22ba8", "\udcff"):
        check_label(other)
    check_tags(["a", "two words"])
    with pytest.raises(UsageError, match="must not be empty"):
        check_tags(["a", " "])


@pytest.mark.parametrize("place", ["http://ada:hidden@example.org/h", "mysql://ada:hidden@example.org/h", "{file}"])
def test_what_is_no_history_is_refused(tmp_path: Path, place: str) -> None:
    """A file, and the address of something else, which makes no folder of that name; its password is not repeated."""
    file = tmp_path / "file"
    file.write_text("")
    with pytest.raises(UsageError, match="is no history; name a folder") as raised:
        open_history(place.format(file=file))
    assert "hidden" not in str(raised.value)


def test_an_input_is_not_said_to_have_another_content(tmp_path: Path) -> None:
    """Of a file that no run wrote, the runs that read this very content are told apart from those that had another."""
    file = tmp_path / "data.csv"
    file.write_text("1")
    history = FolderHistory(tmp_path / "history")
    digest = "6b86b273ff34fce19d6b804eff5a3f5747ada4eaa22f1d49c01e52ddb7875b4b"
    for number, content in ((1, digest), (2, "0" * 64)):
        record = make_synthetic(number)
        record["inputs"] = [make_file(str(file), content)]
        history.add(record)
    blamed = blame_file(history, file)
    assert blamed.made == []
    assert [row.id for row in blamed.read] == [make_synthetic(1)["id"]]
    assert [row.id for row in blamed.by_path] == [make_synthetic(2)["id"]]


def test_a_parameter_of_a_file_is_told_from_the_one_that_overrides_it() -> None:
    """A command line often has the name of a file's parameter again: the line of the latter has the file."""
    record = empty_record()
    for source, kind, value in (("command line", "command line", 0.2), ("/w/p.yml", "yaml", 0.1)):
        record["parameters"].append({"source": source, "type": kind, "name": "rate", "value": value})
    lines = list(describe_record(record))
    assert lines[lines.index("parameters (2):") + 1 :][:2] == ["  rate = 0.2", "  rate = 0.1 (/w/p.yml)"]


def test_a_record_is_shown_with_its_compiler_its_copies_and_its_ranks() -> None:
    """Of a program of no package the compiler counts, of outputs where they are kept, of ranks how each ended."""
    record = empty_record()
    record["executables"] = [
        {**EXECUTABLE, "path": "/w/solve", "compiler": "GCC 12", "compiler_flags": "-O2"},
        {**EXECUTABLE, "path": "/bin/sh", "version": "0.5", "compiler": "GCC 12", "package": "dpkg:dash"},
    ]
    record["kept"] = [{"path": "/w/out", "sha256": "0" * 64, "url": "file:///kept/00/0"}]
    record["ranks"] = [
        {"rank": "0", "host": "a", "exit_code": 0, "signal": None, "usage": {"wall": 2.0}},
        {"rank": "1", "host": "b", "exit_code": None, "signal": 9, "usage": {"wall": None}},
        {"rank": "2"},
    ]
    lines = list(describe_record(record))
    assert lines[lines.index("programs (2):") + 1 :][:2] == ["  /w/solve (GCC 12, -O2)", "  /bin/sh 0.5"]
    assert "  /w/out as file:///kept/00/0" in lines
    ranks = ["  0 on a: exit status 0, 2.0 s", "  1 on b: signal 9", "  2 on an unknown host: unknown"]
    assert lines[lines.index("ranks (3):") + 1 :][:3] == ranks
