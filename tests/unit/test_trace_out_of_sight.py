"""A trace lies where its run does not see it as long as the run goes on, and in its place afterwards."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from rtrace.trace.directory import TraceDirectory
from rtrace.trace.moving import move
from rtrace.trace.private import Destination, choose_roots, find_destination


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, with a folder for state elsewhere."""
    folder = tmp_path / "place" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return folder


def test_copy_is_the_same(tmp_path: Path) -> None:
    """A trace that is moved keeps content, holes, modes and times; a name that is taken stays as it is."""
    source = tmp_path / "source"
    (source / "snapshots").mkdir(parents=True)
    with (source / "snapshots/1").open("wb") as file:
        file.seek(1 << 24)
        file.write(b"end")
    (source / "snapshots/1").chmod(0o600)
    (tmp_path / "taken").mkdir()
    with pytest.raises(FileExistsError):
        move(source, tmp_path / "taken")
    from rtrace.trace.moving import copy_below

    target = tmp_path / "target"
    target.mkdir()
    copy_below(source, target)
    before, after = ((folder / "snapshots/1").stat() for folder in (source, target))
    assert (after.st_size, after.st_mode, after.st_mtime_ns) == (before.st_size, before.st_mode, before.st_mtime_ns)
    assert after.st_blocks * 512 < 1 << 20
    assert (target / "snapshots/1").read_bytes() == (source / "snapshots/1").read_bytes()


def test_roots_out_of_sight_come_first(work: Path, tmp_path: Path) -> None:
    """Of all roots those in the working directory and beside the trace come last; below / nothing is out of sight."""
    destination = find_destination(TraceDirectory(work / ".rtrace"))
    first = choose_roots(destination, os.fsencode(work))[0]
    assert first.path == os.fsencode(tmp_path / "home/.local/state/rtrace/traces")
    seen = os.fsencode(tmp_path)
    first = choose_roots(destination, seen)[0]
    assert not (first.path + b"/").startswith(seen + b"/")
    assert choose_roots(Destination(b"/.rtrace", 2), b"/")[0].path == os.fsencode(
        tmp_path / "home/.local/state/rtrace/traces"
    )
