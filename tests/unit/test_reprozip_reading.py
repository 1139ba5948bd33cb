"""Bundles of ReproZip: what rtrace tells of them, unpacks and replays; what they lack is said."""

import gzip
import hashlib
import io
import os
import shutil
import tarfile
import tracemalloc
import zipfile
from pathlib import Path

import pytest

from bundle_samples import make_bundle
from reprozip_making import (
    Member,
    directory,
    make_config,
    make_database,
    make_parts,
    symlink,
    usual_members,
    write_tar,
    write_zip,
)
from reprozip_samples import describe, kinds, sample
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError
from rtrace.opening import open_bundle
from rtrace.operations.audit import audit_bundle
from rtrace.operations.check import check_bundle
from rtrace.reprozip.reading.reprozip_bundle import ReprozipBundle


@pytest.mark.parametrize("data", ["", "gz", "bz2", "xz"])
@pytest.mark.parametrize("outer", ["", "gz", "bz2", "xz", "zip", "zip stored", "other order"])
def test_every_container_holds_the_same(outer: str, data: str, tmp_path: Path) -> None:
    """Plain or compressed tar, zip, whatever the order and the compression of the data: the same bundle."""
    members = [directory("DATA/data"), Member("DATA/data/in", b"input\n" * 100_000)]
    parts = make_parts(make_config(), members, make_database(tmp_path), data=data)
    path = tmp_path / "x.rpz"
    if outer.startswith("zip"):
        write_zip(path, parts, zipfile.ZIP_STORED if "stored" in outer else zipfile.ZIP_DEFLATED)
    elif outer == "other order":
        write_tar(path, [Member("./README", b"unknown"), *reversed(parts)])
    else:
        write_tar(path, parts, outer)
    plain = write_tar(tmp_path / "plain.rpz", make_parts(make_config(), members, make_database(tmp_path)))
    assert describe(path) == describe(plain)
    assert check_bundle(path).problem is None


@pytest.mark.parametrize("version", ["0.1", "0.9", "1.1", "x", "0.8a b"])
def test_other_configurations_are_refused(version: str, tmp_path: Path) -> None:
    """A configuration of a version that nobody here knows is refused with its line."""
    config = make_config().replace('version: "0.8"', f'version: "{version}"')
    path = write_tar(tmp_path / "x.rpz", make_parts(config, usual_members()))
    with pytest.raises(BundleError, match=r"config\.yml, line 2.*version"):
        open_bundle(path)


def test_bundle_of_an_unknown_version_is_refused(tmp_path: Path) -> None:
    """A version 3 is called that, and nothing of it is used."""
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), [], version=3))
    with pytest.raises(BundleError, match="of version 3, and rtrace reads 1 and 2"):
        open_bundle(path)


def test_bundles_are_told_apart_by_content(tmp_path: Path) -> None:
    """One extension, two formats; anything else is neither."""
    own = make_bundle(tmp_path / "own").path
    with open_bundle(own) as bundle:
        assert isinstance(bundle, Bundle)
    foreign = tmp_path / "study.tar"
    shutil.copy(sample("08"), foreign)
    with open_bundle(foreign) as bundle:
        assert isinstance(bundle, ReprozipBundle)
    for name, content in (("empty", b""), ("text", b"hello"), ("gz", gzip.compress(b"hello")), ("zip", b"PK\3\4")):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BundleError, match="not a bundle"):
            open_bundle(tmp_path / name)
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(write_zip(tmp_path / "x.zip", [Member("README", b"hello")]))
    with pytest.raises(BundleError, match="not a bundle"):
        open_bundle(write_tar(tmp_path / "x.tar", [Member("README", b"hello")], "xz"))


def test_files_that_are_listed_and_not_there_are_reported(tmp_path: Path) -> None:
    """A file of the configuration that the data lacks is named; one that lies behind a symlink is not missed."""
    rest = (
        'packages:\n- name: "libx"\n  version: "1"\n  packfiles: false\n  files: ["/usr/lib/x"]\n'
        'other_files: ["/data/gone", "/lib/there"]\n'
    )
    members = [symlink("DATA/lib", "usr/lib"), Member("DATA/usr/lib/there", b"1")]
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(rest=rest), members))
    with open_bundle(path) as bundle:
        notices = {notice.kind: notice.what for notice in bundle.manifest.notices}
        packages = [(package.name, package.pack) for package in bundle.manifest.packages]
        assert notices["missing-files"].endswith("1 file that the configuration lists is not in the bundle: /data/gone")
        assert "libx 1" in notices["packages-left-out"]
        assert packages == [("libx", False)]
        assert "/data" in notices["missing-folder"]
        assert {entry.path: entry.reason for entry in bundle.entries}[b"/data"] == "working directory"


@pytest.mark.parametrize(
    "run, exitcode, status",
    [("  exitcode: 3\n", 0, 3), ("  signal: 9\n", 0, 137), ("", 4, 4), ("", 0x100 | 15, 143), ("", None, None)],
)
def test_exit_status_is_the_configurations_or_the_traces(
    run: str, exitcode: int | None, status: int | None, tmp_path: Path
) -> None:
    """How a run ended is in the configuration, else in the trace; where it is in neither, that is said."""
    trace = make_database(tmp_path, exitcode=exitcode)
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(run=run), usual_members(), trace))
    with open_bundle(path) as bundle:
        assert bundle.manifest.runs[0].exit_status == status
        assert ("no-exit-status" in kinds(bundle)) == (status is None)


def test_changed_files_and_services_are_reported(tmp_path: Path) -> None:
    """A file that the run changed is in the bundle as it was afterwards: it is named; so is a service that was used."""
    members = [*usual_members(), Member("DATA/data/log", b"old and new")]
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), members, make_database(tmp_path)))
    with open_bundle(path) as bundle:
        notices = {notice.kind: notice.what for notice in bundle.manifest.notices}
        assert notices["changed-by-run"].endswith("/data/log")
        assert notices["service"].endswith("/run/service")


def test_audit_looks_into_configuration_trace_and_files(tmp_path: Path) -> None:
    """A secret in a variable, in the environment of a traced program, or in a file is told; without a trace, too."""
    one, two, three = ("ghp_" + hashlib.sha256(word).hexdigest()[:36] for word in (b"1", b"2", b"3"))
    config = make_config().replace("HOME: /,", f"HOME: /, SETTING: {one},")
    members = [*usual_members(), Member("DATA/data/notes", f"{three}\n".encode())]
    trace = make_database(tmp_path, environment=f"A=b\0OTHER={two}\0")
    found = audit_bundle(write_tar(tmp_path / "x.rpz", make_parts(config, members, trace)))
    places = ["manifest: run0: variable SETTING", "trace: variable OTHER", "/data/notes: line 1"]
    assert [finding.place for finding in found] == places
    found = audit_bundle(write_tar(tmp_path / "y.rpz", make_parts(config, members)))
    assert [finding.place for finding in found] == [places[0], places[2]]


def test_files_under_several_names_are_one(tmp_path: Path) -> None:
    """ReproZip packs /lib/x and /usr/lib/x beside /lib -> usr/lib, as files or hard links: one file comes out."""
    members = [
        symlink("DATA/lib", "usr/lib"),
        directory("DATA/lib/deep"),
        Member("DATA/lib/deep/libc.so", b"library"),
        directory("DATA/usr/lib/deep"),
        Member("DATA/usr/lib/deep/libc.so", kind=tarfile.LNKTYPE, link="DATA/lib/deep/libc.so"),
        Member("DATA/usr/lib/deep/alias.so", kind=tarfile.LNKTYPE, link="DATA/usr/lib/deep/libc.so"),
        Member("DATA/lib/twice", b"same"),
        Member("DATA/usr/lib/twice", b"same"),
        symlink("DATA/lib/link", "twice"),
        symlink("DATA/usr/lib/link", "twice"),
    ]
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), members))
    with open_bundle(path) as bundle:
        found = {entry.path: entry for entry in bundle.entries if entry.path.startswith(b"/usr/lib/")}
        contents = {entry.path: b"".join(parts) for entry, parts in bundle.stream_data()}
        assert sorted(found) == [
            b"/usr/lib/" + name for name in (b"deep", b"deep/alias.so", b"deep/libc.so", b"link", b"twice")
        ]
        assert found[b"/usr/lib/deep/libc.so"].link == b"/usr/lib/deep/alias.so"
        assert contents == {b"/usr/lib/deep/alias.so": b"library", b"/usr/lib/twice": b"same"}
        assert b"".join(bundle.read_file(b"/usr/lib/deep/libc.so")) == b"library"


def test_memory_is_bounded(tmp_path: Path) -> None:
    """A file of 64 MiB passes in pieces."""
    members = [directory("DATA/data"), Member("DATA/data/large", bytes(64 << 20))]
    path = write_tar(tmp_path / "x.rpz", make_parts(make_config(), members))
    del members
    tracemalloc.start()
    try:
        with open_bundle(path) as bundle:
            size = sum(len(part) for _, parts in bundle.stream_data() for part in parts)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert size == 64 << 20
    assert peak < 8 << 20


def test_long_names_and_large_numbers_of_every_dialect(tmp_path: Path) -> None:
    """Names of 300 bytes, names that are not UTF-8, owners beyond 21 bits and fractions of seconds are read exactly."""
    found = []
    for number, dialect in enumerate((tarfile.PAX_FORMAT, tarfile.GNU_FORMAT)):
        file = io.BytesIO()
        with tarfile.open(fileobj=file, mode="w", format=dialect, errors="surrogateescape") as archive:
            for name in ("DATA/" + "long/" * 60 + "name", os.fsdecode(b"DATA/not-\xff")):
                header = tarfile.TarInfo(name)
                header.uid, header.mtime = 3_000_000_000, -1.5 if dialect == tarfile.PAX_FORMAT else -2
                archive.addfile(header)
        parts = make_parts(make_config(), [])
        parts[0] = Member("DATA.tar.gz", gzip.compress(file.getvalue()))
        with open_bundle(write_tar(tmp_path / f"{number}.rpz", parts)) as bundle:
            found.append([(entry.path, entry.uid, entry.mtime_ns) for entry in bundle.entries if entry.size == 0])
    paths = [b"/data", b"/" + b"long/" * 60 + b"name", b"/not-\xff"]
    assert [[item[0] for item in items] for items in found] == [paths, paths]
    assert [item[1] for item in found[0][1:]] == [3_000_000_000] * 2
    assert [items[1][2] for items in found] == [-1_500_000_000, -2_000_000_000]
