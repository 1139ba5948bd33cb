"""What killed processes leave is found by its lock, removed by the next command or `rtrace doctor`, and told."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from killed_tracers import ADD_RUN, count_runs, die
from rtrace.files.locks import LOCK_FILE
from rtrace.files.workspaces import working
from rtrace.operations.machine.leftovers import clean_folder, find_leftovers
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.place import TracePlace
from rtrace.trace.settling import settle

LEFT = "b.rpz.incomplete-0123abcd"


def test_what_a_living_process_makes_is_left_alone(tmp_path: Path) -> None:
    """A workspace whose maker lives is none, and gone when its maker is done."""
    with working(tmp_path, "a.rpz.incomplete-") as path:
        (path / "file").touch()
        assert find_leftovers(tmp_path) == clean_folder(tmp_path) == ()
        assert (path / "file").exists()
    assert os.listdir(tmp_path) == []


def plant(kind: str, left: Path, canary: Path) -> None:
    """Put something under the name of a leftover that is none."""
    if kind == "symlink":
        left.symlink_to(canary)
    elif kind == "file":
        left.write_text("mine")
    elif kind == "folder without lock":
        left.mkdir()
        (left / "file").write_text("mine")
    else:
        left.mkdir()
        (left / "file").write_text("mine")
        match kind:
            case "lock is a symlink":
                (canary / LOCK_FILE).touch()
                (left / LOCK_FILE).symlink_to(canary / LOCK_FILE)
            case "lock is a folder":
                (left / LOCK_FILE).mkdir()
            case "lock is a FIFO":
                os.mkfifo(left / LOCK_FILE)


@pytest.mark.parametrize(
    "kind",
    ["symlink", "file", "folder without lock", "lock is a symlink", "lock is a folder", "lock is a FIFO"],
)
def test_what_only_has_the_name_of_a_leftover_is_left_alone(kind: str, tmp_path: Path) -> None:
    """A name does not make a leftover: what has no lock of rtrace's stays as it is, and nothing is followed."""
    canary, place = tmp_path / "precious", tmp_path / "place"
    canary.mkdir()
    place.mkdir()
    (canary / "file").write_text("precious")
    (canary / LOCK_FILE).touch()
    plant(kind, place / LEFT, canary)
    assert clean_folder(place) == find_leftovers(place) == ()
    assert os.listdir(place) == [LEFT]
    assert sorted(os.listdir(canary)) == ["file", LOCK_FILE]


def test_an_empty_leftover_is_removed_and_its_maker_makes_another(tmp_path: Path) -> None:
    """What was killed before it took its lock left an empty folder: it goes too, and is only listed by who looks."""
    (tmp_path / LEFT).mkdir()
    assert find_leftovers(tmp_path) == (tmp_path / LEFT,)
    assert os.listdir(tmp_path / LEFT) == []
    assert clean_folder(tmp_path) == (tmp_path / LEFT,)
    assert os.listdir(tmp_path) == []


def test_what_took_the_place_of_a_trace_is_left_alone(tmp_path: Path) -> None:
    """Where something else has the name of a killed tracer's trace, both stay, and the sentence says where it is."""
    trace = TraceDirectory(tmp_path / "t")
    place = TracePlace(trace, continued=False, overwrite=False)
    place.keep()
    die(place)
    trace.path.mkdir()
    (trace.path / "precious").touch()
    for _ in range(2):
        (told,) = settle(trace)
        assert str(place.trace.path) in told
    assert os.listdir(trace.path) == ["precious"]
    assert place.trace.database.exists()


@pytest.mark.parametrize("text", [b"precious", b"../precious", b"/", b"\xff", b"-1", b"new ", b"9" * 40])
def test_a_mark_that_rtrace_did_not_write_counts_for_nothing(text: bytes, tmp_path: Path) -> None:
    """A mark that says nothing known takes no run out of a trace that began."""
    trace = TraceDirectory(tmp_path / "t")
    place = TracePlace(trace, continued=False, overwrite=False)
    place.connection.execute(ADD_RUN)
    place.keep()
    (place.trace.path.parent / "unbegun").write_bytes(text)
    die(place)
    settle(trace)
    assert os.listdir(tmp_path) == ["t"]
    assert count_runs(trace) == 1
