"""What a replay may leave behind to make a comparison expensive: it is told apart in bounded time and memory."""

import os
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from hollow import write_hollow
from rtrace.bundle.entry import FileType, Result
from rtrace.opening import open_bundle
from rtrace.operations.check import check_bundle
from rtrace.operations.extract import find_entries, write_file
from rtrace.operations.verify import verify_bundle
from rtrace.verify.renames import pair_renamed
from rtrace.verify.verdicts import Line
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.target import snapshot

TERABYTES = 15 << 40


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
        f"{TERABYTES} bytes, was 7",
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
