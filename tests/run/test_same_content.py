"""Identical content is stored once, and comes out as files of their own."""

import os
import random
import stat
import subprocess
import tarfile
from pathlib import Path

import pytest

from bundle_making import TIME, BundleMaker, digest, make_run, run_python
from image_layers import write_tars
from packing import pack
from plain_user import PlainUser
from rtrace.bundle.data.archive import ArchiveReader
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.writing.bundle_writer import Item, find_repeated
from rtrace.errors import TargetError
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.layout import plan_layout
from rtrace_unpackers.files.ownership import Ownership
from trace_builder import TraceBuilder

pytestmark = pytest.mark.requires("busybox")
SMALL = b"the same words\n" * 100
LARGE = random.Random(1).randbytes(9_000_000)  # noqa: S311 -- the same content each time is what is wanted
OTHER = LARGE[:4_000_000] + b"?" + LARGE[4_000_001:]
FILES = {
    b"/work/a/large": LARGE,
    b"/work/a/small": SMALL,
    b"/work/b/large": LARGE,
    b"/work/b/small": SMALL,
    b"/work/b/tiny": b"1",
    b"/work/c/large": OTHER,
    b"/work/c/small": SMALL[::-1],
    b"/work/c/tiny": b"1",
    b"/work/d/" + b"long" * 50: LARGE,
    b"/work/empty1": b"",
    b"/work/empty2": b"",
}


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A bundle in which some files have the same content."""
    maker = BundleMaker(tmp_path_factory.mktemp("same"))
    for folder in (b"/work/a", b"/work/b", b"/work/c", b"/work/d"):
        maker.directory(folder)
    for number, (path, content) in enumerate(FILES.items()):
        maker.file(path, content, mode=0o600 + number)
    for path, link in ((b"/work/b/small-too", b"/work/b/small"), (b"/work/a/small-too", b"/work/a/small")):
        maker.add(maker.items[link].entry._replace(path=path, link=link))
    return maker.write(make_run())


def test_identical_content_is_stored_once(bundle: Path) -> None:
    """The first of several files by path holds the content; size and ends alone make no copy."""
    with Bundle(bundle, bundle.open("rb")) as opened:
        found = {path: opened.find(path) for path in FILES}
        copies = {
            path: entry.copy_of for path, entry in found.items() if entry is not None and entry.copy_of is not None
        }
        assert copies == {
            b"/work/b/large": b"/work/a/large",
            b"/work/b/small": b"/work/a/small",
            b"/work/c/tiny": b"/work/b/tiny",
            b"/work/d/" + b"long" * 50: b"/work/a/large",
        }
        assert {path: entry and (entry.size, entry.sha256) for path, entry in found.items()} == {
            path: (len(content), digest(content)) for path, content in FILES.items()
        }
        assert opened.find_member(opened.DATA).size < 2 * len(LARGE) + 2_000_000


def test_the_content_of_a_copy_is_read_like_any_other(bundle: Path) -> None:
    """By its path, in a stream of everything, and through a hard link to it; and the bundle is whole."""
    with Bundle(bundle, bundle.open("rb")) as opened:
        opened.check()
        assert {path: b"".join(opened.read_file(path)) for path in FILES} == FILES
        streamed = {entry.path: b"".join(parts) for entry, parts in opened.stream_data()}
        assert {path: streamed[path] for path in FILES} == FILES
        assert b"".join(opened.read_file(b"/work/b/small-too")) == SMALL


def test_small_copies_in_one_frame_cost_one_decompression(bundle: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever reads one file after the other does not decompress the same frame for each of them."""
    frames: list[int] = []
    compressed = ArchiveReader._compressed

    def count(archive: ArchiveReader, frame: int) -> bytes:
        frames.append(frame)
        return compressed(archive, frame)

    with Bundle(bundle, bundle.open("rb")) as opened:
        assert opened.entries
        monkeypatch.setattr(ArchiveReader, "_compressed", count)
        for path in (b"/work/b/small", b"/work/a/small", b"/work/b/small-too"):
            assert b"".join(opened.read_file(path)) == SMALL
    assert len(frames) == 1


def test_standard_tools_get_the_content_too(bundle: Path, tmp_path: Path) -> None:
    """GNU tar makes hard links of copies, with the right content."""
    subprocess.run(["tar", "-xf", bundle, "-C", tmp_path], check=True)
    subprocess.run(["tar", "--zstd", "-xf", "DATA.tar.zst"], check=True, cwd=tmp_path)
    for path, content in FILES.items():
        assert Path(os.fsdecode(bytes(tmp_path) + b"/DATA" + path)).read_bytes() == content


def test_copies_are_unpacked_as_files_of_their_own(bundle: Path, tmp_path: Path) -> None:
    """Each has its own inode, mode and time; hard links to a copy are hard links to it."""
    root = os.fsencode(UNPACKER.unpack(bundle, tmp_path / "target").target / "root")
    states = {path: os.stat(root + path) for path in FILES}
    assert {path: Path(os.fsdecode(root + path)).read_bytes() for path in FILES} == FILES
    assert len({state.st_ino for state in states.values()}) == len(FILES)
    assert [stat.S_IMODE(state.st_mode) for state in states.values()] == [
        0o600 + number for number in range(len(FILES))
    ]
    assert {state.st_mtime_ns for state in states.values()} == {TIME}
    assert os.path.samefile(root + b"/work/b/small", root + b"/work/b/small-too")


UNPACK = """\
import sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2]))
"""


def test_a_plain_user_unpacks_copies_of_what_nobody_may_read(tmp_path: Path, plain_user: PlainUser) -> None:
    """The file that holds the content may have a mode without any bit."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/closed", SMALL, mode=0o000)
    maker.file(b"/work/open", SMALL, mode=0o644)
    bundle = plain_user.home / "bundle.rpz"
    maker.write(make_run()).rename(bundle)
    plain_user.give(bundle)
    run_python(plain_user, UNPACK, bundle, plain_user.home / "target")
    assert (plain_user.home / "target/root/work/open").read_bytes() == SMALL
    assert (plain_user.home / "target/root/work/closed").read_bytes() == SMALL if os.geteuid() == 0 else True


def test_an_image_gets_files_of_their_own(bundle: Path) -> None:
    """In the tar that an image is made from, copies are members with the content, and no hard links."""
    with Bundle(bundle, bundle.open("rb")) as opened:
        file = write_tars(opened.entries, opened.stream_data())["experiment"]
    with tarfile.open(fileobj=file, encoding="utf-8", errors="surrogateescape") as tar:
        for number, (path, content) in enumerate(FILES.items()):
            member = tar.getmember(os.fsdecode(path[1:]))
            extracted = tar.extractfile(member)
            assert extracted is not None
            assert (member.type, member.mode, extracted.read()) == (tarfile.REGTYPE, 0o600 + number, content)


def test_copies_beyond_the_room_of_the_disk_are_refused(tmp_path: Path) -> None:
    """A bundle of a few bytes can speak of any number of large files: nothing is begun when they cannot fit."""
    first = Entry(b"/a", FileType.REGULAR, 0o644, 0, 0, 0, 1 << 40, "a" * 64, offset=512)
    many = [first._replace(path=b"/b%04d" % number, copy_of=b"/a", offset=None) for number in range(5000)]
    layout = plan_layout([first, *many])
    folder = os.open(tmp_path, os.O_RDONLY)
    try:
        with pytest.raises(TargetError, match=r"the files of the bundle need 5001\.0 TiB, and .* are free"):
            extract(layout, (), folder, Ownership(keep=False))
        assert list(tmp_path.iterdir()) == []
        refuse_too_large(0, folder)
    finally:
        os.close(folder)


def test_sizes_that_repeat_are_known_beforehand() -> None:
    """Only files of equal size are remembered by their digests."""

    def item(size: int, source: bytes | None = b"/x") -> Item:
        return Item(Entry(b"/x", FileType.REGULAR, 0o644, 0, 0, 0, size), source)

    assert find_repeated([item(0), item(0), item(1), item(2), item(2), item(1, None)]) == {2}


def test_runs_with_equal_files_share_them(tmp_path: Path) -> None:
    """What two runs read in folders of their own is in the bundle once."""
    home = tmp_path / "home"
    home.mkdir()
    trace = TraceBuilder(home)
    for name in ("one", "two"):
        trace.begin()
        (home / name).mkdir()
        (home / name / "data").write_bytes(LARGE)
        trace.read(home / name / "data")
    report = pack(trace.finish(), tmp_path / "bundle.rpz")
    assert report.notices == ()
    assert report.target.stat().st_size < len(LARGE) + 1_000_000
    with Bundle(report.target, report.target.open("rb")) as opened:
        second = opened.find(bytes(home / "two/data"))
        assert second is not None
        assert second.copy_of == bytes(home / "one/data")
