"""What `rtrace combine` decides before it writes: the order of runs, and which copies are one file."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path
from tempfile import TemporaryDirectory

from hypothesis import given, settings
from hypothesis import strategies as st

from rtrace.operations.combine import Copies, number_runs
from rtrace.trace.directory import TraceDirectory
from trace_builder import TraceBuilder


def make_source(folder: Path, *began: float) -> TraceDirectory:
    """Make a trace of runs that began at some times."""
    folder.mkdir()
    trace = TraceBuilder(folder)
    for _ in began:
        trace.begin()
    directory = trace.finish()
    with closing(directory.open()) as connection:
        connection.executemany("UPDATE runs SET started = ? WHERE id = ?", [(t, n) for n, t in enumerate(began, 1)])
        connection.commit()
    return directory


def test_runs_are_numbered_in_the_order_in_which_they_began(tmp_path: Path) -> None:
    """Whatever trace a run comes from, an earlier one has a smaller number; of two at once the first source's has."""
    sources = [make_source(tmp_path / "one", 5.0, 30.0), make_source(tmp_path / "two", 5.0, 1.0)]
    assert number_runs(sources) == [{1: 2, 2: 4}, {1: 3, 2: 1}]


def test_a_trace_without_runs_gets_no_numbers(tmp_path: Path) -> None:
    """The numbers of the others are not changed by one that holds nothing."""
    assert number_runs([make_source(tmp_path / "none"), make_source(tmp_path / "one", 2.0)]) == [{}, {1: 1}]


@settings(deadline=None, max_examples=40)
@given(st.lists(st.lists(st.sampled_from([b"", b"a", b"b", b"aa", b"ab"]), max_size=4), min_size=1, max_size=3))
def test_each_content_is_copied_once(folders: list[list[bytes]]) -> None:
    """Every file has its copy with its content, and as many files are written as there are contents."""
    with TemporaryDirectory() as place:
        target = Path(place, "target")
        target.mkdir()
        copies = Copies(target)
        for number, contents in enumerate(folders):
            source = Path(place, str(number))
            source.mkdir()
            for name, content in enumerate(contents):
                (source / str(name)).write_bytes(content)
            copies.add(source, f"{number}-")
        found = {path.name: path.read_bytes() for path in target.iterdir()}
        assert found == {f"{n}-{name}": content for n, all_ in enumerate(folders) for name, content in enumerate(all_)}
        assert len({path.stat().st_ino for path in target.iterdir()}) == len(set(found.values()))
