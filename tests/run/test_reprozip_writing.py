"""Bundles for ReproZip as rtrace writes them: nothing lost for rtrace, the same bytes each time, nothing believed."""

import gzip
import hashlib
import io
import os
import shutil
import sqlite3
import subprocess
import sys
import tarfile
import tracemalloc
import zlib
from collections.abc import Callable
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bundle_making import BundleMaker, make_run, wrote
from bundle_samples import make_bundle
from observing import run_rtrace
from rtrace.bundle import tar
from rtrace.bundle.data.archive import compress_frame, decompress_frame, frame_size
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.writing.member_writer import write_member
from rtrace.errors import BundleError, HostileBundleError
from rtrace.manifest.model import Input, Manifest, NamedFile, Package
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.opening import open_bundle
from rtrace.operations.audit import audit_bundle
from rtrace.operations.check import check_bundle
from rtrace.operations.export import convert
from rtrace.reprozip.extended import ExtendedBundle
from rtrace.reprozip.reading import extension
from rtrace.reprozip.reading.config import load_config
from rtrace.reprozip.reading.reprozip_bundle import ReprozipBundle
from rtrace.reprozip.reading.trace_database import read_database
from rtrace.reprozip.writing.config_writer import kept_environment, render_config
from rtrace.reprozip.writing.gzip_writer import GzipWriter
from rtrace.reprozip.writing.losses import list_losses
from rtrace.reprozip.writing.naming import merge_names
from rtrace.reprozip.writing.trace_writer import _FLAGS, _SOCKET, write_trace
from rtrace.trace.schema import Use
from trace_builder import TraceBuilder

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]
DIGESTS = extension.DIGESTED


def describe(bundle: Bundle) -> tuple[object, ...]:
    """Give all that an open bundle answers, but for where things lie in it."""
    contents = {
        entry.path: hashlib.sha256(b"".join(parts)).hexdigest()
        for entry, parts in bundle.stream_data()
        if entry.path != b"/" and entry.type is FileType.REGULAR
    }
    entries = tuple(entry._replace(offset=None) for entry in bundle.entries)
    return (replace(bundle.manifest, digests={}), entries, bundle.results, contents)


def open_extended(path: Path) -> ExtendedBundle:
    """Open a bundle that must be read by rtrace's own index."""
    bundle = open_bundle(path)
    assert isinstance(bundle, ExtendedBundle)
    return bundle


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle of rtrace with every kind of entry, and the same for ReproZip."""
    folder = tmp_path_factory.mktemp("pair")
    own = make_bundle(folder).path
    convert(own, folder / "theirs.rpz")
    return own, folder / "theirs.rpz"


def read_parts(path: Path) -> dict[str, bytes]:
    """Take the outer tar apart."""
    with tarfile.open(path, "r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def write_parts(path: Path, parts: dict[str, bytes], *, proven: bool = True, **changes: Any) -> Path:
    """Put it together again, as rtrace would: with digests that agree, and a manifest with some changes."""
    if proven:
        manifest = load(parts[extension.MANIFEST], "manifest")
        digests = {name: hashlib.sha256(parts[name]).hexdigest() for name in DIGESTS}
        text = render(replace(manifest, digests=digests, **changes)).encode()
        identity = f"sha256:{hashlib.sha256(text).hexdigest()}\n".encode()
        parts = {**parts, extension.MANIFEST: text, extension.IDENTITY: identity}
    with path.open("xb") as file:
        for name in extension.MEMBERS:
            write_member(file, name, parts[name])
        file.write(tar.END)
    return path


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


def test_copies_are_whole_files_for_reprozip(tmp_path: Path) -> None:
    """What a bundle of rtrace has once, for several files of one content, is there for each; rtrace still knows."""
    maker = BundleMaker(tmp_path)
    for name in (b"a", b"b", b"c"):
        maker.file(b"/work/" + name, b"the same\n", uid=ord(name))
    own = maker.write(make_run())
    convert(own, tmp_path / "theirs.rpz")
    with open_bundle(own) as one, open_extended(tmp_path / "theirs.rpz") as other:
        assert isinstance(one, Bundle)
        assert [entry.path for entry in other.entries if entry.copy_of == b"/work/a"] == [b"/work/b", b"/work/c"]
        assert describe(other) == describe(one)
        assert b"".join(other.read_file(b"/work/c")) == b"the same\n"
        other.check()
    data = io.BytesIO(read_parts(tmp_path / "theirs.rpz")["DATA.tar.gz"])
    with tarfile.open(fileobj=data, mode="r:gz") as archive:
        for letter in ("a", "b", "c"):
            file = archive.extractfile(f"DATA/work/{letter}")
            assert file is not None
            assert file.read() == b"the same\n"
            assert archive.getmember(f"DATA/work/{letter}").uid == ord(letter)


def test_holes_stay_holes(tmp_path: Path) -> None:
    """The data of a sparse file lie in the tar without its holes, as every tool reads them; a link has zeros."""
    work = tmp_path / "work"
    work.mkdir()
    with (work / "sparse").open("wb") as file:
        for place, part in ((10 << 20, b"x" * 70_000), (20 << 20, b"y" * 5_000), (29 << 20, b"z")):
            file.seek(place)
            file.write(part)
        file.truncate(30 << 20)
    os.link(work / "sparse", work / "zlink")
    content = (work / "sparse").read_bytes()
    script = "sha256sum sparse zlink; du -k sparse | cut -f1"
    assert run_rtrace("trace", "-q", "sh", "-c", script, cwd=work).returncode == 0
    for form in ("rtrace", "reprozip"):
        packed = run_rtrace("pack", "--format", form, tmp_path / form, cwd=work)
        assert packed.returncode == 0, packed.stderr
    shutil.rmtree(work)
    with open_bundle(tmp_path / "rtrace") as one, open_extended(tmp_path / "reprozip") as other:
        assert isinstance(one, Bundle)
        entry = other.find(bytes(work / "sparse"))
        assert entry is not None
        assert entry.segments is not None
        assert describe(other) == describe(one)
        other.check()
    with tarfile.open(fileobj=io.BytesIO(read_parts(tmp_path / "reprozip")["DATA.tar.gz"]), mode="r:gz") as archive:
        for name, is_sparse in (("sparse", True), ("zlink", False)):
            member = archive.getmember(f"DATA{work}/{name}")
            copy = archive.extractfile(member)
            assert copy is not None
            assert copy.read() == content
            assert member.issparse() == is_sparse
    verified = run_rtrace("verify", tmp_path / "reprozip")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_converting_twice_gives_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Neither time zone, locale, umask nor the number of cores has an influence, nor the name of the file."""
    script = 'umask 0077; exec taskset -c 0 "$@"'
    settings = {**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "de_DE", "SOURCE_DATE_EPOCH": "1"}
    command = [sys.executable, "-m", "rtrace", "convert", str(pair[0]), str(tmp_path / "again.rpz")]
    subprocess.run(["sh", "-c", script, "sh", *command], check=True, env=settings, capture_output=True)
    assert (tmp_path / "again.rpz").read_bytes() == pair[1].read_bytes()


def make_study(folder: Path) -> None:
    """Trace a run that reads, changes, lists and removes."""
    (folder / "listed").mkdir(parents=True)
    for name in ("in", "log", "gone", "listed/file"):
        (folder / name).write_text(f"{name}, as it was\n")
    os.link(folder / "in", folder / "same")
    script = "umask 027; cat in same; echo more >>log; rm gone; ls listed >names; cat in >out"
    traced = run_rtrace("trace", "sh", "-c", script, cwd=folder)
    assert traced.returncode == 0, traced.stderr


def test_pack_for_reprozip_is_pack_and_convert(rtrace: Command, tmp_path: Path) -> None:
    """`pack --format reprozip` gives the bytes of `pack` and `convert`, and leaves nothing else behind."""
    make_study(tmp_path / "study")
    assert rtrace("pack", tmp_path / "own.rpz", cwd=tmp_path / "study").returncode == 0
    packed = rtrace("pack", "--format", "reprozip", tmp_path / "one.rpz", cwd=tmp_path / "study")
    converted = rtrace("convert", "own.rpz", "two.rpz")
    for done in (packed, converted):
        assert done.returncode == 0, done.stderr
        assert (b"not for ReproZip: digests, " in done.stderr, done.stdout) == (True, b"")
    assert (tmp_path / "one.rpz").read_bytes() == (tmp_path / "two.rpz").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["one.rpz", "own.rpz", "study", "two.rpz"]
    assert b"its identity is sha256:" + check(rtrace, tmp_path / "one.rpz") in packed.stderr


def check(rtrace: Command, bundle: Path) -> bytes:
    """Give the identity of a bundle that `rtrace check` calls whole."""
    done = rtrace("check", bundle)
    assert done.returncode == 0, done.stdout
    return done.stdout.rpartition(b"sha256:")[2].strip()


@pytest.mark.parametrize(
    "unpacker",
    [
        pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
        pytest.param("docker", marks=pytest.mark.requires("docker")),
    ],
)
def test_round_trip_verifies(unpacker: str, rtrace: Command, tmp_path: Path) -> None:
    """What was packed for ReproZip is unpacked, replayed and verified by rtrace as a bundle of its own."""
    make_study(tmp_path / "study")
    bundle = tmp_path / "theirs.rpz"
    assert rtrace("pack", "--format", "reprozip", bundle, cwd=tmp_path / "study").returncode == 0
    shutil.rmtree(tmp_path / "study")
    verified = rtrace("verify", "--unpacker", unpacker, bundle)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for name in ("log", "gone", "names", "out"):
        assert f"same       {tmp_path}/study/{name}\n".encode() in verified.stdout
    assert b"unknown" not in verified.stdout
    if unpacker == "chroot":
        assert rtrace("unpack", unpacker, bundle, "target").returncode == 0
        for replayed in ("target", bundle):
            run = rtrace("run", replayed)
            assert (run.stdout, run.returncode) == (b"in, as it was\n" * 2, 0)
        assert rtrace("destroy", "target").returncode == 0
        info = rtrace("info", bundle).stdout
        assert b"for ReproZip" in info
        assert b"not captured: ReproZip" not in info
        assert b"listed" in rtrace("list", bundle).stdout
        assert audit_bundle(bundle) == ()


def test_every_changed_byte_is_found(tmp_path: Path) -> None:
    """Whatever byte of a converted bundle is another, `check` says so."""
    maker = BundleMaker(tmp_path)
    del maker.items[b"/bin/busybox"]
    maker.file(b"/work/in", b"input\n")
    convert(maker.write(make_run(), results=(wrote(b"/work/out", b"1"),)), tmp_path / "theirs.rpz")
    content = (tmp_path / "theirs.rpz").read_bytes()
    assert check_bundle(tmp_path / "theirs.rpz").problem is None
    places = sorted({*range(0, len(content), 211), *range(0, 1600, 7), *range(len(content) - 1100, len(content), 13)})
    for place in places:
        changed = bytearray(content)
        changed[place] ^= 1 << place % 8
        (tmp_path / "changed.rpz").write_bytes(changed)
        assert check_bundle(tmp_path / "changed.rpz").problem is not None, place


def test_damage_is_told_with_its_place(pair: tuple[Path, Path], rtrace: Command, tmp_path: Path) -> None:
    """`check` names the member that is damaged, and the bytes of it."""
    content = bytearray(pair[1].read_bytes())
    place = content.index(b"DATA.tar.gz") + 512 + 100_000
    content[place] ^= 1
    (tmp_path / "changed.rpz").write_bytes(content)
    done = rtrace("check", "changed.rpz")
    assert done.returncode == 1
    assert b"DATA.tar.gz is not what was packed" in done.stdout
    first, last = map(int, done.stdout.rpartition(b"(bytes ")[2].rstrip(b")\n").split(b" to "))
    assert first <= place <= last


def test_edited_configuration_takes_the_extension_away(tmp_path: Path) -> None:
    """Somebody who edits config.yml means it: the bundle is read as ReproZip would, which is told; `check` fails."""
    maker = BundleMaker(tmp_path)
    maker.add(Entry(b"/work/outline", FileType.REGULAR, 0o644, 7, 7, 0, 12345, placeholder=True))
    theirs = tmp_path / "theirs.rpz"
    convert(maker.write(make_run(b"echo original")), theirs)
    parts = read_parts(theirs)
    parts[extension.CONFIG] = parts[extension.CONFIG].replace(b"echo original", b"echo edited")
    edited = write_parts(tmp_path / "edited.rpz", parts, proven=False)
    with open_bundle(edited) as bundle:
        assert isinstance(bundle, ReprozipBundle)
        assert bundle.manifest.runs[0].argv == (b"sh", b"-c", b"echo edited", b"zero")
        (notice,) = [notice for notice in bundle.manifest.notices if notice.kind == "extension-ignored"]
        assert "METADATA/config.yml is not what was packed" in notice.what
        (outline,) = [entry for entry in bundle.entries if entry.path == b"/work/outline"]
        assert (outline.placeholder, outline.size, outline.sha256, outline.uid) == (True, 12345, None, 7)
        assert any(entry.path == b"/bin/busybox" and entry.offset is not None for entry in bundle.entries)
    checked = check_bundle(edited)
    assert "METADATA/config.yml" in (checked.problem or "")
    assert checked.first is not None


def test_repacked_container_takes_the_extension_away(tmp_path: Path) -> None:
    """Whoever packs the parts anew, in another order or compressed, has a bundle of ReproZip as any other."""
    maker = BundleMaker(tmp_path)
    theirs = tmp_path / "theirs.rpz"
    convert(maker.write(make_run(b"echo original")), theirs)
    with tarfile.open(tmp_path / "repacked.rpz", "w:gz") as archive:
        for name, content in reversed(read_parts(theirs).items()):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    with open_bundle(tmp_path / "repacked.rpz") as bundle:
        assert isinstance(bundle, ReprozipBundle)
        assert bundle.manifest.runs[0].argv[2] == b"echo original"
        assert "extension-ignored" in {notice.kind for notice in bundle.manifest.notices}
    assert check_bundle(tmp_path / "repacked.rpz").problem is not None


def change_index(parts: dict[str, bytes], old: bytes, new: bytes) -> dict[str, bytes]:
    """Replace something in the index of a bundle."""
    frame = parts[extension.FILES]
    content = decompress_frame(frame, frame_size(frame))
    assert old in content
    return {**parts, extension.FILES: compress_frame(content.replace(old, new))}


@pytest.mark.parametrize(
    "old, new, problem",
    [
        (b'"path":"/data/small"', b'"path":"/data/../small"', "climbs with '..'"),
        (b'"link":"/data/small"', b'"link":"/etc/passwd"', "which is no regular file before it"),
        (b'"path":"/data/small"', b'"path":"/data/smalm"', "which is no regular file before it|does not agree"),
        (b'"mode":420,"mtime_ns":981173106000000007', b'"mode":493,"mtime_ns":981173106000000007', "does not agree"),
        (b'"target":"../nowhere"', b'"target":"../nowhera"', "does not agree"),
        (b'"size":123456789', b'"size":123456788', "does not agree"),
        (b'"size":8,"type":"file","uid":1000}\n', b'"size":9,"type":"file","uid":1000}\n', "does not agree"),
    ],
)
def test_index_that_lies_is_refused(
    old: bytes, new: bytes, problem: str, pair: tuple[Path, Path], tmp_path: Path
) -> None:
    """An index with digests that agree, of files that the data do not hold, or that may not be, is not followed."""
    path = write_parts(tmp_path / "lying.rpz", change_index(read_parts(pair[1]), old, new))
    with open_extended(path) as bundle, pytest.raises(BundleError, match=problem):
        bundle.check()
    done = run_rtrace("unpack", "chroot", path, tmp_path / "target")
    assert done.returncode == 125
    assert done.stderr.count(b"\n") == 1
    assert not (tmp_path / "target").exists()


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


def test_bundle_of_reprozip_is_not_converted(pair: tuple[Path, Path], rtrace: Command, tmp_path: Path) -> None:
    """What is in ReproZip's format already is refused in a sentence; so are a taken name and a broken bundle."""
    (tmp_path / "taken").write_text("precious")
    broken = bytearray(pair[0].read_bytes())
    broken[broken.index(b"DATA.tar.zst") + 512 + 300_000] ^= 1
    (tmp_path / "broken").write_bytes(broken)
    fixture = Path(__file__).resolve().parents[2] / "fixtures/reprozip/03-c-program.rpz"
    for source, target, sentence in (
        (pair[1], "new", b"in ReproZip's format already"),
        (fixture, "new", b"in ReproZip's format already"),
        (pair[0], "taken", b"taken exists already"),
        (pair[0], "no/folder", b"name another folder"),
        (tmp_path / "broken", "new", b"is damaged"),
        (tmp_path / "nothing", "new", b"cannot open"),
    ):
        done = rtrace("convert", source, target)
        assert done.returncode == 125
        assert sentence in done.stderr
        assert done.stderr.count(b"\n") == 1
    assert sorted(os.listdir(tmp_path)) == ["broken", "taken"]
    assert (tmp_path / "taken").read_text() == "precious"


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A file of 64 MiB passes in pieces, there and back."""
    maker = BundleMaker(tmp_path)
    maker.file(b"/work/large", bytes(64 << 20))
    own = maker.write(make_run())
    del maker
    tracemalloc.start()
    try:
        convert(own, tmp_path / "theirs.rpz")
        with open_bundle(tmp_path / "theirs.rpz") as bundle:
            bundle.check()
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 48 << 20


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
        outputs=(NamedFile("a", b"/b", ("run1",), b"/?"),),
        packages=(Package("numpy", "2.0", "", "pip", 1, 1, pack=False),),
    )
    kinds = [loss.kind for loss in list_losses(manifest, [], "it is none")]
    assert kinds == ["only-for-rtrace", "renamed", "patterns", "packages-left-out", "no-trace"]


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
                "INSERT INTO processes VALUES (?, ?, ?, ?, 0, ?, NULL, ?, ?)",
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
                trace.connection.execute("INSERT INTO processes VALUES (1, 1, NULL, 1, 0, 'soon', NULL, x'00', 'x')")
            path = trace.finish().database
    runs = [make_run(), make_run(id="run2", exit_code=None, signal=9)]
    assert write_trace(path, tmp_path / "theirs", runs)
    with closing(sqlite3.connect(tmp_path / "theirs")) as connection:
        assert connection.execute("SELECT id, run_id, parent, exitcode FROM processes").fetchall() == [
            (1, 0, None, 0),
            (2, 1, None, 0x109),
        ]
        assert connection.execute("SELECT count(*) FROM executed_files").fetchone() == (2,)


def test_symlink_out_of_the_bundle_is_no_way_out(tmp_path: Path) -> None:
    """Entries below a symlink are refused in a converted bundle as in any other."""
    maker = BundleMaker(tmp_path)
    maker.symlink(b"/work/out", b"/etc")
    convert(maker.write(make_run()), tmp_path / "theirs.rpz")
    parts = change_index(read_parts(tmp_path / "theirs.rpz"), b'"path":"/work/out"', b'"path":"/work"')
    path = write_parts(tmp_path / "lying.rpz", parts)
    with open_extended(path) as bundle, pytest.raises(HostileBundleError):
        _ = bundle.entries
