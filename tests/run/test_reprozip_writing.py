"""Bundles for ReproZip as rtrace writes them: nothing lost for rtrace, the same bytes each time, nothing believed."""

import io
import os
import shutil
import subprocess
import sys
import tarfile
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from bundle_samples import make_bundle
from observing import run_rtrace
from reprozip_editing import convert, describe, open_extended, read_parts, write_parts
from rtrace.bundle.data.archive import compress_frame, decompress_frame, frame_size
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError, HostileBundleError
from rtrace.opening import open_bundle
from rtrace.operations.audit import audit_bundle
from rtrace.operations.check import check_bundle
from rtrace.reprozip.reading import extension
from rtrace.reprozip.reading.reprozip_bundle import ReprozipBundle

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A bundle of rtrace with every kind of entry, and the same for ReproZip."""
    folder = tmp_path_factory.mktemp("pair")
    own = make_bundle(folder).path
    convert(own, folder / "theirs.rpz")
    return own, folder / "theirs.rpz"


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
    verified = run_rtrace("verify", "--all", tmp_path / "reprozip")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_converting_twice_gives_the_same_bytes(pair: tuple[Path, Path], tmp_path: Path) -> None:
    """Neither time zone, locale, umask nor the number of cores has an influence, nor the name of the file."""
    script = 'umask 0077; exec taskset -c 0 "$@"'
    settings = {**os.environ, "TZ": "Asia/Kathmandu", "LC_ALL": "C", "LANG": "de_DE", "SOURCE_DATE_EPOCH": "1"}
    command = [
        sys.executable,
        "-m",
        "rtrace",
        "export",
        "-f",
        "reprozip",
        str(pair[0]),
        "-o",
        str(tmp_path / "again.rpz"),
    ]
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
    """`pack --format reprozip` gives the bytes of `pack` and `export`, and leaves nothing else behind."""
    make_study(tmp_path / "study")
    assert rtrace("pack", tmp_path / "own.rpz", cwd=tmp_path / "study").returncode == 0
    packed = rtrace("pack", "--format", "reprozip", tmp_path / "one.rpz", cwd=tmp_path / "study")
    converted = rtrace("export", "-f", "reprozip", "own.rpz", "-o", "two.rpz")
    for done in (packed, converted):
        assert done.returncode == 0, done.stderr
        assert (b"not for ReproZip: digests, " in done.stderr, done.stdout) == (True, b"")
    assert (tmp_path / "one.rpz").read_bytes() == (tmp_path / "two.rpz").read_bytes()
    assert sorted(os.listdir(tmp_path)) == ["one.rpz", "own.rpz", "study", "two.rpz"]
    assert b"identity: sha256:" + check(rtrace, tmp_path / "one.rpz") in packed.stderr


def check(rtrace: Command, bundle: Path) -> bytes:
    """Return the identity of a bundle that `rtrace check` calls whole."""
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
    verified = rtrace("verify", "--all", "--unpacker", unpacker, bundle)
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
        (b'"link":"/data/small"', b'"link":"/etc/passwd"', "which is not a regular file before it"),
        (b'"path":"/data/small"', b'"path":"/data/smalm"', "which is not a regular file before it|does not agree"),
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
        done = rtrace("export", "-f", "reprozip", "-o", target, source)
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


def test_symlink_out_of_the_bundle_is_no_way_out(tmp_path: Path) -> None:
    """Entries below a symlink are refused in a converted bundle as in any other."""
    maker = BundleMaker(tmp_path)
    maker.symlink(b"/work/out", b"/etc")
    convert(maker.write(make_run()), tmp_path / "theirs.rpz")
    parts = change_index(read_parts(tmp_path / "theirs.rpz"), b'"path":"/work/out"', b'"path":"/work"')
    path = write_parts(tmp_path / "lying.rpz", parts)
    with open_extended(path) as bundle, pytest.raises(HostileBundleError):
        _ = bundle.entries
