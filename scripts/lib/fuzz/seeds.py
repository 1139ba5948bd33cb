"""What fuzzing begins with: small bundles made by rtrace's own packer and by ReproZip, taken apart."""

import functools
import io
import os
import sqlite3
import tarfile
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import zstandard

from fuzz.reprozip_sealing import seal_reprozip
from fuzz.sealing import seal
from fuzz.sections import join
from rtrace.bundle import members
from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.bundle.tar import REGULAR
from rtrace.bundle.writing.bundle_writer import Item, write_bundle
from rtrace.manifest.model import Input, Manifest, NamedFile, Notice, Output, Package, Run
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.reprozip.reading.byte_sources import Decompressed, take
from rtrace.reprozip.reading.container import CONFIG, TRACE, open_container
from rtrace.trace.schema import SCHEMA

_SMALL = 64 << 10
"""Bytes of the largest seed; a mutation of a larger one is slow."""


def make_seeds(target: str, checkout: Path) -> Iterator[bytes]:
    """Yield the seeds of a target."""
    ours, samples = make_bundle(), _samples(checkout)
    whole = seal(join(ours))
    match target:
        case "bundle":
            yield join(ours)
            for letter in "LDINWSFOPRXC":
                yield join({"plan": letter.encode(), **ours, "table": b"\0" * 9, "after": bytes(900)})
        case "raw":
            yield whole
            yield from (seal_reprozip(join(sample)) for sample in samples)
        case "manifest":
            yield ours["manifest"]
            once = load(ours["manifest"])
            yield render(replace(once, runs=(*once.runs, replace(once.runs[0], id="run2")))).encode()
        case "reprozip":
            for sample in samples:
                for plan in (b"", b"1", b"z", b"g", b"b", b"x", b"te", b"BX", b"1gd", b"zo", b"A"):
                    yield join({"plan": plan, **sample})
        case "config":
            yield from (sample["config"] for sample in samples)
        case "database":
            yield from (sample["trace"] for sample in samples if "trace" in sample)


def make_bundle() -> dict[str, bytes]:
    """Return a bundle taken apart."""
    with tarfile.open(fileobj=io.BytesIO(pack_bundle())) as outer:
        found = {member.name: outer.extractfile(member) for member in outer}
        parts = {key: file.read() for key, file in found.items() if file is not None}
    return {
        "manifest": parts[members.MANIFEST].split(b"digests:\n")[0],
        "files": zstandard.decompress(parts[members.FILES]),
        "records": zstandard.decompress(parts[members.RECORDS]),
        "results": zstandard.decompress(parts[members.RESULTS]),
        "trace": parts[members.TRACE],
        "content": b"content\n",
    }


def pack_bundle() -> bytes:
    """Pack a bundle with every kind of entry and of everything in a manifest."""
    run = Run(
        id="run1",
        argv=(b"./run.sh", b"\xff", b"a b"),
        binary=b"/data/run.sh",
        workingdir=b"/data",
        environ=((b"PATH", b"/usr/bin"), (b"ODD", b"\xfe\n"), (b"API_KEY", b"0123456789abcdef0123456789abcdef")),
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
        stdin=Input(b"/data/f", 1),
        stdout=Output("terminal", 5, "a" * 64, (24, 80), joined=True),
        stderr=Output("pipe", cut=True),
    )
    manifest = Manifest(
        "0.1.0",
        (run,),
        inputs=(NamedFile("in", b"/data/f", ("run1",)),),
        outputs=(NamedFile("out", b"/data/out", ("run1",), b"/data/o*"),),
        packages=(Package("libc6", "2.36-9", "amd64", "dpkg", 2, 100),),
        exclude=(b"*.pyc", b"\xff"),
        include=(b"/data/**",),
        notices=(Notice("service", "it asked a server", "copy what it answered"),),
    )
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = folder / "source"
        source.write_bytes(b"content\n")
        content = bytes(source)
        items = (
            Item(Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0)),
            Item(Entry(b"/data", FileType.DIRECTORY, 0o2775, 1000, 1000, 981_173_106_000_000_000)),
            Item(Entry(b"/data/f", FileType.REGULAR, 0o644, 0, 0, 7, 8, package="libc6"), content, mtime_ns=0),
            Item(Entry(b"/data/fifo", FileType.FIFO, 0o644, 3_000_000_000, 1000, -1)),
            Item(Entry(b"/data/h", FileType.REGULAR, 0o644, 0, 0, 7, 8, link=b"/data/f")),
            Item(Entry(b"/data/l", FileType.SYMLINK, 0o777, 1000, 1000, 2, target=b"../nowhere")),
            Item(Entry(b"/data/not-utf8-\xff", FileType.REGULAR, 0o4755, 1, 1, 7, 8), content, mtime_ns=0),
            Item(Entry(b"/data/p", FileType.REGULAR, 0o644, 0, 0, 0, 123_456, placeholder=True)),
        )
        os.utime(source, ns=(0, 0))
        results = (
            Result("run1", b"/data/gone", None),
            Result("run1", b"/data/l", FileType.SYMLINK, 0o777, target=b"x"),
            Result("run1", b"/data/out", FileType.REGULAR, 0o644, 3, "a" * 64),
        )
        trace = folder / "trace.sqlite3"
        _make_trace(trace)
        write_bundle(folder / "b.rpz", manifest, items, results, trace, records=(b"{}\n",))
        return (folder / "b.rpz").read_bytes()


def _make_trace(path: Path) -> None:
    """Write a small trace: of its tables only those that are read of a bundle's, with a row each."""
    connection = sqlite3.connect(path)
    connection.executescript(SCHEMA)
    for name in _tables(connection) - {"environments", "executions", "paths"}:
        connection.execute(f"DROP TABLE {name}")
    connection.execute("INSERT INTO environments VALUES (1, ?)", (b"TOKEN=x\0",))
    connection.execute("INSERT INTO paths VALUES (1, ?)", (b"/bin/true",))
    connection.commit()
    _make_small(connection)


def _tables(connection: sqlite3.Connection) -> set[str]:
    return {name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")}


def _make_small(connection: sqlite3.Connection) -> None:
    """Leave a few rows in small pages."""
    for name in _tables(connection):
        connection.execute(f"DELETE FROM {name} WHERE id > 5")  # noqa: S608
    connection.commit()
    connection.execute("PRAGMA journal_mode = DELETE")
    connection.execute("PRAGMA page_size = 512")
    connection.execute("VACUUM")
    connection.close()


def _small_database(content: bytes) -> bytes:
    """Make a database small, as a seed should be."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "trace.sqlite3"
        path.write_bytes(content)
        _make_small(sqlite3.connect(path))
        return path.read_bytes()


@functools.cache
def _samples(checkout: Path) -> tuple[dict[str, bytes], ...]:
    """Take ReproZip's own bundles apart, the contents of their files made short."""
    samples = []
    for path in sorted((checkout / "fixtures/reprozip").glob("*.rpz")):
        with path.open("rb") as file:
            found: dict[str, bytes] = {}
            inner: list[bytes] = []
            for part in open_container(file).parts():
                if part.name == CONFIG:
                    found["config"] = take(part.source, part.size)
                elif part.name.startswith(TRACE):
                    trace = Decompressed(part.source, 1 << 30) if part.name.endswith(b".gz") else part.source
                    found["trace"] = _small_database(take(trace, 1 << 20, whole=False))
                elif part.member is not None and part.name.startswith(b"DATA/"):
                    member = part.member
                    inner.append(
                        b"%b|%b|%b|%b" % (member.kind, part.name, member.link, b"x" * (member.kind == REGULAR))
                    )
                elif part.name == b"DATA.tar.gz":
                    inner += _list_members(take(part.source, part.size))
        if len(found.get("config", b"")) < _SMALL:
            samples.append({**found, "members": b"\n".join(inner[:30])})
    return tuple(samples)


def _list_members(data: bytes) -> list[bytes]:
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:*") as archive:
        return [
            b"%b|%b|%b|%b"
            % (member.type, os.fsencode(member.name), os.fsencode(member.linkname), b"x" * member.isreg())
            for member in archive
        ]
