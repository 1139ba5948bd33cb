"""Every kind of file is kept or named: hard links, FIFOs, sockets, devices, and what may not be read."""

import os
import socket
import stat
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from plain_user import PlainUser
from rtrace.bundle.entry import Entry, FileType
from rtrace.opening import open_bundle
from rtrace_unpackers.chroot import UNPACKER

Rtrace = Callable[..., CompletedProcess[bytes]]
pytestmark = pytest.mark.requires("busybox")


def entries_of(bundle: Path, folder: Path) -> dict[str, Entry]:
    """Return the entries below a folder by their names."""
    with open_bundle(bundle) as opened:
        opened.check()
        inside = bytes(folder) + b"/"
        return {
            os.fsdecode(entry.path[len(inside) :]): entry for entry in opened.entries if entry.path.startswith(inside)
        }


def make_files(home: Path) -> None:
    """Make a file of each kind that anybody can make."""
    home.mkdir(exist_ok=True)
    (home / "first").write_text("linked\n")
    (home / "second").hardlink_to(home / "first")
    (home / "closed").write_text("closed\n")
    (home / "closed-later").write_text("open\n")
    os.mkfifo(home / "fifo", 0o640)
    with socket.socket(socket.AF_UNIX) as server:
        here = Path.cwd()
        os.chdir(home)  # the path of a socket has 108 bytes
        server.bind("socket")
        os.chdir(here)
    (home / "closed").chmod(0)


SCRIPT = "ls -l . >&2; cat first second closed-later; cat closed || true; test -S socket; test -p fifo"


def test_a_plain_users_files_are_kept_or_named(plain_user: PlainUser) -> None:
    """Hard links and FIFOs are kept; a socket is named; what cannot be read is an outline, named if the run could."""
    home = plain_user.home / "work"
    make_files(home)
    plain_user.give(plain_user.home)
    done = plain_user.run(plain_user.rtrace, "trace", "--", "sh", "-e", "-c", SCRIPT, cwd=home)
    assert done.returncode == 0, done.stderr
    (home / "closed-later").chmod(0)
    done = plain_user.run(plain_user.rtrace, "pack", "--allow-missing", plain_user.home / "bundle.rpz", cwd=home)
    assert done.returncode == 0, done.stderr
    said = done.stderr.decode()
    assert f"{home}/socket is a socket" in said
    assert f"{home}/closed-later cannot be read: only its name and size were packed" in said
    found = entries_of(plain_user.home / "bundle.rpz", home)
    assert "socket" not in found
    assert (found["fifo"].type, found["fifo"].mode) == (FileType.FIFO, 0o640)
    assert found["second"].link == bytes(home / "first")
    assert (found["closed"].placeholder, found["closed"].mode, found["closed"].size) == (True, 0, 7)
    assert (found["closed-later"].placeholder, found["closed-later"].mode, found["closed-later"].size) == (
        True,
        0o644,
        5,
    )


@pytest.mark.requires("root")
def test_devices_are_named(rtrace: Rtrace, tmp_path: Path) -> None:
    """A device node outside of /dev is not packed, and is told of when the run did something with it."""
    home = tmp_path / "home"
    home.mkdir()
    os.mknod(home / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    os.mknod(home / "disk", stat.S_IFBLK | 0o600, os.makedev(7, 200))
    assert rtrace("trace", "--", "sh", "-c", "cat null; ls -l . > /dev/null", cwd=home).returncode == 0
    done = rtrace("pack", tmp_path / "bundle.rpz", cwd=home)
    said = done.stderr.decode()
    assert done.returncode == 0, said
    assert f"{home}/null is a character device" in said
    assert f"{home}/disk is a block device" in said
    assert not {"null", "disk"} & entries_of(tmp_path / "bundle.rpz", home).keys()


def test_hard_links_survive_a_pattern_and_come_out_as_links(rtrace: Rtrace, tmp_path: Path) -> None:
    """Files that no run touched, and that are included as a folder, are one file with two names as they were."""
    home, data = tmp_path / "home", tmp_path / "data"
    home.mkdir()
    make_files(data)
    assert rtrace("trace", "--", "true", cwd=home).returncode == 0
    done = rtrace("pack", "--include", data, tmp_path / "bundle.rpz", cwd=home)
    assert done.returncode == 0, done.stderr
    found = entries_of(tmp_path / "bundle.rpz", data)
    assert found["second"].link == bytes(data / "first")
    assert found["fifo"].type is FileType.FIFO
    root = UNPACKER.unpack(tmp_path / "bundle.rpz", tmp_path / "target").target / "root"
    inside = root / data.relative_to("/")
    assert (inside / "first").samefile(inside / "second")


def test_hard_links_survive_combining(rtrace: Rtrace, tmp_path: Path) -> None:
    """One step reads a file by one name, another by its other name: it is one file in the bundle of both."""
    home = tmp_path / "home"
    make_files(home)
    for name in ("first", "second"):
        assert rtrace("trace", "-d", tmp_path / name, "--", "cat", name, cwd=home).returncode == 0
    assert rtrace("combine", "-d", tmp_path / "both", tmp_path / "first", tmp_path / "second").returncode == 0
    done = rtrace("pack", "-d", tmp_path / "both", tmp_path / "bundle.rpz")
    assert done.returncode == 0, done.stderr
    assert b"touched" not in done.stderr
    assert entries_of(tmp_path / "bundle.rpz", home)["second"].link == bytes(home / "first")
