"""Sparse files keep their holes: traced, packed, checked and unpacked in the time and room that their data takes."""

import hashlib
import io
import json
import os
import random
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_making import TIME, BundleMaker, digest, make_run
from rtrace.bundle import tar
from rtrace.bundle.data.sparse import HOLES_LIMIT, fill_holes, segments_problem
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.writing.digests import digest_content
from rtrace.capture.books.snapshots import take_snapshot
from rtrace.errors import BundleError
from rtrace.files.holes import LEAST_HOLE, find_segments
from rtrace.opening import open_bundle
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.layout import plan_layout
from rtrace_unpackers.files.ownership import Ownership
from trace_builder import TraceBuilder

Rtrace = Callable[..., CompletedProcess[bytes]]
pytestmark = pytest.mark.requires("busybox")
MIB = 1 << 20
HUGE = 1 << 30
BLOCK = random.Random(3).randbytes(64 << 10)  # noqa: S311 -- the same content each time is what is wanted
FILES = {
    b"/work/all-hole": (3 * MIB, ()),
    b"/work/begins": (3 * MIB, (0,)),
    b"/work/ends": (3 * MIB, (3 * MIB - len(BLOCK),)),
    b"/work/many": (60 * LEAST_HOLE * 2, tuple(range(0, 60 * LEAST_HOLE * 2, 2 * LEAST_HOLE))),
    b"/work/middle": (9 * MIB, (MIB, 5 * MIB)),
    b"/work/small": (200_000, (0,)),
}


def make_sparse(path: Path, size: int, places: tuple[int, ...]) -> None:
    """Write a block at each of some places of a file of holes."""
    with path.open("wb") as file:
        for place in places:
            os.pwrite(file.fileno(), BLOCK, place)
        file.truncate(size)


def expand(size: int, places: tuple[int, ...]) -> bytes:
    """Return the content of such a file."""
    content = bytearray(size)
    for place in places:
        content[place : place + len(BLOCK)] = BLOCK
    return bytes(content)


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle of sparse files."""
    maker = BundleMaker(tmp_path_factory.mktemp("sparse"))
    for path, (size, places) in FILES.items():
        maker.file(path, b"")
        entry, source, *_ = maker.items[path]
        assert source is not None
        make_sparse(Path(os.fsdecode(source)), size, places)
        maker.add(entry._replace(size=size), source)
        maker.add(entry._replace(path=path + b"-again", size=size), source)
    maker.file(b"/work/zeros", bytes(MIB))
    return maker.write(make_run())


def test_the_index_tells_the_parts_with_data(bundle: Path) -> None:
    """Offset and length of each; size and digest are those of the whole content, so that any tool can compare them."""
    with open_bundle(bundle) as opened:
        for path, (size, places) in FILES.items():
            entry = opened.find(path)
            assert entry is not None
            assert entry.segments == tuple((place, len(BLOCK)) for place in places)
            assert (entry.size, entry.sha256) == (size, digest(expand(size, places)))
        zeros = opened.find(b"/work/zeros")
        assert zeros is not None
        assert zeros.segments is None


def test_the_content_is_read_with_its_zeros(bundle: Path) -> None:
    """By its path or in the stream of all; and the bundle is whole."""
    with open_bundle(bundle) as opened:
        opened.check()
        streamed = {entry.path: b"".join(parts) for entry, parts in opened.stream_data()}
        for path, (size, places) in FILES.items():
            content = expand(size, places)
            assert b"".join(opened.read_file(path)) == content
            assert streamed[path] == streamed[path + b"-again"] == content


def test_holes_are_holes_again(bundle: Path, tmp_path: Path) -> None:
    """Unpacked by rtrace, files and their copies take the room of their data, as they do when GNU tar unpacks them."""
    root = UNPACKER.unpack(bundle, tmp_path / "target").target / "root"
    subprocess.run(["tar", "-xf", bundle, "-C", tmp_path], check=True)
    subprocess.run(["tar", "--zstd", "-xf", "DATA.tar.zst"], check=True, cwd=tmp_path)
    for name, (size, places) in FILES.items():
        for path in (root, tmp_path / "DATA"):
            for file in (path / os.fsdecode(name[1:]), path / os.fsdecode(name[1:] + b"-again")):
                assert file.read_bytes() == expand(size, places)
                assert file.stat().st_blocks * 512 <= len(places) * len(BLOCK) + 8192
    assert (root / "work/zeros").stat().st_blocks * 512 >= MIB


def test_the_standard_library_reads_the_holes(bundle: Path, tmp_path: Path) -> None:
    """A map that goes on after the header is one that the module tarfile understands."""
    subprocess.run(["tar", "-xf", bundle, "-C", tmp_path], check=True)
    subprocess.run(["zstd", "-qd", "DATA.tar.zst"], check=True, cwd=tmp_path)
    with tarfile.open(tmp_path / "DATA.tar") as data:
        for name, (size, places) in FILES.items():
            member = data.extractfile("DATA" + os.fsdecode(name))
            assert member is not None
            assert member.read() == expand(size, places)


def test_a_gibibyte_of_holes(rtrace: Rtrace, tmp_path: Path) -> None:
    """Traced, packed, checked, unpacked: changed by the run itself, and still packed as it was before."""
    home = tmp_path / "home"
    home.mkdir()
    image = home / "image"
    make_sparse(image, HUGE, (0, HUGE // 2, HUGE - len(BLOCK)))
    before = image.stat()
    os.utime(image, ns=(TIME, TIME))
    script = "dd if=/dev/zero of=image bs=1 count=3 conv=notrunc status=none"
    assert rtrace("trace", "--snapshot-limit", "1M", "--", "sh", "-c", script, cwd=home).returncode == 0
    kept = list((home / ".rtrace/snapshots").iterdir())
    assert [copy.stat().st_size for copy in kept] == [HUGE]
    assert kept[0].stat().st_blocks * 512 < MIB
    packed = rtrace("pack", tmp_path / "bundle.rpz", cwd=home)
    assert packed.returncode == 0, packed.stderr
    assert rtrace("check", tmp_path / "bundle.rpz").returncode == 0
    assert rtrace("unpack", "chroot", tmp_path / "bundle.rpz", tmp_path / "target").returncode == 0
    unpacked = tmp_path / "target/root" / image.relative_to("/")
    assert (unpacked.stat().st_size, unpacked.stat().st_mtime_ns) == (HUGE, TIME)
    assert unpacked.stat().st_blocks <= before.st_blocks + 8
    with unpacked.open("rb") as file:
        assert [os.pread(file.fileno(), len(BLOCK), place) == BLOCK for place in (0, HUGE // 2, HUGE - len(BLOCK))]
    listed = rtrace("list", "--json", tmp_path / "bundle.rpz").stdout
    (line,) = (line for line in json.loads(listed)["files"] if line["path"] == str(image))
    assert line["segments"] == [[place, len(BLOCK)] for place in (0, HUGE // 2, HUGE - len(BLOCK))]
    with unpacked.open("rb") as file:
        assert line["sha256"] == digest_content(file.fileno(), HUGE, None).hex()


@pytest.mark.parametrize("length", [1, 7, 64, 1000])
def test_parts_of_any_length_are_written_to_their_places(tmp_path: Path, length: int) -> None:
    """Another container may give data and zeros in one part: no byte is lost, and what is in a hole is refused."""
    content = bytes(100) + b"a" * 50 + bytes(200) + b"b" * 50 + bytes(100)
    file = Entry(
        b"/a", FileType.REGULAR, 0o644, 0, 0, 0, 500, digest(content), offset=512, segments=((100, 50), (350, 50))
    )
    for number, whole in enumerate((content, content[:160] + b"x" + content[161:])):
        parts = iter([whole[at : at + length] for at in range(0, len(whole), length)])
        (tmp_path / str(number)).mkdir()
        folder = os.open(tmp_path / str(number), os.O_RDONLY)
        try:
            if number:
                with pytest.raises(BundleError, match="data in a hole of /a"):
                    extract(plan_layout([file]), [(file, parts)], folder, Ownership(keep=False))
            else:
                extract(plan_layout([file]), [(file, parts)], folder, Ownership(keep=False))
                assert (tmp_path / "0/a").read_bytes() == content
        finally:
            os.close(folder)


def test_a_copy_before_a_change_keeps_holes(tmp_path: Path) -> None:
    """It counts with what its data takes."""
    make_sparse(tmp_path / "file", 64 * MIB, (0, 32 * MIB))
    taken = take_snapshot(bytes(tmp_path / "file"), tmp_path / "copy", MIB)
    assert taken <= 3 * len(BLOCK)
    assert (tmp_path / "copy").read_bytes() == expand(64 * MIB, (0, 32 * MIB))
    assert (tmp_path / "copy").stat().st_blocks * 512 <= 3 * len(BLOCK)


def test_holes_beyond_the_limit_are_told_of(tmp_path: Path) -> None:
    """Their zeros would have to be hashed by everybody: such a file goes in by name and size, and is named."""
    from packing import pack

    home = tmp_path / "home"
    home.mkdir()
    make_sparse(home / "hollow", HOLES_LIMIT + 2 * MIB, (0,))
    trace = TraceBuilder(home)
    trace.begin()
    trace.read(home / "hollow")
    report = pack(trace.finish(), tmp_path / "bundle.rpz", allow_missing=True)
    assert [notice.what for notice in report.notices] == [
        f"{home / 'hollow'} has larger holes than a bundle may hold: only its name and size were packed"
    ]
    with open_bundle(report.target) as opened:
        entry = opened.find(bytes(home / "hollow"))
        assert entry is not None
        assert entry.placeholder


def test_room_is_what_data_takes() -> None:
    """What holes would take is no reason to refuse a bundle."""
    first = Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0, 1 << 30, "a" * 64, offset=512, segments=((0, 512),))
    layout = plan_layout([first, first._replace(path=b"/b", copy_of=b"/a", offset=None, segments=None)])
    assert (layout.size, layout.room) == (2 << 30, 1024)


SEGMENTS = st.lists(st.tuples(st.integers(1, 200), st.integers(1, 200)), max_size=60).map(
    lambda gaps: tuple(
        (sum(sum(gap) for gap in gaps[:number]) + gaps[number][0], gaps[number][1]) for number in range(len(gaps))
    )
)


@settings(deadline=None)
@given(segments=SEGMENTS, rest=st.integers(1, 300), cut=st.integers(1, 100))
def test_holes_are_filled_where_they_were(segments: tuple[tuple[int, int], ...], rest: int, cut: int) -> None:
    """From its data, in whatever parts, the content is made, and tarfile makes the same of header and data."""
    size = (sum(segments[-1]) if segments else 0) + rest
    assert segments_problem(segments, size) is None
    content = bytearray(size)
    data = b""
    for number, (start, length) in enumerate(segments):
        content[start : start + length] = bytes([number % 255 + 1]) * length
        data += content[start : start + length]
    parts = list(fill_holes(segments, size, (data[at : at + cut] for at in range(0, len(data), cut))))
    assert b"".join(parts) == content
    assert not [part for part in parts if any(part) and not all(part)]
    header = tar.header(b"DATA/x", tar.SPARSE, size, segments=segments)
    with tarfile.open(fileobj=io.BytesIO(header + data + tar.padding(len(data)) + tar.END)) as archive:
        file = archive.extractfile("DATA/x")
        assert file is not None
        assert file.read() == content


@settings(deadline=None, max_examples=30)
@given(places=st.sets(st.integers(0, 60), max_size=20), size=st.integers(1, 64 * 64 << 10))
def test_segments_are_all_that_is_not_a_hole(
    tmp_path_factory: pytest.TempPathFactory, places: set[int], size: int
) -> None:
    """Whatever the file system says of a file, its data is in the segments, and the digest is that of the content."""
    path = tmp_path_factory.mktemp("segments") / "file"
    with path.open("wb") as file:
        for place in places:
            os.pwrite(file.fileno(), b"x" * 100, place << 16)
        file.truncate(size)
    with path.open("rb") as file:
        segments = find_segments(file.fileno(), os.fstat(file.fileno()))
        content = file.read()
        assert digest_content(file.fileno(), size, segments) == hashlib.sha256(content).digest()
    assert segments is None or segments_problem(segments, size) is None
    data = [(0, size)] if segments is None else segments
    assert all(any(start <= at < start + length for start, length in data) for at in range(0, size, 997) if content[at])
