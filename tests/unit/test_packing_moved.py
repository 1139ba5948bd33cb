"""The content of renamed files is found by following their names, the surest place first."""

from __future__ import annotations

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

from rtrace.files.stamps import keep_inode, keep_time
from rtrace.pack.choosing.moved import Location, MovedFiles
from rtrace.trace.reading.reader import After, Before, Copy, Move
from rtrace.trace.schema import Use

SNAPSHOTS = b"/t/snapshots"


class World:
    """A folder of files, and what runs did to them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.moves: list[Move] = []
        self.copies: list[Copy] = []
        self.results: list[After] = []

    def path(self, name: str) -> bytes:
        """Return the path of a file."""
        return bytes(self.folder / name)

    def make(self, name: str, *, use: Use = Use.READ, problem: str | None = None) -> Before:
        """Make a file; return what a run met there."""
        path = self.path(name)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "wb") as file:
            file.write(b"content\n")
        os.utime(path, ns=(1_000_000_000, 2_000_000_000))
        state = os.stat(path)
        return Before(
            path=path, run=1, time=10, type="file", mode=0o644, uid=0, gid=0, size=state.st_size,
            mtime_ns=keep_time(state.st_mtime_ns), device=state.st_dev, inode=keep_inode(state.st_ino), links=1,
            target=None, ctime_ns=None, use=int(use), snapshot=None, problem=problem,
        )  # fmt: skip

    def move(self, time: int, old: str, new: str, kind: str = "rename") -> None:
        """Rename something as a run does, or link it."""
        self.moves.append(Move(1, time, kind, self.path(old), self.path(new)))
        if kind == "link":
            os.link(self.path(old), self.path(new))
        else:
            os.rename(self.path(old), self.path(new))

    def find(self, *files: Before) -> dict[bytes, Location]:
        """Return where the content of files is."""
        return MovedFiles(self.moves, self.copies, self.results, SNAPSHOTS).find_all(files)


@pytest.fixture
def world(tmp_path: Path) -> World:
    """An empty folder."""
    return World(tmp_path)


def locate(world: World, name: str, *, mtime_ns: int | None = 2_000_000_000) -> Location:
    """Return the location of a file under its last name."""
    return Location(world.path(name), mtime_ns, world.path(name))


def follow(world: World, moves: Iterable[tuple[str, str]]) -> None:
    """Rename things one after the other."""
    for number, (old, new) in enumerate(moves):
        world.move(20 + number, old, new)


@pytest.mark.parametrize(
    "moves, last",
    [
        ([("a", "b")], "b"),
        ([("a", "b"), ("b", "c")], "c"),
        ([("x/a", "x/b"), ("x", "y"), ("y/b", "z")], "z"),
        ([("x/a", "b"), ("b", "x/a"), ("x", "y")], "y/a"),
    ],
)
def test_a_file_is_followed_through_renames(world: World, moves: list[tuple[str, str]], last: str) -> None:
    """Those of the folders above it move it, too."""
    before = world.make(moves[0][0])
    follow(world, moves)
    assert world.find(before) == {before.path: locate(world, last)}


def test_a_rename_before_the_run_met_the_file_is_another_files(world: World) -> None:
    """What was called so earlier went away; this one is in its place."""
    first = world.make("a")
    world.move(5, "a", "b")
    before = world.make("a")
    assert world.find(before) == {}
    assert world.find(first._replace(time=1)) == {first.path: locate(world, "b")}


def test_a_link_is_a_further_name(world: World) -> None:
    """When the first name is gone, the other one still has the content; neither was given by a rename."""
    before = world.make("a")
    world.move(20, "a", "b", "link")
    os.unlink(world.path("a"))
    assert world.find(before) == {before.path: locate(world, "b")}


def test_an_untouched_file_needs_no_other_place(world: World) -> None:
    """Moves of other files change nothing."""
    before = world.make("a")
    world.make("b")
    world.move(20, "b", "c")
    assert world.find(before) == {}


def test_a_copy_is_taken_where_a_run_changed_the_file_later(world: World) -> None:
    """It was taken under the new name, before the change."""
    before = world.make("a")
    world.move(20, "a", "b")
    world.copies.append(Copy(1, world.path("b"), before.size, before.mtime_ns, before.inode, "1-7"))
    Path(os.fsdecode(world.path("b"))).write_bytes(b"changed by the run\n")
    assert world.find(before) == {before.path: Location(SNAPSHOTS + b"/1-7", None, world.path("b"))}


def test_a_copy_of_another_file_is_not_taken(world: World) -> None:
    """The inode tells; the file is lost, and the last name says where it should have been."""
    before = world.make("a")
    world.move(20, "a", "b")
    world.copies.append(Copy(1, world.path("b"), before.size, before.mtime_ns, before.inode + 1, "1-7"))
    os.unlink(world.path("b"))
    assert world.find(before) == {before.path: locate(world, "b")}


def test_a_new_time_of_the_runs_own_is_no_change(world: World) -> None:
    """touch(1) leaves the content: it is packed with the time that the file has now."""
    before = world.make("a", use=Use.READ | Use.METADATA)
    path = world.path("a")
    os.utime(path, ns=(1, 5_000_000_000))
    assert world.find(before) == {}
    world.results.append(After(1, path, "file", 0o644, before.size, 5_000_000_000, None, before.inode, None, None))
    assert world.find(before) == {path: Location(path, 5_000_000_000, None)}
    assert world.find(before._replace(problem="no space")) == {}
