"""What a replay may leave behind to make a comparison expensive: it is told apart in bounded time and memory."""

import hashlib
import os
import tracemalloc
from pathlib import Path

import pytest

from hollow import write_hollow
from rtrace.bundle.entry import FileType
from rtrace.errors import BundleError
from rtrace.files.removing import remove_below
from rtrace.manifest.model import NamedFile
from rtrace.opening import open_bundle
from rtrace.operations.check import check_bundle
from rtrace.operations.extract import find_entries, write_file
from rtrace.verify.renames import find_patterns
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.files.descent import Descent
from rtrace_unpackers.target import hashing, snapshot
from rtrace_unpackers.target.snapshot import take_snapshot

DEPTH = 3000

NAME = b"d" * 200


def test_folders_in_folders_for_ever_take_no_memory(tmp_path: Path) -> None:
    """A tree that is deeper than any path is looked into as deep as paths go."""
    place = os.open(tmp_path, os.O_RDONLY)
    root = os.dup(place)
    for _ in range(DEPTH):
        os.mkdir(NAME, dir_fd=place)
        below = os.open(NAME, os.O_RDONLY, dir_fd=place)
        os.close(place)
        place = below
    os.close(place)
    tracemalloc.start()
    try:
        found = take_snapshot(root, [b"/" + NAME], [])
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
        remove_below(root)
        os.close(root)
    assert found.found[b"/" + NAME].type is FileType.DIRECTORY
    assert 4095 - 201 < max(map(len, found.extra)) <= 4095 + 201
    assert peak < 20 << 20


def test_large_files_are_hashed_side_by_side(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each gets its own digest, however many there are, and no descriptor of any stays open."""
    monkeypatch.setattr(hashing, "LARGE", 4)
    contents = {b"/%03d" % number: b"%d" % number * 5 for number in range(100)}
    for path, content in contents.items():
        (tmp_path / os.fsdecode(path[1:])).write_bytes(content)
    root = os.open(tmp_path, os.O_RDONLY)
    before = set(os.listdir("/proc/self/fd"))
    found = take_snapshot(root, list(contents), [])
    assert set(os.listdir("/proc/self/fd")) == before
    os.close(root)
    assert {path: hashlib.sha256(content).hexdigest() for path, content in contents.items()} == {
        path: result.sha256 for path, result in found.found.items()
    }


def test_files_without_number_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Of files that nobody expected, as many are named as a person could look at, and the others are counted."""
    monkeypatch.setattr(snapshot, "EXTRA_LIMIT", 10_000)
    for number in range(1000):
        (tmp_path / f"{number:03}").touch()
    root = os.open(tmp_path, os.O_RDONLY)
    found = take_snapshot(root, [b"/000"], [])
    os.close(root)
    assert 100 < len(found.extra) < 200
    assert len(found.extra) + found.more == 999


def test_patterns_of_deep_folders_take_no_memory() -> None:
    """Outputs far below folders whose names change, too, are followed up a few of these."""
    outputs = [NamedFile(str(n), b"/a" * 2000 + b"/%d" % n, (), b"/b" * 2000 + b"/%d*" % n) for n in range(200)]
    tracemalloc.start()
    patterns = find_patterns(outputs)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert outputs[0].path in patterns
    assert peak < 100 << 20


def test_deep_folders_are_entered_with_few_descriptors(tmp_path: Path) -> None:
    """Of a tree of 2000 folders in folders any is opened, in any order, and no more than some dozens are open."""
    root = os.open(tmp_path, os.O_RDONLY)
    before = len(os.listdir("/proc/self/fd"))
    paths = [b"/" + b"/".join([b"d"] * depth) for depth in range(1, 2000)]
    with Descent(root) as descent:
        for path in paths:
            os.mkdir(b"d", dir_fd=descent.enter(path[:-2] or b"/"))
        for path in (*paths[::7], *paths[::-11], paths[3], paths[-1], b"/", paths[-2]):
            expected = path.count(b"d")
            descriptor = descent.enter(path)
            assert os.listdir(descriptor) == ([] if expected == len(paths) else ["d"])
            os.mkdir(b"%d" % expected, dir_fd=descriptor)
            os.rmdir(b"%d" % expected, dir_fd=descriptor)
        assert len(os.listdir("/proc/self/fd")) - before < 60
        (tmp_path / "link").symlink_to("d")
        with pytest.raises(OSError, match=r"Not a directory|Too many levels"):
            descent.enter(b"/link")
    assert len(os.listdir("/proc/self/fd")) == before
    remove_below(root)
    os.close(root)


def test_what_is_between_holes_is_proven(tmp_path: Path) -> None:
    """A byte that differs between a terabyte of holes is found by every reader, before anything has its name."""
    path = tmp_path / "x.rpz"
    write_hollow(path, b"CONTENT\n")
    other = path.read_bytes()
    write_hollow(path)
    content = path.read_bytes()
    start = content.rindex(b"DATA.tar.zst")
    path.write_bytes(content[:start] + other[start:])
    problem = "DATA.tar.zst is not what was packed"
    assert problem in str(check_bundle(path).problem)
    with open_bundle(path) as bundle, pytest.raises(BundleError, match=problem):
        write_file(bundle, find_entries(bundle, [b"/hollow"])[0], tmp_path / "out")
    with pytest.raises(BundleError, match=problem):
        UNPACKER.unpack(path, tmp_path / "target")
    assert os.listdir(tmp_path) == ["x.rpz"]
