"""A bundle with every kind of entry, for the tests of reader and writer."""

import hashlib
import random
from dataclasses import dataclass
from pathlib import Path

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.writing.bundle_writer import Item, write_bundle
from rtrace.manifest.model import Manifest, Run

RUN = Run(
    id="run1",
    argv=(b"./run.sh", b"\xff", b"a b"),
    binary=b"/data/run.sh",
    workingdir=b"/data",
    environ=((b"PATH", b"/usr/bin"), (b"ODD", b"\xfe\n")),
    uid=1000,
    gid=1000,
    groups=(4, 1000),
    umask=0o022,
    hostname="box",
    architecture="x86_64",
    system=("Linux", "6.1.0"),
    distribution=("debian", "12"),
    started=1_700_000_000.25,
    finished=1_700_000_001.5,
    exit_code=0,
    signal=None,
)
MANIFEST = Manifest("0.1.0", (RUN,))
WRITTEN = (b"out", b"printed\n")
RECORDS = (b'{"format":1,"run_name":"run1"}\n', b'{"format":1,"run_name":"run2"}\n')


@dataclass(frozen=True)
class Sample:
    """A written bundle and what went into it."""

    path: Path
    identity: str
    items: tuple[Item, ...]
    contents: dict[bytes, bytes]
    results: tuple[Result, ...]
    trace: Path


def make_bundle(folder: Path, *, without: bytes = b"") -> Sample:
    """Write ``bundle.rpz`` in a folder, from sources in it; ``without`` one of them, packing has to fail."""
    sources = folder / "sources"
    sources.mkdir(parents=True, exist_ok=True)
    chance = random.Random(4)  # noqa: S311 -- the same content each time is what is wanted
    contents = {
        b"/data/large": chance.randbytes(5_000_000) + bytes(6_000_000),
        b"/data/line\nbreak": b"1",
        b"/data/" + b"n" * 200: b"2",
        b"/data/not-utf8-\xff": b"3",
        b"/data/small": b"content\n",
    }
    items = [
        Item(Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0)),
        Item(Entry(b"/data", FileType.DIRECTORY, 0o2775, 1000, 1000, 981_173_106_000_000_000)),
        Item(Entry(b"/data/empty", FileType.REGULAR, 0o644, 1000, 1000, -5), _source(sources, b"empty", b"")),
        Item(Entry(b"/data/fifo", FileType.FIFO, 0o644, 3_000_000_000, 1000, 1)),
        Item(Entry(b"/data/link", FileType.SYMLINK, 0o777, 1000, 1000, 2, target=b"../nowhere")),
        Item(Entry(b"/data/placeholder", FileType.REGULAR, 0o644, 0, 0, 0, 123_456_789, placeholder=True)),
        Item(Entry(b"/data/zz-link", FileType.REGULAR, 0o644, 1000, 1000, 3, 8, link=b"/data/small")),
    ]
    for number, (path, content) in enumerate(contents.items()):
        source = _source(sources, b"small" if path.endswith(b"small") else b"%d" % number, content)
        entry = Entry(path, FileType.REGULAR, 0o644, 1000, 1000, 981_173_106_000_000_007, len(content), reason="read")
        items.append(Item(entry, source))
    if without:
        (sources / without.decode()).unlink()
    results = (
        Result("run1", b"/data/fifo", FileType.FIFO, 0o600),
        Result("run1", b"/data/gone", None),
        Result("run1", b"/data/out", FileType.REGULAR, 0o644, 3, hashlib.sha256(WRITTEN[0]).hexdigest()),
    )
    trace = folder / "trace.sqlite3"
    trace.write_bytes(b"a database " * 1000)
    ordered = tuple(sorted(items, key=lambda item: item.entry.path))
    target = folder / "bundle.rpz"
    identity = write_bundle(target, MANIFEST, ordered, results, trace, records=RECORDS, written=WRITTEN)
    return Sample(target, identity, ordered, contents, results, trace)


def _source(folder: Path, name: bytes, content: bytes) -> bytes:
    path = folder / name.decode()
    path.write_bytes(content)
    return bytes(path)
