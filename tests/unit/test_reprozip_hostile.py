"""Bundles of ReproZip that mean harm: refused in one sentence, with nothing written and no memory taken."""

import bz2
import gzip
import io
import lzma
import os
import random
import re
import sqlite3
import struct
import subprocess
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile_runs import MEMORY, run_bounded
from reprozip_making import (
    Member,
    directory,
    make_config,
    make_database,
    make_parts,
    make_tar,
    symlink,
    usual_members,
    write_tar,
    write_zip,
)
from rtrace.bundle import hostile_database as bundle_database
from rtrace.bundle.data.file_range import FileRange
from rtrace.bundle.protocol import OpenBundle
from rtrace.errors import BundleError, HostileBundleError
from rtrace.opening import open_bundle
from rtrace.operations.check import check_bundle
from rtrace.reprozip.reading import reprozip_bundle as reader
from rtrace.reprozip.reading import trace_database as database
from rtrace.reprozip.reading.byte_sources import Decompressed
from rtrace.reprozip.reading.container import ZipContainer
from rtrace.reprozip.reading.entries import Resolver

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


def hard_link(path: str, target: str) -> Member:
    """Give a hard link."""
    return Member(path, kind=tarfile.LNKTYPE, link=target)


def read_all(bundle: OpenBundle) -> None:
    """Ask a bundle for everything that a command may ask."""
    _ = bundle.identity, bundle.maker, bundle.manifest, bundle.entries, bundle.results
    for _entry, parts in bundle.stream_data():
        for _part in parts:
            pass


def make(path: Path, *members: Member, config: str | bytes | None = None, version: int = 2) -> Path:
    """Write a bundle of these members and the usual rest."""
    return write_tar(path, make_parts(config or make_config(), members, b"" if version == 1 else None, version=version))


@pytest.mark.parametrize("version", [1, 2])
@pytest.mark.parametrize(
    "members, words",
    [
        ([Member("DATA/../../etc/x")], "climbs with '..'"),
        ([Member("DATA/a/../x")], "climbs with '..'"),
        ([Member("DATA//etc/x")], "not normalised"),
        ([Member("DATA/sda", kind=tarfile.BLKTYPE)], "as a 'block' device"),
        ([Member("DATA/dev/mem", kind=tarfile.CHRTYPE)], "as a 'character' device"),
        ([Member("DATA/x", kind=tarfile.GNUTYPE_SPARSE)], "in a form that ReproZip never writes"),
        ([hard_link("DATA/x", "/etc/shadow")], "not below DATA/"),
        ([hard_link("DATA/x", "DATA/../../etc/shadow")], "climbs with '..'"),
        ([hard_link("DATA/x", "DATA/etc/shadow")], "which is no file before it"),
        ([hard_link("DATA/x", "DATA/x")], "which is no file before it"),
        ([symlink("DATA/s", "/etc/shadow"), hard_link("DATA/x", "DATA/s")], "which is no file before it"),
        ([symlink("DATA/out", "../../.."), Member("DATA/out/etc/x")], "leads out of it"),
        ([symlink("DATA/a", "b"), symlink("DATA/b", "a"), Member("DATA/a/x")], "leads in circles"),
        ([Member("DATA/x", b"1"), Member("DATA/x", b"2")], "/x twice"),
        ([symlink("DATA/x", "/etc"), directory("DATA/x")], "/x twice"),
        ([Member("DATA/x"), Member("DATA/x/y")], "below /x, which is not a directory"),
        ([Member("DATA/" + "n" * 300)], "a name longer than 255 bytes"),
        ([Member("DATA/" + "n/" * 3000)], "a path longer than 4095 bytes"),
    ],
)
def test_hostile_members_are_refused(
    members: list[Member], words: str, version: int, rtrace: Command, tmp_path: Path
) -> None:
    """Names that climb, links that lead out, devices, files that are also something else: each has its sentence."""
    path = make(tmp_path / "x.rpz", *members, version=version)
    with pytest.raises(HostileBundleError, match=words) as caught, open_bundle(path) as bundle:
        _ = bundle.entries
    assert str(caught.value).startswith(f"{path} is refused: ")
    assert str(caught.value).endswith("; nothing was written")
    done = rtrace("unpack", "chroot", path, tmp_path / "target")
    assert (done.returncode, done.stderr.count(b"\n")) == (125, 1), done.stderr
    assert os.listdir(tmp_path) == ["x.rpz"]


def test_members_outside_the_data_are_refused(tmp_path: Path) -> None:
    """The data of version 2 holds nothing that is not below DATA/, which is a directory."""
    for name, words in (("etc/x", "not below DATA/"), ("DATA", "something other than a directory")):
        path = make(tmp_path / "x.rpz", Member(name))
        with pytest.raises(HostileBundleError, match=words), open_bundle(path) as bundle:
            _ = bundle.entries


def test_symlink_to_this_machine_stays_in_the_target(rtrace: Command, tmp_path: Path) -> None:
    """A file below a symlink to a real folder of this machine comes to lie in the target, and not there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path = make(tmp_path / "x.rpz", symlink("DATA/link", str(outside)), Member("DATA/link/x", b"1"))
    assert rtrace("unpack", "chroot", path, tmp_path / "t").returncode == 0
    assert os.listdir(outside) == []
    assert (tmp_path / "t/root").joinpath(*outside.parts[1:], "x").read_bytes() == b"1"


def test_version_2_with_files_outside_its_data_does_not_mix_them(tmp_path: Path) -> None:
    """Members of version 1 in a bundle of version 2 are not there."""
    parts = make_parts(make_config(), [Member("DATA/x", b"1")])
    with open_bundle(write_tar(tmp_path / "x.rpz", [Member("DATA/stray", b"2"), *parts])) as bundle:
        assert [entry.path for entry in bundle.entries] == [b"/data", b"/x"]
        read_all(bundle)


@pytest.mark.parametrize(
    "change, words",
    [
        (("[/bin/busybox, sh", "!!python/object/apply:os.system [touch /tmp/x, sh"), "tag"),
        (("HOME: /,", "HOME: &a /, OTHER: *a,"), "anchors and aliases"),
        (('version: "0.8"', "version: [0.8]"), "a string is wanted"),
        (("workingdir: /data", "workingdir: data"), "path that begins with /"),
        (("uid: 0", "uid: -1"), "a number is wanted"),
        (("uid: 0", "uid: 4294967295"), "no such user"),
        (("written_by_runs: [0]", "written_by_runs: [7]"), "there is no run '7'"),
        (("runs:\n", "runs: []\nother:\n"), "there is no run in it"),
        (("- name: in\n", "- name: in: x\n"), "has to be quoted"),
        (("HOME: /,", "HOME: " + "[" * 100 + "]" * 100 + ","), "nested too deeply"),
    ],
)
def test_hostile_configurations_are_refused(change: tuple[str, str], words: str, tmp_path: Path) -> None:
    """No tags, no anchors, nothing of a wrong kind: line and column are told."""
    config = make_config()
    assert change[0] in config
    path = make(tmp_path / "x.rpz", config=config.replace(*change))
    with pytest.raises(BundleError, match=rf"x\.rpz: METADATA/config\.yml, line \d+.*{words}"):
        open_bundle(path)


@pytest.mark.parametrize("config", [b"\xff", b"a: [" + b"a," * 3_000_000 + b"]", b"", b"- " * 100_000])
def test_configurations_that_take_too_much_are_refused(config: bytes, tmp_path: Path) -> None:
    """Bytes that are no text, more items than memory should hold, nothing at all, a nest without an end."""
    parts = make_parts(make_config(), [])
    parts[2] = Member("METADATA/config.yml", config)
    with pytest.raises(BundleError, match=r"config\.yml"):
        open_bundle(write_tar(tmp_path / "x.rpz", parts, "gz"))


def test_what_a_configuration_says_is_fit_for_a_terminal(rtrace: Command, tmp_path: Path) -> None:
    """Escape sequences in names and versions do not reach the terminal."""
    config = (
        make_config().replace("hostname: box", r'hostname: "\e]0;title\a"').replace("name: in\n", 'name: "\\e[2J"\n')
    )
    config = config.replace("packages:", 'packages:\n- {name: "\\e[31m", version: "\\r1", files: []}')
    done = rtrace("info", make(tmp_path / "x.rpz", config=config))
    assert done.returncode == 0
    assert b"\x1b" not in done.stdout
    assert b"\\x1b[31m" in done.stdout


def header_of(size: int, kind: bytes) -> bytes:
    """Write the header of an extended header that claims a size."""
    header = tarfile.TarInfo("././@PaxHeader")
    header.type, header.size = kind, size
    return header.tobuf(tarfile.GNU_FORMAT)


@pytest.mark.parametrize("kind", [tarfile.XHDTYPE, tarfile.XGLTYPE, tarfile.GNUTYPE_LONGNAME, tarfile.GNUTYPE_LONGLINK])
def test_headers_that_claim_gigabytes_are_refused(kind: bytes, tmp_path: Path) -> None:
    """An extended header with a size beyond any name is not read."""
    parts = make_parts(make_config(), [])
    parts[0] = Member("DATA.tar.gz", gzip.compress(header_of(1 << 40, kind) + bytes(1 << 20)))
    path = write_tar(tmp_path / "x.rpz", parts)
    with pytest.raises(HostileBundleError, match="a tar header of"), open_bundle(path) as bundle:
        _ = bundle.entries


def test_memory_that_an_xz_stream_asks_for_is_not_given() -> None:
    """A stream that wants a dictionary of 4 GiB is refused; nobody needs the memory to make one."""
    stream = lzma.compress(b"content")
    header = bytearray(stream[12 : 12 + (stream[12] + 1) * 4])
    header[header.index(b"\x21\x01") + 2] = 40
    header[-4:] = zlib.crc32(header[:-4]).to_bytes(4, "little")
    stream = stream[:12] + header + stream[12 + len(header) :]
    source = Decompressed(FileRange(io.BytesIO(stream), 0, len(stream)), len(stream))
    with pytest.raises(BundleError, match="Memory usage limit"):
        source.read(1)


def test_list_of_files_has_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A small file of gzip can hold millions of names: at some number it is refused."""
    monkeypatch.setattr(reader, "most_items", lambda _: 500)
    path = make(tmp_path / "x.rpz", *(Member(f"DATA/{number}") for number in range(1000)))
    with pytest.raises(HostileBundleError, match="more files than any"), open_bundle(path) as bundle:
        _ = bundle.entries


def test_symlinks_that_multiply_take_no_time(tmp_path: Path) -> None:
    """Thirty symlinks, each of which passes hundreds of times through the one before, are given up soon."""
    members = [directory("DATA/l0")]
    members += [symlink(f"DATA/l{number}", f"l{number - 1}/../" * 500 + "l0") for number in range(1, 30)]
    path = make(tmp_path / "x.rpz", *members, Member("DATA/l29/x"))
    with pytest.raises(HostileBundleError, match="leads in circles"), open_bundle(path) as bundle:
        _ = bundle.entries


def test_deep_paths_need_no_deep_calls() -> None:
    """A path of two thousand folders is resolved, in little memory, however many there are."""
    resolver = Resolver({b"/s": b"/t"})
    tracemalloc.start()
    try:
        for number in range(100):
            assert resolver.resolve(b"/s" + b"/%d" % number + b"/a" * 2000) == b"/t" + b"/%d" % number + b"/a" * 2000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 150 << 20


@pytest.mark.parametrize("name", ["METADATA/version", "METADATA/config.yml", "DATA.tar.gz"])
@pytest.mark.parametrize("write", [write_tar, write_zip])
@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_parts_that_are_there_twice_are_refused(
    write: Callable[[Path, list[Member]], Path], name: str, tmp_path: Path
) -> None:
    """Two versions, configurations or data: nobody knows which one another program takes."""
    parts = make_parts(make_config(), [Member("DATA/x")])
    path = write(tmp_path / "x.rpz", [*parts, next(part for part in parts if part.path == name)])
    with pytest.raises(HostileBundleError, match=rf"holds {name} twice"), open_bundle(path) as bundle:
        _ = bundle.entries


def test_parts_that_are_links_are_refused(tmp_path: Path) -> None:
    """A configuration that is a symlink to a file of this machine is not followed."""
    parts = make_parts(make_config(), [])
    parts[2] = symlink("METADATA/config.yml", "/etc/passwd")
    with pytest.raises(HostileBundleError, match="something other than a file"):
        open_bundle(write_tar(tmp_path / "x.rpz", parts))


@pytest.mark.parametrize("method", [zipfile.ZIP_LZMA, zipfile.ZIP_BZIP2])
def test_zips_compressed_otherwise_are_no_bundles(method: int, tmp_path: Path) -> None:
    """Of a zip's methods only deflation, which needs no memory, is taken."""
    path = write_zip(tmp_path / "x.rpz", make_parts(make_config(), []), method)
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(path)


def test_size_that_a_zip_claims_is_not_believed(tmp_path: Path) -> None:
    """A configuration of gigabytes is refused by its size, before it is decompressed."""
    parts = make_parts(make_config(), [])
    parts[2] = Member("METADATA/config.yml", bytes(65 << 20))
    with pytest.raises(HostileBundleError, match=r"METADATA/config\.yml with 68157440 bytes"):
        open_bundle(write_zip(tmp_path / "x.rpz", parts))


def hostile_database(folder: Path, script: str) -> bytes:
    """Change a trace database."""
    path = folder / "hostile.sqlite3"
    path.write_bytes(make_database(folder))
    connection = sqlite3.connect(path)
    connection.executescript(script)
    connection.close()
    return path.read_bytes()


ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x, 0, '/' || x, 0, 1, 0, 1 FROM n"


@pytest.mark.parametrize(
    "script, words",
    [
        (f"DROP TABLE opened_files; CREATE VIEW opened_files AS {ENDLESS}", "no table opened_files"),
        ("DROP TABLE processes", "no table processes"),
        ("ALTER TABLE opened_files DROP COLUMN name", "no such column"),
    ],
)
def test_hostile_databases_are_not_used(script: str, words: str, tmp_path: Path) -> None:
    """A view in the place of a table is not asked, and what is missing is said: a replay needs none of it."""
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), usual_members(), hostile_database(tmp_path, script)))
    with open_bundle(path) as bundle:
        (notice,) = (notice for notice in bundle.manifest.notices if notice.kind == "no-trace")
    assert words in notice.what


def test_odd_rows_do_no_harm(tmp_path: Path) -> None:
    """Rows of wrong types, of runs that are none, with paths that are none, are passed over."""
    script = """
    INSERT INTO opened_files VALUES (100, 'x', '/a', 1, 1, 0, 1), (101, 0, 'relative', 1, 2, 0, 1);
    INSERT INTO opened_files VALUES (102, 99, '/b', 1, 2, 0, 1), (103, 0, '/../..//c', 1, 2, 0, 1);
    INSERT INTO opened_files VALUES (104, 0, '/d', 1, 'w', 0, 1), (105, 0, x'2f00', 1, 2, 0, 1);
    INSERT INTO opened_files VALUES (106, 0, 7, 1, 2, 0, 1);
    INSERT INTO processes VALUES (50, 'x', NULL, 1, 0, 'y'), (51, 'x', NULL, 1, 0, 3);
    """
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), usual_members(), hostile_database(tmp_path, script)))
    with open_bundle(path) as bundle:
        assert [result.path for result in bundle.results] == [b"/c", b"/data/log", b"/data/made", b"/data/out"]
        assert bundle.manifest.runs[0].exit_code == 0


def test_questions_to_a_database_have_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A database that takes too long, or too much memory, is given up, and that is reported."""
    rows = f"INSERT INTO opened_files SELECT x + 50, 0, '/p/' || x, 0, 1, 0, 1 FROM ({ENDLESS} LIMIT 100000)"  # noqa: S608
    trace = hostile_database(tmp_path, rows)
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), usual_members(), trace))
    limits = (
        (bundle_database, "STEPS_FREE", -400, "interrupted"),
        (database, "USES_FREE", -1 << 20, "more rows than any"),
    )
    for module, name, value, words in limits:
        with monkeypatch.context() as patch, open_bundle(path) as bundle:
            patch.setattr(module, name, value)
            assert words in next(notice.what for notice in bundle.manifest.notices if notice.kind == "no-trace")


def test_trace_that_explodes_is_not_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A compressed trace beyond the limit is given up while it is decompressed."""
    monkeypatch.setattr(reader, "most_trace", lambda _: 1 << 20)
    parts = make_parts(make_config(), [])
    parts.append(Member("METADATA/trace.sqlite3.gz", gzip.compress(bytes(64 << 20))))
    with open_bundle(write_tar(tmp_path / "x.rpz", parts)) as bundle:
        assert "a trace of more than" in next(n.what for n in bundle.manifest.notices if n.kind == "no-trace")
        with pytest.raises(HostileBundleError):
            bundle.extract_trace(tmp_path / "trace")
    assert not (tmp_path / "trace").exists()


def write_data(path: Path, data: bytes, config: str | None = None) -> Path:
    """Write a bundle whose data are these bytes."""
    parts = make_parts(config or make_config(), [])
    parts[0] = Member("DATA.tar.gz", data)
    return write_tar(path, parts)


def zeros(name: str, count: int, members: int = 1) -> bytes:
    """Give a tar in bzip2 of members, each of so many times 90 MB of zeros, in 68 bytes."""
    header = tarfile.TarInfo(name)
    header.size = count * 90_112_000  # a number of whole blocks
    parts = (header.tobuf(tarfile.GNU_FORMAT), bytes(90_112_000), bytes(1024))
    first, middle, last = map(bz2.compress, parts)
    return (first + middle * count) * members + last


def header_chain() -> bytes:
    """Give headers that announce each other."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2
    return gzip.compress((name.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")) * 100_000)


def pax_header(count: int) -> bytes:
    """Give a header with so many records."""
    records = b"".join(b"8 %04x=\n" % number for number in range(count))
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    return header.tobuf(tarfile.GNU_FORMAT) + records.ljust(-(-len(records) // 512) * 512, b"\0")


def announced(number: int) -> bytes:
    """Give a member with seven headers before its own."""
    name, member = tarfile.TarInfo("././@LongLink"), tarfile.TarInfo(f"DATA/{number}")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 20
    long_name = name.tobuf(tarfile.GNU_FORMAT) + f"DATA/{number}".encode().ljust(512, b"\0")
    return long_name * 7 + member.tobuf(tarfile.GNU_FORMAT)


def hide_directory(content: bytes, size: int, *, moved: bool = False) -> bytes:
    """Put records of zip64 before the end of a zip: they alone tell how large its directory is."""
    end = content.rindex(b"PK\5\6")
    start = int.from_bytes(content[end + 16 : end + 20], "little")
    record = struct.pack("<4sQHHIIQQQQ", b"PK\6\6", 44, 45, 45, 0, 0, 1, 1, size, start)
    locator = struct.pack("<4sIQI", b"PK\6\7", 0, end, 1)
    return content[:end] + record + (b"x" if moved else b"") + locator + content[end:]


BOMBS: dict[str, tuple[Callable[[Path], Path], str]] = {
    "a member of a terabyte": (
        lambda path: write_data(path, zeros("DATA/x", 12_000)),
        r"the bundle has DATA/x with 1007\.[0-9] GiB and more, far more than \d+\.\d KiB hold",
    ),
    "members that are a terabyte together": (
        lambda path: write_data(path, zeros("DATA/x", 5, members=2000)),
        r"has DATA/x with 2\.[0-9] GiB and more",
    ),
    "headers that announce each other": (
        lambda path: write_data(path, header_chain()),
        "tar headers that announce each other, and no member",
    ),
    "a header with a record for every file": (
        lambda path: write_data(path, gzip.compress(pax_header(5_000))),
        "a pax header of more than 100 records",
    ),
    "a header before every second one": (
        lambda path: write_data(path, gzip.compress(b"".join(map(announced, range(45_000))))),
        "more tar headers than any that rtrace reads",
    ),
    "streams that hold nothing": (
        lambda path: write_data(path, bz2.compress(b"") * 100_000),
        "compressed in streams without number that hold next to nothing",
    ),
    "members by the hundred thousand": (
        lambda path: write_data(path, gzip.compress(make_tar(Member(f"DATA/{n}") for n in range(70_000)))),
        "more files than any that rtrace reads",
    ),
    "a symlink longer than any path": (
        lambda path: make(path, symlink("DATA/x", "/x" * 3000)),
        "holds /x as a symlink longer than 4095 bytes",
    ),
    "symlinks that lead a long way round": (
        lambda path: make(
            path,
            *(symlink(f"DATA/s{number}", "./" * 2000 + "d") for number in range(1100)),
            *(Member(f"DATA/s{number}/x") for number in range(1100)),
        ),
        "symlinks that lead through more folders than any real one",
    ),
    "folders that are no members": (
        lambda path: make(path, *(Member(f"DATA/{number}" + "/a" * 1900 + "/x") for number in range(20))),
        "in folders that it does not list",
    ),
    "extensions by the thousand": (
        lambda path: write_tar(
            path, [*make_parts(make_config(), []), *(Member(f"EXTENSIONS/{number}/x") for number in range(2000))]
        ),
        "more extensions than there are",
    ),
    "a directory of a zip that is hidden": (
        lambda path: write_bytes(
            path, hide_directory(write_zip(path, make_parts(make_config(), [])).read_bytes(), 1 << 40)
        ),
        "is not a bundle",
    ),
}


def write_bytes(path: Path, content: bytes) -> Path:
    """Write a file."""
    path.write_bytes(content)
    return path


@pytest.mark.parametrize("name", BOMBS)
def test_bombs_are_refused_by_their_size(name: str, tmp_path: Path) -> None:
    """What would take hours or gigabytes is refused before it is taken, in one sentence, and nothing is written."""
    make_bomb, words = BOMBS[name]
    folder = tmp_path / "folder"
    folder.mkdir()
    path = make_bomb(folder / "x.rpz")
    for command in (("info", path), ("unpack", "chroot", path, folder / "target")):
        done = run_bounded(tuple(map(str, command)), folder)
        assert (done.status, done.said.count("\n")) == (125, 1), done.said
        assert re.search(words, done.said), done.said
        assert done.memory < MEMORY
        assert os.listdir(folder) == ["x.rpz"]


def test_zip_whose_end_is_not_where_it_says_is_refused(tmp_path: Path) -> None:
    """Records of zip64 that are somewhere else than the module zipfile looks are no reason to look for them."""
    path = write_zip(tmp_path / "x.rpz", make_parts(make_config(), []))
    path.write_bytes(hide_directory(path.read_bytes(), 1 << 40, moved=True))
    with path.open("rb") as file, pytest.raises(BundleError, match="its end is not where it says"):
        ZipContainer(file)


def test_large_zips_are_read(tmp_path: Path) -> None:
    """A zip whose end is told by records of zip64, as one of gigabytes is, is a bundle as any other."""
    path = write_zip(tmp_path / "x.rpz", make_parts(make_config(), usual_members()))
    end = path.read_bytes().rindex(b"PK\5\6")
    size = int.from_bytes(path.read_bytes()[end + 12 : end + 16], "little")
    content = hide_directory(path.read_bytes(), size)
    path.write_bytes(
        content.replace(struct.pack("<QQQQ", 1, 1, size, end - size), struct.pack("<QQQQ", 3, 3, size, end - size))
    )
    with open_bundle(path) as bundle:
        assert b"/data/in" in [entry.path for entry in bundle.entries]


def test_first_member_of_a_terabyte_is_not_skipped(tmp_path: Path) -> None:
    """What begins with something of another name is no bundle, and is not decompressed to see what follows."""
    path = tmp_path / "x.rpz"
    path.write_bytes(zeros("README", 12_000))
    done = run_bounded(("info", str(path)), tmp_path)
    assert (done.status, "is not a bundle" in done.said) == (125, True)


def test_configurations_have_as_many_lines_as_the_bundle_is_large(tmp_path: Path) -> None:
    """A configuration that is compressed with the bundle cannot take memory that its size does not allow."""
    config = make_config() + "".join(f"- /{number}\n" for number in range(60_000))
    parts = make_parts(config, [])
    with pytest.raises(BundleError, match=r"config\.yml has \d+ lines and items, more than any that ReproZip writes"):
        open_bundle(write_tar(tmp_path / "x.rpz", parts, "gz"))


def test_inputs_of_one_name_take_no_time(tmp_path: Path) -> None:
    """Of twenty thousand inputs with one name, each gets one of its own, without trying those before."""
    names = "inputs_outputs:\n" + "".join(
        f"- {{name: x, path: /{number}, read_by_runs: [0]}}\n" for number in range(20_000)
    )
    with open_bundle(make(tmp_path / "x.rpz", config=make_config(rest=names + "packages:\nother_files:\n"))) as bundle:
        assert len({file.name for file in bundle.manifest.inputs}) == 20_000


def test_computed_columns_are_not_asked(tmp_path: Path) -> None:
    """A column that makes gigabytes of nothing is found by its kind, before anything asks for it."""
    script = """
    DROP TABLE opened_files;
    CREATE TABLE opened_files(id, run_id, name TEXT GENERATED ALWAYS AS (CAST(zeroblob(1000000000) AS TEXT)) VIRTUAL,
      timestamp, mode, is_directory, process);
    INSERT INTO opened_files(id, run_id, mode) VALUES (1, 0, 1), (2, 0, 1);
    """
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), usual_members(), hostile_database(tmp_path, script)))
    with open_bundle(path) as bundle:
        (notice,) = (notice for notice in bundle.manifest.notices if notice.kind == "no-trace")
    assert "the table opened_files has columns that are computed" in notice.what


def test_processes_have_a_limit(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A trace of an old version, whose runs are found by their processes, does not have millions of these."""
    monkeypatch.setattr(database, "_PROCESSES_LIMIT", 100)
    path = tmp_path / "trace"
    path.write_bytes(make_database(tmp_path, old=True))
    connection = sqlite3.connect(path)
    connection.executemany("INSERT INTO processes VALUES (?, 1, 0, 0)", ((number,) for number in range(10, 200)))
    connection.commit()
    connection.close()
    with pytest.raises(sqlite3.DataError, match="more processes than any"):
        database.read_database(path, 1)


def find_problem(path: Path) -> str | None:
    """Read a bundle; tell why that was refused."""
    try:
        with open_bundle(path) as bundle:
            read_all(bundle)
    except BundleError as error:
        return str(error)
    return None


@pytest.mark.parametrize("kind", ["v1", "v2", "outer gz", "zip"])
def test_damage_is_told_in_a_sentence(kind: str, tmp_path: Path) -> None:
    """Cut off or changed anywhere, a bundle is read as it is or refused: there is no other error."""
    members = [directory("DATA/data"), Member("DATA/data/in", b"input\n" * 500), symlink("DATA/lib", "usr/lib")]
    version = 1 if kind == "v1" else 2
    parts = make_parts(make_config(), members, make_database(tmp_path), version=version)
    path = tmp_path / "x.rpz"
    if kind == "zip":
        write_zip(path, parts)
    else:
        write_tar(path, parts, "" if kind == "v2" else "gz")
    whole = path.read_bytes()
    chance = random.Random(7)  # noqa: S311 -- the same damage each time
    refused = 0
    for number in range(300):
        content = bytearray(whole)
        if number % 3:
            for _ in range(chance.randrange(1, 4)):
                content[chance.randrange(len(content))] = chance.randrange(256)
        else:
            del content[chance.randrange(len(content)) :]
        path.write_bytes(content)
        problem = find_problem(path)
        refused += problem is not None
        assert problem is None or (str(path) in problem and "\n" not in problem)
        check_bundle(path)
    assert refused >= 100


def test_cut_off_data_is_found_by_every_reader(tmp_path: Path) -> None:
    """A tar that ends without its last blocks is cut off, even where a member ends."""
    tar = make_tar([Member("DATA/x", b"1")])
    parts = make_parts(make_config(), [])
    parts[0] = Member("DATA.tar.gz", gzip.compress(tar[:1024]))
    with pytest.raises(BundleError, match="is cut off"), open_bundle(write_tar(tmp_path / "x.rpz", parts)) as bundle:
        _ = bundle.entries
    parts[0] = Member("DATA.tar.gz", gzip.compress(tar) + b"rest")
    with pytest.raises(BundleError, match="something"), open_bundle(write_tar(tmp_path / "y.rpz", parts)) as bundle:
        _ = bundle.entries


def test_bundle_that_changes_while_it_is_read_is_refused(tmp_path: Path) -> None:
    """What is written is what was looked at: a file that is exchanged between the two is noticed."""
    path = make(tmp_path / "x.rpz", Member("DATA/x", b"1"))
    other = make_parts(make_config(), [Member("DATA/x", b"2")])
    with open_bundle(path) as bundle:
        _ = bundle.entries
        content = io.BytesIO(write_tar(tmp_path / "y.rpz", other).read_bytes()).getvalue()
        path.write_bytes(content)
        with pytest.raises(BundleError, match="changed while it was read"):
            read_all(bundle)
