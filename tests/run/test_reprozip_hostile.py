"""Bundles of ReproZip that mean harm: refused in one sentence, with nothing written and no memory taken."""

import bz2
import gzip
import os
import re
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from hostile_reprozip import hide_directory, make
from hostile_runs import MEMORY, run_bounded
from reprozip_making import (
    Member,
    directory,
    make_config,
    make_parts,
    make_tar,
    symlink,
    write_tar,
    write_zip,
)
from rtrace.errors import HostileBundleError
from rtrace.opening import open_bundle

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]


def hard_link(path: str, target: str) -> Member:
    """Return a hard link."""
    return Member(path, kind=tarfile.LNKTYPE, link=target)


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
        ([hard_link("DATA/x", "DATA/etc/shadow")], "which is not a file before it"),
        ([hard_link("DATA/x", "DATA/x")], "which is not a file before it"),
        ([symlink("DATA/s", "/etc/shadow"), hard_link("DATA/x", "DATA/s")], "which is not a file before it"),
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


def test_symlink_to_this_machine_stays_in_the_target(rtrace: Command, tmp_path: Path) -> None:
    """A file below a symlink to a real folder of this machine comes to lie in the target, and not there."""
    outside = tmp_path / "outside"
    outside.mkdir()
    path = make(tmp_path / "x.rpz", symlink("DATA/link", str(outside)), Member("DATA/link/x", b"1"))
    assert rtrace("unpack", "chroot", path, tmp_path / "t").returncode == 0
    assert os.listdir(outside) == []
    assert (tmp_path / "t/root").joinpath(*outside.parts[1:], "x").read_bytes() == b"1"


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


def write_data(path: Path, data: bytes, config: str | None = None) -> Path:
    """Write a bundle whose data are these bytes."""
    parts = make_parts(config or make_config(), [])
    parts[0] = Member("DATA.tar.gz", data)
    return write_tar(path, parts)


def zeros(name: str, count: int, members: int = 1) -> bytes:
    """Return a tar in bzip2 of members, each of so many times 90 MB of zeros, in 68 bytes."""
    header = tarfile.TarInfo(name)
    header.size = count * 90_112_000  # a number of whole blocks
    parts = (header.tobuf(tarfile.GNU_FORMAT), bytes(90_112_000), bytes(1024))
    first, middle, last = map(bz2.compress, parts)
    return (first + middle * count) * members + last


def header_chain() -> bytes:
    """Return headers that announce each other."""
    name = tarfile.TarInfo("././@LongLink")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 2
    return gzip.compress((name.tobuf(tarfile.GNU_FORMAT) + b"x\0".ljust(512, b"\0")) * 100_000)


def pax_header(count: int) -> bytes:
    """Return a header with so many records."""
    records = b"".join(b"8 %04x=\n" % number for number in range(count))
    header = tarfile.TarInfo("x")
    header.type, header.size = tarfile.XHDTYPE, len(records)
    return header.tobuf(tarfile.GNU_FORMAT) + records.ljust(-(-len(records) // 512) * 512, b"\0")


def announced(number: int) -> bytes:
    """Return a member with seven headers before its own."""
    name, member = tarfile.TarInfo("././@LongLink"), tarfile.TarInfo(f"DATA/{number}")
    name.type, name.size = tarfile.GNUTYPE_LONGNAME, 20
    long_name = name.tobuf(tarfile.GNU_FORMAT) + f"DATA/{number}".encode().ljust(512, b"\0")
    return long_name * 7 + member.tobuf(tarfile.GNU_FORMAT)


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


def test_first_member_of_a_terabyte_is_not_skipped(tmp_path: Path) -> None:
    """What begins with something of another name is no bundle, and is not decompressed to see what follows."""
    path = tmp_path / "x.rpz"
    path.write_bytes(zeros("README", 12_000))
    done = run_bounded(("info", str(path)), tmp_path)
    assert (done.status, "is not a bundle" in done.said) == (125, True)
