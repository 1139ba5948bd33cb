"""Bundles of ReproZip that mean harm: refused in one sentence, with nothing written and no memory taken."""

import gzip
import io
import lzma
import random
import sqlite3
import struct
import tarfile
import tracemalloc
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile_reprozip import hide_directory, make
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
from rtrace.reprozip.reading import contents, reprozip_bundle
from rtrace.reprozip.reading import trace_database as database
from rtrace.reprozip.reading.byte_sources import Decompressed
from rtrace.reprozip.reading.container import ZipContainer
from rtrace.reprozip.reading.entries import Resolver


def read_all(bundle: OpenBundle) -> None:
    """Ask a bundle for everything that a command may ask."""
    _ = bundle.identity, bundle.maker, bundle.manifest, bundle.entries, bundle.results
    for _entry, parts in bundle.stream_data():
        for _part in parts:
            pass


def test_members_outside_the_data_are_refused(tmp_path: Path) -> None:
    """The data of version 2 holds nothing that is not below DATA/, which is a directory."""
    for name, words in (("etc/x", "not below DATA/"), ("DATA", "something other than a directory")):
        path = make(tmp_path / "x.rpz", Member(name))
        with pytest.raises(HostileBundleError, match=words), open_bundle(path) as bundle:
            _ = bundle.entries


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
        (('version: "0.8"', "version: [0.8]"), "a string is expected"),
        (("workingdir: /data", "workingdir: data"), "path that begins with /"),
        (("uid: 0", "uid: -1"), "a number is expected"),
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
    monkeypatch.setattr(contents, "most_items", lambda _: 500)
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
        for number in range(40):
            assert resolver.resolve(b"/s" + b"/%d" % number + b"/a" * 2000) == b"/t" + b"/%d" % number + b"/a" * 2000
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 90 << 20


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
    monkeypatch.setattr(reprozip_bundle, "most_trace", lambda _: 1 << 20)
    parts = make_parts(make_config(), [])
    parts.append(Member("METADATA/trace.sqlite3.gz", gzip.compress(bytes(64 << 20))))
    with open_bundle(write_tar(tmp_path / "x.rpz", parts)) as bundle:
        assert "a trace of more than" in next(n.what for n in bundle.manifest.notices if n.kind == "no-trace")
        with pytest.raises(HostileBundleError):
            bundle.extract_trace(tmp_path / "trace")
    assert not (tmp_path / "trace").exists()


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
