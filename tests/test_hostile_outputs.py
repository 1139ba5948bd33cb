"""What a replay may leave behind to make a comparison expensive: it is told apart in bounded time and memory."""

import os
import tracemalloc
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from fuzz.sealing import seal
from fuzz.sections import join
from hostile_kinds import parts
from rtrace.bundle import tar
from rtrace.bundle.data.layout import entry_header
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.index.lines import dump_entry
from rtrace.errors import BundleError
from rtrace.files.removing import remove_below
from rtrace.manifest.model import NamedFile
from rtrace.opening import open_bundle
from rtrace.operations.check import check_bundle
from rtrace.operations.extract import find_entries, write_file
from rtrace.verify.compare import find_patterns, pair_renamed, verify_bundle
from rtrace.verify.verdicts import Line
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.files.directories import Descent
from rtrace_unpackers.target import snapshot
from rtrace_unpackers.target.snapshot import take_snapshot

TERABYTES = 15 << 40
DEPTH = 3000
NAME = b"d" * 200


def verify(tmp_path: Path, script: bytes, *results: Result) -> dict[bytes | None, Line]:
    """Replay a script, and give what was compared by its path."""
    maker = BundleMaker(tmp_path / "made")
    bundle = maker.write(make_run(script), results=results)
    workspace = tmp_path / "workspace"
    workspace.mkdir(mode=0o700)
    return {line.path: line for line in verify_bundle(bundle, UNPACKER, workspace, quiet=True).lines}


@pytest.mark.requires("busybox", "root")
def test_terabytes_of_holes_are_not_hashed(tmp_path: Path) -> None:
    """An output of terabytes of nothing is another one by its size, and not known to be the same if that is equal."""
    small, equal = (
        wrote(b"/work/other", b"content"),
        Result("run1", b"/work/equal", FileType.REGULAR, 0o644, TERABYTES, "a" * 64),
    )
    script = b"cd /work; for name in equal other; do /bin/busybox truncate -s 15T $name || exit 9; done"
    lines = verify(tmp_path, script, equal, small)
    if lines[None].verdict != "same":
        pytest.skip("the file system has no files of 15 TiB")
    assert (lines[b"/work/other"].verdict, lines[b"/work/other"].detail) == (
        "different",
        f"{TERABYTES} bytes instead of 7",
    )
    assert (lines[b"/work/equal"].verdict, "more bytes of holes than are hashed" in lines[b"/work/equal"].detail) == (
        "unknown",
        True,
    )


@pytest.mark.requires("busybox", "root")
def test_sparse_outputs_are_compared_all_the_same(tmp_path: Path) -> None:
    """An output with holes that can be hashed is the same, or not, as any other."""
    content = b"x" + bytes(5_000_000)
    script = b"cd /work; for name in one two; do printf x > $name; /bin/busybox truncate -s 5000001 $name; done"
    lines = verify(tmp_path, script, wrote(b"/work/one", content), wrote(b"/work/two", b"y" + content[1:]))
    assert [lines[path].verdict for path in (b"/work/one", b"/work/two")] == ["same", "different"]


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


@pytest.mark.requires("busybox", "root")
def test_the_rest_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A verification says that there is more than it names."""
    monkeypatch.setattr(snapshot, "EXTRA_LIMIT", 300)
    lines = verify(tmp_path, b"cd /work; for name in a b c d e f; do echo > $name; done")
    assert (lines[b"/"].verdict, lines[b"/"].detail) == ("extra", "and 2 more, too many to be named")


def test_patterns_of_outputs_are_not_tried_for_ever() -> None:
    """Outputs whose names change in every way are given up where there are too many of them to compare."""
    pattern, path = b"/work/" + b"**a" * 30 + b"b", b"/work/" + b"a" * 30
    missing = [Line("missing", "run1", path + b"%d" % number) for number in range(30)]
    extra = [Line("extra", "run1", b"/work/" + b"a" * 240 + b"%d" % number) for number in range(3000)]
    assert pair_renamed([*missing, *extra], {line.path: pattern for line in missing if line.path is not None}) == {}
    renamed = Line("extra", "run1", b"/work/out-2")
    assert pair_renamed([missing[0], renamed], {path + b"0": b"/work/out-*"}) == {path + b"0": b"/work/out-2"}


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


def write_hollow(path: Path, content: bytes = b"content\n") -> bytes:
    """Write a bundle with a file of a terabyte of holes, and give the bytes of its data."""
    folder = Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0)
    size = (1 << 40) - 1
    file = Entry(b"/hollow", FileType.REGULAR, 0o644, 0, 0, 0, size, "a" * 64, segments=((1 << 20, 8),))
    data = entry_header(folder) + entry_header(file)
    lines = dump_entry(folder, 0, None, None) + dump_entry(file, size, "a" * 64, len(data))
    manifest = parts()["manifest"].replace(b"path: /data/f", b"path: /hollow")
    data += content + tar.padding(len(content)) + tar.END
    path.write_bytes(seal(join({"plan": b"L", **parts(), "manifest": manifest, "files": lines.encode(), "data": data})))
    return data


def test_a_terabyte_of_holes_takes_no_time(tmp_path: Path) -> None:
    """A sparse file with more holes than can be hashed is proven by the digest of the data, and stays sparse."""
    path = tmp_path / "x.rpz"
    write_hollow(path)
    assert check_bundle(path).problem is None
    UNPACKER.unpack(path, tmp_path / "target")
    with open_bundle(path) as bundle:
        write_file(bundle, find_entries(bundle, [b"/hollow"])[0], tmp_path / "out")
    for place in (tmp_path / "target/root/hollow", tmp_path / "out"):
        with place.open("rb") as file:
            assert (place.stat().st_size, place.stat().st_blocks < 10_000) == ((1 << 40) - 1, True)
            assert os.pread(file.fileno(), 10, (1 << 20) - 1) == b"\0content\n\0"


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
