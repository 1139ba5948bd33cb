"""`rtrace extract`: single files out of a bundle, checked, and hardly more read than they take."""

import os
import random
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_samples import MANIFEST, Sample, make_bundle
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.members import DATA
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.writing.bundle_writer import Item, write_bundle

Rtrace = Callable[..., CompletedProcess[bytes]]
_READ = re.compile(rb"(?:read|pread64|readv)\(.*= (\d+)$", re.MULTILINE)


@pytest.fixture
def sample(tmp_path: Path) -> Sample:
    """A bundle with every kind of entry."""
    return make_bundle(tmp_path / "made")


def test_one_file_goes_to_standard_output(sample: Sample, rtrace: Rtrace) -> None:
    """The bytes of the file and nothing else, whatever its name or size; a hard link has the content of its file."""
    for path, content in {**sample.contents, b"/data/zz-link": b"content\n", b"/data/empty": b""}.items():
        done = rtrace("extract", sample.path, path)
        assert (done.returncode, done.stdout, done.stderr) == (0, content, b"")


def test_one_file_is_written_whole_with_its_permissions_and_time(
    sample: Sample, tmp_path: Path, rtrace: Rtrace
) -> None:
    """-o names a new file; what is there is never overwritten."""
    target = tmp_path / "out"
    assert rtrace("extract", sample.path, "/data/large", "-o", target).returncode == 0
    assert target.read_bytes() == sample.contents[b"/data/large"]
    state = target.stat()
    assert (state.st_mode & 0o7777, state.st_mtime_ns) == (0o644, 981_173_106_000_000_007)
    again = rtrace("extract", sample.path, "/data/small", "-o", target)
    assert (again.returncode, b"out exists already" in again.stderr) == (125, True)
    assert target.read_bytes() == sample.contents[b"/data/large"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["made", "out"]


def test_several_files_go_below_a_folder(sample: Sample, tmp_path: Path, rtrace: Rtrace) -> None:
    """Folders and patterns stand for files, which are written by their paths; one without content is named."""
    folder = tmp_path / "folder"
    done = rtrace("extract", sample.path, "/data", "-o", folder)
    assert done.returncode == 0
    assert done.stderr == b"rtrace: /data/placeholder was left out: the bundle holds only its size\n"
    found = {b"/" + bytes(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}
    assert found == {**sample.contents, b"/data/empty": b"", b"/data/zz-link": b"content\n"}
    other = tmp_path / "other"
    assert rtrace("extract", sample.path, "sma*", b"/data/not-utf8-\xff", "-o", other).returncode == 0
    assert sorted(os.listdir(bytes(other / "data"))) == [b"not-utf8-\xff", b"small"]
    bare = rtrace("extract", sample.path, "/data")
    assert (bare.returncode, bare.stdout) == (2, b"")
    assert b": 8 files; name a folder" in bare.stderr


@pytest.mark.parametrize(
    "path, sentence",
    [
        ("/data/missing", "holds no file /data/missing; `rtrace list` shows"),
        ("/data/fifo", "holds no file /data/fifo;"),
        ("/data/link", "holds no file /data/link;"),
        ("*.nothing", "no file in "),
        ("/data/placeholder", "holds only the size of /data/placeholder"),
    ],
)
def test_what_cannot_be_fetched_is_told(sample: Sample, path: str, sentence: str, rtrace: Rtrace) -> None:
    """One sentence, exit status 125, nothing on standard output."""
    done = rtrace("extract", sample.path, path)
    assert (done.returncode, done.stdout) == (125, b"")
    assert sentence in done.stderr.decode()
    assert done.stderr.count(b"\n") == 1


def test_symlinks_of_the_bundle_are_followed(tmp_path: Path, rtrace: Rtrace) -> None:
    """A path leads through the bundle's symlinks, as it did for the run; circles lead nowhere."""
    source = tmp_path / "source"
    source.write_bytes(b"found")
    links = {b"/bin": b"usr/bin", b"/circle": b"circle", b"/usr/bin/sh": b"/bin/.././bin/dash"}
    items = [
        *(Item(Entry(path, FileType.DIRECTORY, 0o755, 0, 0, 0)) for path in (b"/", b"/usr", b"/usr/bin")),
        *(Item(Entry(path, FileType.SYMLINK, 0o777, 0, 0, 0, target=target)) for path, target in links.items()),
        Item(Entry(b"/usr/bin/dash", FileType.REGULAR, 0o755, 0, 0, 0, 5), bytes(source)),
    ]
    trace = tmp_path / "trace.sqlite3"
    trace.touch()
    write_bundle(tmp_path / "b.rpz", MANIFEST, sorted(items, key=lambda item: item.entry.path), (), trace)
    assert rtrace("extract", tmp_path / "b.rpz", "/bin/sh").stdout == b"found"
    assert rtrace("extract", tmp_path / "b.rpz", "/circle/x").returncode == 125


def test_damaged_content_is_not_left_behind(sample: Sample, tmp_path: Path, rtrace: Rtrace) -> None:
    """A file whose content is not what was packed does not get its name."""
    content = bytearray(sample.path.read_bytes())
    with Bundle(sample.path, sample.path.open("rb")) as bundle:
        content[bundle.find_member(DATA).offset + 100_000] ^= 1
    sample.path.write_bytes(content)
    done = rtrace("extract", sample.path, "/data/large", "-o", tmp_path / "out")
    assert (done.returncode, b"is damaged" in done.stderr) == (125, True)
    assert [path.name for path in tmp_path.iterdir()] == ["made"]


@pytest.mark.requires("strace")
def test_fetching_a_small_file_reads_one_frame(tmp_path: Path) -> None:
    """Of a bundle of any size: its metadata but for the trace, and the frame that holds the file."""
    chance = random.Random(5)  # noqa: S311 -- the same content each time is what is wanted
    items = [Item(Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0))]
    for number in range(40):
        source = tmp_path / f"{number:02}"
        source.write_bytes(chance.randbytes(1 << 20 if number != 20 else 1 << 10))
        entry = Entry(b"/%02d" % number, FileType.REGULAR, 0o644, 0, 0, 0, source.stat().st_size)
        items.append(Item(entry, bytes(source)))
    trace = tmp_path / "trace.sqlite3"
    trace.write_bytes(bytes(10 << 20))
    bundle = tmp_path / "b.rpz"
    write_bundle(bundle, MANIFEST, items, (), trace)

    def count(*arguments: str | Path) -> int:
        log = tmp_path / "calls"
        watch: list[str | Path] = [
            "strace",
            "-f",
            "-qq",
            "-o",
            log,
            "-P",
            bundle,
            "-e",
            "trace=read,pread64,readv,mmap",
        ]
        subprocess.run([*watch, sys.executable, "-m", "rtrace", *arguments], check=True, stdout=subprocess.DEVNULL)
        calls = log.read_bytes()
        assert b"mmap(" not in calls
        return sum(map(int, _READ.findall(calls)))

    assert bundle.stat().st_size > 48 << 20
    assert 1 << 10 < count("list", bundle) < 256 << 10
    assert 4 << 20 < count("extract", bundle, "/20") < (4 << 20) + (256 << 10)
