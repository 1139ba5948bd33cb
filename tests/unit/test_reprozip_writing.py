"""Bundles for ReproZip as rtrace writes them: nothing lost for rtrace, the same bytes each time, nothing believed."""

import gzip
import hashlib
import io
import os
import sqlite3
import tarfile
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_making import make_run
from bundle_samples import make_bundle
from reprozip_editing import convert, describe, open_extended, read_parts, write_parts
from rtrace.bundle import tar
from rtrace.bundle.data.gzip_writer import GzipWriter
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError
from rtrace.manifest.model import Comparison, Input, Manifest, NamedFile, Package
from rtrace.manifest.reading.load import load
from rtrace.opening import open_bundle
from rtrace.operations.check import check_bundle
from rtrace.reprozip.reading import extension
from rtrace.reprozip.reading.config import load_config
from rtrace.reprozip.reading.trace_database import read_database
from rtrace.reprozip.writing.config_writer import kept_environment, render_config
from rtrace.reprozip.writing.losses import list_losses
from rtrace.reprozip.writing.naming import merge_names
from rtrace.reprozip.writing.trace_writer import _FLAGS, _SOCKET, write_trace
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle of rtrace with every kind of entry, and the same for ReproZip."""
    folder = tmp_path_factory.mktemp("pair")
    own = make_bundle(folder).path
    convert(own, folder / "theirs.rpz")
    return own, folder / "theirs.rpz"


def test_nothing_is_lost_for_rtrace(pair: tuple[Path, Path]) -> None:
    """Entries, results, manifest, trace and every content of the converted bundle are those of the original."""
    own, theirs = pair
    with open_bundle(own) as one, open_extended(theirs) as other:
        assert isinstance(one, Bundle)
        assert describe(other) == describe(one)
        assert other.keeps_digests
        assert b"".join(other.read_file(b"/data/zz-link")) == b"content\n"
        one.extract_trace(own.with_name("one"))
        other.extract_trace(own.with_name("other"))
        with pytest.raises(BundleError, match="only the size"):
            b"".join(other.read_file(b"/data/placeholder"))
        with pytest.raises(BundleError, match="holds no /nowhere"):
            b"".join(other.read_file(b"/nowhere"))
    assert own.with_name("one").read_bytes() == own.with_name("other").read_bytes()
    assert check_bundle(theirs).problem is None
    assert check_bundle(theirs).note is None


def test_data_is_a_tar_that_every_tool_reads(pair: tuple[Path, Path]) -> None:
    """Python's tarfile finds files, folders, symlinks, FIFO and holes; further hard links are files of their own."""
    parts = read_parts(pair[1])
    assert parts["METADATA/version"] == b"REPROZIP VERSION 2\n"
    assert next(iter(parts)) == "METADATA/version"
    unzip = zlib.decompressobj(wbits=31)
    unzip.decompress(parts["DATA.tar.gz"])
    assert unzip.eof
    assert unzip.unused_data == b""  # one member: the rest of several would not be looked at
    with tarfile.open(fileobj=io.BytesIO(parts["DATA.tar.gz"]), mode="r:gz") as archive:
        members = {member.name: member for member in archive}
        link = archive.extractfile("DATA/data/zz-link")
        hole = archive.extractfile("DATA/data/placeholder")
        assert link is not None
        assert hole is not None
        assert link.read() == b"content\n"
        assert hole.read(10) == bytes(10)
    assert "DATA" not in members
    assert members["DATA/data"].isdir()
    assert members["DATA/data"].mode == 0o2775
    assert members["DATA/data/link"].linkname == "../nowhere"
    assert members["DATA/data/fifo"].isfifo()
    assert members["DATA/data/fifo"].uid == 3_000_000_000
    assert members["DATA/data/placeholder"].size == 123_456_789
    assert members["DATA/data/zz-link"].isreg()
    assert members[os.fsdecode(b"DATA/data/not-utf8-\xff")].isreg()
    assert not any(member.islnk() for member in members.values())


@pytest.mark.parametrize(
    "change, problem",
    [
        (lambda data: data + bytes(512), "does not end as a tar does"),
        (lambda data: data[:-512], "ends too early"),
        (lambda data: data.replace(b"content\n", b"CONTENT\n", 1), "is not what was packed"),
        (lambda data: tar.header(b"DATA/more", tar.REGULAR) + data, "does not agree with the index"),
    ],
)
def test_data_that_lie_are_refused(
    change: Callable[[bytes], bytes], problem: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """Data with more, less or something else than the index says are refused, though every digest agrees."""
    parts = read_parts(pair[1])
    data = gzip.decompress(parts[extension.DATA])
    parts[extension.DATA] = gzip.compress(change(data), mtime=0)
    path = write_parts(tmp_path / "lying.rpz", parts)
    with open_extended(path) as bundle, pytest.raises(BundleError, match=problem):
        bundle.check()


def test_data_that_are_not_compressed_are_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A plain tar in the place of the compressed one is none that rtrace wrote."""
    parts = read_parts(pair[1])
    parts[extension.DATA] = gzip.decompress(parts[extension.DATA])
    with open_extended(write_parts(tmp_path / "lying.rpz", parts)) as bundle, pytest.raises(BundleError):
        bundle.check()


def test_manifest_with_other_runs_is_not_followed(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A manifest by which rtrace would run something else than ReproZip is not used, however well it is proven."""
    parts = read_parts(pair[1])
    manifest = load(parts[extension.MANIFEST], "manifest")
    other = replace(manifest.runs[0], argv=(b"rm", b"-rf", b"/"))
    for number, runs in enumerate([(other,), (manifest.runs[0], replace(other, id="more"))]):
        path = write_parts(tmp_path / f"{number}.rpz", parts, runs=runs)
        assert "METADATA/config.yml has" in (check_bundle(path).problem or "")


def test_large_version_or_manifest_is_refused(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """A member that is larger than rtrace writes it is not read into memory."""
    parts = read_parts(pair[1])
    parts[extension.MANIFEST] += b"#" * (17 << 20)
    path = write_parts(tmp_path / "large.rpz", parts, proven=False)
    assert "larger than any that rtrace writes" in (check_bundle(path).problem or "")


@settings(deadline=None, max_examples=30)
@given(pieces=st.lists(st.integers(0, 3 << 19), max_size=5), seed=st.binary(min_size=1, max_size=40))
def test_gzip_stream_is_the_same_however_it_is_written(pieces: list[int], seed: bytes) -> None:
    """One member of gzip, whose bytes follow from the content alone, and which gives the content back."""
    content = (seed * (sum(pieces) // len(seed) + 1))[: sum(pieces)]
    streams = []
    for cuts in (pieces, [len(content)]):
        file = io.BytesIO()
        with GzipWriter(file) as writer:
            position = 0
            for length in cuts:
                writer.write(content[position : position + length])
                position += length
            assert writer.position == len(content)
            assert writer.finish() == hashlib.sha256(file.getvalue()).hexdigest()
        streams.append(file.getvalue())
    assert streams[0] == streams[1]
    unzip = zlib.decompressobj(wbits=31)
    assert unzip.decompress(streams[0]) == content
    assert unzip.eof
    assert unzip.unused_data == b""


WORDS = st.binary(max_size=20).map(lambda word: word.replace(b"\0", b"?"))

NAMES = st.binary(min_size=1, max_size=20).map(lambda word: word.replace(b"\0", b"?").replace(b"=", b"-"))


@settings(deadline=None)
@given(argv=st.lists(WORDS, min_size=1), environ=st.lists(st.tuples(NAMES, WORDS)), path=WORDS)
def test_configuration_says_what_the_manifest_says(
    argv: list[bytes], environ: list[tuple[bytes, bytes]], path: bytes
) -> None:
    """Any bytes, as arguments, variables, names and paths, come back from the configuration that is written.

    A folder, which has a slash at its end, is none that `reprounzip` could exchange.
    """
    run = make_run(argv=tuple(argv), environ=tuple(environ), binary=b"/" + path, workingdir=b"/work/" + path)
    entry = Entry(b"/x" + path, FileType.REGULAR, 0o644, 0, 0, 0, 1)
    manifest = Manifest("0.1.0", (run,), inputs=(NamedFile("in: put", b"/x" + path, ("run1",)),))
    text = "".join(render_config(manifest, [entry], "id", ()))
    config = load_config(text.encode(), "config.yml")
    assert config.version == "0.8"
    assert config.other_files == (b"/x" + path,)
    assert config.inputs == (() if path.endswith(b"/") else manifest.inputs)
    (found,) = config.runs
    assert found == replace(run, environ=kept_environment(run), umask=0o022, groups=(), started=None, finished=None)


def test_packages_and_names_are_listed_as_reprozip_has_them() -> None:
    """Files of the distribution's packages are theirs; all others, those of pip too, are other files."""
    packages = (
        Package("coreutils", "9.1", "amd64", "dpkg", 1, 1),
        Package("numpy", "2.0", "", "pip", 1, 1),
        Package("left-out", "1:2.0-1", "amd64", "dpkg", 3, 3, pack=False),
    )
    entries = [
        Entry(b"/", FileType.DIRECTORY, 0o755, 0, 0, 0),
        Entry(b"/bin/cat", FileType.REGULAR, 0o755, 0, 0, 0, 2048, package="coreutils"),
        Entry(b"/lib/numpy.py", FileType.REGULAR, 0o644, 0, 0, 0, 1, package="numpy"),
        Entry(b"/lib/x", FileType.SYMLINK, 0o777, 0, 0, 0, target=b"new\nline"),
    ]
    manifest = Manifest("0.1.0", (make_run(),), packages=packages)
    text = "".join(render_config(manifest, entries, "id", list_losses(manifest, entries, None)))
    config = load_config(text.encode(), "config.yml")
    assert [(package.name, package.packed, package.files) for package in config.packages] == [
        ("coreutils", True, (b"/bin/cat",)),
        ("left-out", False, ()),
    ]
    assert config.other_files == (b"/lib/numpy.py", b"/lib/x")
    assert '- "/bin/cat" # 2.0 KiB\n' in text
    assert '- "/lib/x" # Link to new\\nline\n' in text
    assert "additional_patterns" not in text  # with which no unpacker takes it


def test_names_are_in_one_list() -> None:
    """A file that is read and written is listed once; two files with one name get two."""
    runs = (make_run(), make_run(id="run2"))
    manifest = Manifest(
        "0.1.0",
        runs,
        inputs=(NamedFile("a", b"/a", ("run1",)), NamedFile("log", b"/log", ("run2",)), NamedFile("n", b"/n", ())),
        outputs=(NamedFile("log", b"/log", ("run1",)), NamedFile("a", b"/out/a", ("run2",))),
    )
    names = merge_names(manifest)
    assert [(file.name, file.path, file.readers, file.writers) for file in names.files] == [
        ("a", b"/a", (0,), ()),
        ("log", b"/log", (1,), (0,)),
        ("n", b"/n", (0, 1), ()),
        ("a_2", b"/out/a", (), (1,)),
    ]
    assert names.renamed == ("a (now a_2)",)


@pytest.mark.parametrize(
    "kind, changes, files",
    [
        ("umask", {"umask": 0o077}, {}),
        ("groups", {"groups": (4321, 7)}, {}),
        ("stdin", {"stdin": Input(b"/in")}, {}),
        ("environment", {"environ": ((b"A", b"1"), (b"A", b"2"))}, {}),
        ("environment", {"environ": ((b"A", None),)}, {}),
        ("not-utf-8", {"argv": (b"sh", b"\xff")}, {}),
        ("long-command", {"environ": ((b"A", b"x" * 120_000),)}, {}),
        ("no-exit-status", {"exit_code": None}, {}),
        ("hard-links", {}, {"link": b"/in"}),
        ("placeholders", {}, {"placeholder": True}),
        ("attributes", {}, {"xattrs": ((b"user.note", b"1"),)}),
    ],
)
def test_what_the_format_cannot_hold_is_told_once(kind: str, changes: dict[str, Any], files: dict[str, Any]) -> None:
    """Each kind of thing has one notice, for however many runs and files; without any there is the general one."""
    entry = Entry(b"/x", FileType.REGULAR, 0o644, 0, 0, 0, 1)
    plain = Manifest("0.1.0", (make_run(),))
    assert [loss.kind for loss in list_losses(plain, [entry], None)] == ["only-for-rtrace"]
    runs = tuple(make_run(id=f"run{number}", **changes) for number in range(9))
    losses = list_losses(Manifest("0.1.0", runs), [entry._replace(**files)] * 9, None)
    assert [loss.kind for loss in losses] == ["only-for-rtrace", kind]
    assert "and 4 more" in losses[1].what


def test_other_losses_are_told() -> None:
    """So are new names, patterns, packages that no distribution has, and a trace that cannot be read."""
    manifest = Manifest(
        "0.1.0",
        (make_run(),),
        inputs=(NamedFile("a", b"/a", ("run1",)),),
        outputs=(NamedFile("a", b"/b", ("run1",), b"/?", Comparison(0.5)),),
        packages=(Package("numpy", "2.0", "", "pip", 1, 1, pack=False),),
    )
    kinds = [loss.kind for loss in list_losses(manifest, [], "it is none")]
    assert kinds == ["only-for-rtrace", "renamed", "compare", "patterns", "packages-left-out", "no-trace"]


def test_flags_are_those_of_the_trace() -> None:
    """The numbers in the writer, which may not import the tracer's half, are those of the trace database."""
    assert [flags for flags, _ in _FLAGS] == [
        Use.READ | Use.LIST | Use.EXECUTE,
        Use.WRITE | Use.TRUNCATE | Use.CREATE | Use.APPEND,
    ]
    assert _SOCKET == Use.SOCKET


def test_runs_that_overlap_are_put_behind_each_other(tmp_path: Path) -> None:
    """Ranks of one job: processes numbered anew, the first of each run without a parent, times that go on."""
    trace = TraceBuilder(tmp_path)
    (tmp_path / "in").write_text("1")
    for started in (1_700_000_000.0, 1_700_000_000.5):
        trace.begin()
        run = trace.run
        trace.connection.execute("UPDATE runs SET started = ? WHERE id = ?", (started, run))
        for process, parent, begun in ((run * 10, None, 5), (run * 10 + 1, run * 10, 5), (run * 10 + 2, None, 9)):
            trace.connection.execute(
                "INSERT INTO processes(id, run, parent, pid, is_thread, started, exit_code, signal)"
                " VALUES (?, ?, ?, ?, 0, ?, ?, ?)",
                (process, run, parent, process, begun, 3, 9 if begun == 9 else None),
            )
        number = trace.touch(tmp_path / "in")
        trace.connection.execute("INSERT INTO uses VALUES (NULL, ?, ?, 2000000000, ?, 1)", (run, run * 10 + 1, number))
        trace.connection.execute("INSERT INTO uses VALUES (NULL, ?, ?, 1, ?, 512)", (run, run * 10 + 2, number))
        trace.connection.execute("INSERT OR IGNORE INTO environments VALUES (1, ?)", (b"A=\xff\0",))
        execution = (run, run * 10, number, b"./x\0\xff\0", bytes(tmp_path))
        trace.connection.execute("INSERT INTO executions VALUES (NULL, ?, ?, 5, ?, ?, 1, ?)", execution)
        connect = (run, run * 10, "inet", "10.0.0.1", 80)
        trace.connection.execute("INSERT INTO connections VALUES (NULL, ?, ?, 7, 'connect', ?, ?, ?)", connect)
    trace.finish()
    runs = [make_run(id=f"run{number}", started=1_700_000_000.0) for number in (1, 2, 3)]
    assert write_trace(trace.directory.database, tmp_path / "theirs", runs) is None
    with closing(sqlite3.connect(tmp_path / "theirs")) as connection:
        processes = connection.execute("SELECT id, run_id, parent, exitcode FROM processes ORDER BY id").fetchall()
        assert processes == [
            (1, 0, None, 3),
            (2, 0, 1, 3),
            (3, 0, 1, 0x109),
            (4, 1, None, 3),
            (5, 1, 4, 3),
            (6, 1, 4, 0x109),
            (7, 2, None, 0),
        ]
        times = [time for (time,) in connection.execute("SELECT timestamp FROM processes ORDER BY id")]
        assert times == sorted(times)
        last = connection.execute("SELECT max(timestamp) FROM opened_files WHERE run_id = 0").fetchone()[0]
        assert times[0] == 1_700_000_000 * 10**9 + 5
        assert last == 1_700_000_002 * 10**9
        assert times[3] > last
        modes = connection.execute("SELECT process, mode FROM opened_files ORDER BY id").fetchall()
        assert modes == [(1, 4), (3, 34), (2, 1), (4, 4), (6, 34), (5, 1), (7, 4)]
        early = connection.execute(  # `graph` sorts a program before a process of the same time, and does not find it
            "SELECT count(*) FROM executed_files JOIN processes ON processes.id = process"
            " WHERE executed_files.timestamp <= processes.timestamp"
        ).fetchone()
        assert early == (0,)
        argv, envp = connection.execute("SELECT argv, envp FROM executed_files").fetchone()
        assert (argv, envp) == ("./x\0�\0", "A=�\0")
        addresses = connection.execute("SELECT run_id, process, inbound, family, address FROM connections").fetchall()
        assert addresses == [(0, 1, 0, "inet", "10.0.0.1:80"), (1, 4, 0, "inet", "10.0.0.1:80")]
    traced = read_database(tmp_path / "theirs", 3)
    assert traced.exits == {0: (3, None), 1: (3, None), 2: (0, None)}


@pytest.mark.parametrize("hostile", ["nothing", "text", "view", "types"])
def test_trace_that_cannot_be_read_gives_the_beginnings(hostile: str, tmp_path: Path) -> None:
    """A trace that is none, or that asks for endless work, costs the graph and nothing else."""
    path = tmp_path / "own"
    match hostile:
        case "nothing":
            path.write_bytes(b"")
        case "text":
            path.write_bytes(b"a database " * 1000)
        case _:
            trace = TraceBuilder(tmp_path)
            trace.begin()
            if hostile == "view":
                trace.connection.execute("DROP TABLE uses")
                trace.connection.execute(
                    "CREATE VIEW uses AS WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n)"
                    " SELECT x AS id, 1 AS run, 1 AS process, x AS time, 1 AS path, 1 AS use FROM n"
                )
            else:
                trace.connection.execute(
                    "INSERT INTO processes(id, run, pid, is_thread, started, exit_code, signal)"
                    " VALUES (1, 1, 1, 0, 'soon', x'00', 'x')"
                )
            path = trace.finish().database
    runs = [make_run(), make_run(id="run2", exit_code=None, signal=9)]
    assert write_trace(path, tmp_path / "theirs", runs)
    with closing(sqlite3.connect(tmp_path / "theirs")) as connection:
        assert connection.execute("SELECT id, run_id, parent, exitcode FROM processes").fetchall() == [
            (1, 0, None, 0),
            (2, 1, None, 0x109),
        ]
        assert connection.execute("SELECT count(*) FROM executed_files").fetchone() == (2,)
