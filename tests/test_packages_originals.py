"""Files that changed between trace and pack: packed as the run found them where their package has them, else named.

Real packages are made with dpkg-deb and installed with dpkg, into a database of their own: in a mount namespace, where
it lies over the machine's.
"""

import os
import subprocess
from pathlib import Path

import pytest

from rtrace.bundle.reader import open_bundle
from rtrace.packages.originals import Source

pytestmark = pytest.mark.requires("dpkg-deb", "dpkg", "unshare")
TIME = 1_500_000_000
ARCHIVE = "rtrace-sample_1%3a1.0-1_all.deb"
CONTROL = """\
Package: rtrace-sample
Version: 1:{version}-1
Architecture: all
Maintainer: nobody <nobody@example.org>
Description: a package for a test
"""


class Machine:
    """A dpkg database, a cache of archives, a package in two versions, and a file that no package owns."""

    def __init__(self, folder: Path) -> None:
        """Make everything in a folder; the package's files are to lie there, too."""
        self.folder = folder
        self.place = folder / "installed"
        self.own = folder / "own"
        folder.mkdir()
        self.own.write_bytes(b"mine\n")
        os.utime(self.own, (TIME, TIME))
        for name in ("dpkg/info", "dpkg/updates", "dpkg/triggers", "archives", "home"):
            (folder / name).mkdir(parents=True)
        (folder / "dpkg/status").touch()
        (folder / "dpkg/available").touch()
        self.build("1.0", TIME)
        self.build("2.0", TIME + 1000)

    def build(self, version: str, time: int) -> None:
        """Build a version of the package into the cache."""
        root = self.folder / f"source-{version}"
        files = root / self.place.relative_to("/")
        files.mkdir(parents=True)
        for name in ("data", "tool"):
            (files / name).write_text(f"{name} of version {version}\n")
            os.utime(files / name, (time, time))
        (root / "DEBIAN").mkdir()
        (root / "DEBIAN/control").write_text(CONTROL.format(version=version))
        sums = subprocess.run(["md5sum", "data", "tool"], check=True, capture_output=True, cwd=files, text=True).stdout
        inside = str(self.place.relative_to("/"))
        lines = (f"{line[:34]}{inside}/{line[34:]}\n" for line in sums.splitlines())
        (root / "DEBIAN/md5sums").write_text("".join(lines))
        target = self.folder / "archives" / f"rtrace-sample_1%3a{version}-1_all.deb"
        subprocess.run(["dpkg-deb", "--root-owner-group", "-b", root, target], check=True, capture_output=True)

    def play(self, script: str) -> str:
        """Install version 1, trace, do something to what was traced, and pack; give what packing said."""
        steps = f"""\
set -e
mount --bind {self.folder}/dpkg /var/lib/dpkg
mount --bind {self.folder}/archives /var/cache/apt/archives
dpkg -i /var/cache/apt/archives/{ARCHIVE} >&2
cd {self.folder}/home
rtrace trace cat {self.place}/data {self.place}/tool {self.own} >/dev/null 2>&1
cd {self.folder}
{script}
cd {self.folder}/home
rtrace pack {self.folder}/bundle.rpz 2>&1
"""
        user = [] if os.geteuid() == 0 else ["--map-root-user"]
        done = subprocess.run(["unshare", *user, "--mount", "sh", "-c", steps], check=False, capture_output=True)
        assert done.returncode == 0, (done.stdout, done.stderr)
        return done.stdout.decode()

    def content(self, name: str) -> bytes:
        """Give what is packed of a file of the package; of the other one for ``own``."""
        path = self.own if name == "own" else self.place / name
        with open_bundle(self.folder / "bundle.rpz") as bundle:
            bundle.check()
            return b"".join(bundle.read_file(bytes(path)))


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine before the trace."""
    return Machine(tmp_path / "machine")


@pytest.mark.parametrize(
    "change",
    [
        "dpkg -i archives/rtrace-sample_1%3a2.0-1_all.deb >&2",
        "dpkg --purge rtrace-sample >&2",
        "echo edited > installed/data; rm installed/tool",
        "printf DATA | dd of=installed/data conv=notrunc status=none; touch -d @1500000000 installed/data",
    ],
    ids=["upgraded", "removed", "edited", "edited with its time put back"],
)
def test_files_of_packages_are_packed_as_the_run_found_them(machine: Machine, change: str) -> None:
    """The archive of the traced version is in apt's cache: nothing is lost, and nothing to be told."""
    said = machine.play(change)
    assert (machine.content("data"), machine.content("tool")) == (b"data of version 1.0\n", b"tool of version 1.0\n")
    assert "changed" not in said
    assert "touched" not in said
    assert "no longer there" not in said


def test_a_package_that_was_installed_again_is_the_same(machine: Machine) -> None:
    """Size and time are as they were, and the MD5 is that of the installed version: no archive is needed."""
    said = machine.play(f"cp -p installed/data x; mv x installed/data; rm archives/{ARCHIVE}")
    assert machine.content("data") == b"data of version 1.0\n"
    assert "touched" not in said


def test_without_the_archive_it_is_named(machine: Machine) -> None:
    """The file is packed as it is now, and what would help is told by its name."""
    said = machine.play(f"dpkg -i archives/rtrace-sample_1%3a2.0-1_all.deb >&2; rm archives/{ARCHIVE}")
    assert machine.content("data") == b"data of version 2.0\n"
    assert f"{machine.place}/data changed after the trace: it was packed as it is now" in said
    assert f"put {ARCHIVE} into /var/cache/apt/archives and pack again, or trace again" in said


def test_an_edit_with_its_time_put_back_is_noticed(machine: Machine) -> None:
    """Nobody can tell what the run found, when no package owns the file; that it was touched can be told."""
    said = machine.play("printf MINE | dd of=own conv=notrunc status=none; touch -d @1500000000 own; chmod +x own")
    assert machine.content("own") == b"MINE\n"
    assert f"{machine.own} touched after the trace, with size and time as they were: packed as now" in said


def test_a_broken_archive_is_no_help(machine: Machine) -> None:
    """It is as if it were not there."""
    said = machine.play(f"echo edited > installed/data; head -c 200 archives/{ARCHIVE} > x; mv x archives/{ARCHIVE}")
    assert machine.content("data") == b"edited\n"
    assert "changed after the trace" in said


def test_archives_are_named_as_apt_names_them() -> None:
    """The epoch's colon is quoted, and the architecture of a foreign package comes once."""
    assert Source("libc6:i386", "1:2.36-9", "i386").archive == "libc6_1%3a2.36-9_i386.deb"
