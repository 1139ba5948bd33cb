"""Files that changed between trace and pack: packed as the run found them where their package has them, else named.

Real packages are made with dpkg-deb and installed with dpkg, into a database of their own: in a mount namespace, where
it lies over the machine's.
"""

import io
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

import pytest

from rtrace.opening import open_bundle
from rtrace.packages.caches.archives import name_archive, read_cpio
from rtrace.packages.caches.originals import may_hold
from rtrace.packages.model import PackageVersion

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
        """Return what is packed of a file of the package; of the other one for ``own``."""
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
    assert f"{machine.own} was touched after the trace, with size and time as before: packed as now" in said


@pytest.mark.requires("root")
@pytest.mark.skipif(not Path("/var/lib/dpkg/info/libc-bin.list").exists(), reason="needs a system with dpkg")
def test_what_was_made_at_installation_is_in_no_archive(tmp_path: Path) -> None:
    """ldconfig(8) made /etc/ld.so.cache: to trace again is all that helps, and no archive is named."""
    (tmp_path / "cache").write_bytes(Path("/etc/ld.so.cache").read_bytes() + b"\0")
    steps = """\
set -e
rtrace trace cat cache >/dev/null 2>&1
mount --bind cache /etc/ld.so.cache
rtrace pack 2>&1
"""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", steps], check=True, capture_output=True, cwd=tmp_path)
    told = [line for line in done.stdout.decode().splitlines() if "/etc/ld.so.cache" in line]
    assert [line.rpartition(": it was packed as it is now; ")[2] for line in told] == [
        "trace again to have it as the run finds it"
    ]


def test_a_broken_archive_is_no_help(machine: Machine) -> None:
    """It is as if it were not there."""
    said = machine.play(f"echo edited > installed/data; head -c 200 archives/{ARCHIVE} > x; mv x archives/{ARCHIVE}")
    assert machine.content("data") == b"edited\n"
    assert "changed after the trace" in said


SPEC = """\
Name: rtrace-sample
Epoch: 1
Version: {version}
Release: 1
Summary: a package for a test
License: MIT
BuildArch: noarch
%description
%install
mkdir -p %{{buildroot}}{place}
for name in data tool; do
    echo "$name of version {version}" > %{{buildroot}}{place}/$name
    touch -d @{time} %{{buildroot}}{place}/$name
done
%files
{place}/data
{place}/tool
"""
PKGBUILD = """\
pkgname=rtrace-sample
pkgver={version}
pkgrel=1
epoch=1
arch=(any)
package() {{
    mkdir -p "$pkgdir{place}"
    for name in data tool; do echo "$name of version {version}" > "$pkgdir{place}/$name"; done
}}
"""


def build_rpm(folder: Path, place: Path, version: str, time: int) -> Path:
    """Build a package with rpmbuild."""
    (folder / "sample.spec").write_text(SPEC.format(version=version, place=place, time=time))
    define = ("--define", f"_topdir {folder}/top", "--define", "_build_id_links none")
    build: list[str | Path] = ["rpmbuild", "-bb", "--quiet", *define, folder / "sample.spec"]
    built = subprocess.run(build, check=False, capture_output=True)
    assert built.returncode == 0, built.stderr
    return folder / f"top/RPMS/noarch/rtrace-sample-{version}-1.noarch.rpm"


def build_for_pacman(folder: Path, place: Path, version: str, time: int) -> Path:
    """Build a package with makepkg, which root may not run."""
    name = f"rtrace-sample-1:{version}-1-any.pkg.tar.zst"
    with tempfile.TemporaryDirectory() as build:
        os.chmod(build, 0o777)  # for the user below
        (Path(build) / "PKGBUILD").write_text(PKGBUILD.format(version=version, place=place))
        user = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups"] if os.geteuid() == 0 else []
        environ = {"HOME": build, "BUILDDIR": f"{build}/made", "PKGEXT": ".pkg.tar.zst", "SOURCE_DATE_EPOCH": str(time)}
        built = subprocess.run(
            [*user, "makepkg"], cwd=build, env={**os.environ, **environ}, check=False, capture_output=True
        )
        assert built.returncode == 0, built.stderr
        shutil.copy(Path(build) / name, folder / name)
    return folder / name


MANAGERS = {
    "rpm": (build_rpm, "/var/cache/dnf/fedora-1/packages", "rpm --dbpath /var/lib/rpm --nodeps --noscripts -U"),
    "pacman": (build_for_pacman, "/var/cache/pacman/pkg", "pacman --noconfirm --logfile /dev/null -U"),
}


@pytest.mark.requires("root", "rpm", "rpmbuild", "pacman", "makepkg", "bsdtar")
@pytest.mark.parametrize("manager", sorted(MANAGERS))
@pytest.mark.parametrize("cached", [True, False], ids=["in the cache", "not in the cache"])
def test_archives_of_rpm_and_pacman_are_read(manager: str, cached: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """After an upgrade, files are packed as the run found them, or what would help is told by its name."""
    build, cache, install = MANAGERS[manager]
    place = tmp_path / "installed"
    first = build(tmp_path, place, "1.0", TIME)
    second = build(tmp_path, place, "2.0", TIME + 1000)
    (tmp_path / "home").mkdir()
    steps = f"""\
set -e
mount -t tmpfs none /var/lib/{manager}
mount -t tmpfs none /var/cache
mount --bind "$(readlink -f /bin/true)" "$(readlink -f /sbin/ldconfig)"  # which pacman would run
{install} {first} >&2
cd {tmp_path}/home
rtrace trace cat {place}/data {place}/tool >&2
{install} {second} >&2
mkdir -p {cache}
{f"cp {first} {cache}" if cached else ":"}
rtrace pack {tmp_path}/bundle.rpz 2>&1
"""
    done = subprocess.run(["unshare", "--mount", "sh", "-c", steps], check=False, capture_output=True)
    assert done.returncode == 0, (done.stdout, done.stderr)
    said = done.stdout.decode()
    with open_bundle(tmp_path / "bundle.rpz") as bundle:
        found = [b"".join(bundle.read_file(bytes(place / name))).decode() for name in ("data", "tool")]
        assert [(one.manager, one.version) for one in bundle.manifest.packages if one.name == "rtrace-sample"] == [
            (manager, "1:1.0-1")
        ]
    version = "1.0" if cached else "2.0"
    assert found == [f"{name} of version {version}\n" for name in ("data", "tool")]
    assert ("changed after the trace" in said) is not cached
    folder = "/".join(cache.split("/")[:4]) if manager == "rpm" else cache
    assert (f"put {first.name} into {folder} and pack again" in said) is not cached


@pytest.mark.parametrize("length", [0, 60, 200, 250])
def test_an_archive_of_rpm_that_is_cut_off_gives_what_there_is(length: int, tmp_path: Path) -> None:
    """A stream of cpio may end within a header, a name or a content; a member that lacks bytes has another size."""
    content = tmp_path / "data"
    content.write_bytes(b"x" * 100)
    whole = subprocess.check_output(["bsdtar", "--format", "newc", "-cf", "-", "data"], cwd=tmp_path)
    members = [(member.path, b"".join(member.parts)) for member in read_cpio(io.BytesIO(whole))]
    assert members == [(b"/data", content.read_bytes())]
    cut = [(member.path, b"".join(member.parts)) for member in read_cpio(io.BytesIO(whole[:length]))]
    assert cut in ([], [(b"/data", b"x" * min(100, length - 116))])


def test_archives_are_named_as_apt_names_them() -> None:
    """And as dnf and pacman do: with the epoch or without, and the architecture once."""
    assert name_archive(PackageVersion("dpkg", "libc6:i386", "1:2.36-9", "i386")) == "libc6_1%3a2.36-9_i386.deb"
    several = PackageVersion("rpm", "glibc-0:2.39-1.fc40.i686", "0:2.39-1.fc40", "i686")
    assert name_archive(several) == "glibc-2.39-1.fc40.i686.rpm"
    libraries = PackageVersion("pacman", "gcc-libs", "1:14.1-1", "x86_64")
    assert name_archive(libraries) == "gcc-libs-1:14.1-1-x86_64.pkg.tar.zst"


@pytest.mark.skipif(not os.path.exists("/var/lib/dpkg/info/base-passwd.list"), reason="needs Debian's base-passwd")
def test_archive_that_does_not_hold_a_file_is_not_advised() -> None:
    """A file that a package made when it was installed is not in its archive; one that it lists may be."""
    package = PackageVersion("dpkg", "base-passwd", "1", "amd64")
    assert may_hold(package, b"/usr/share/base-passwd/passwd.master")
    assert not may_hold(package, b"/etc/passwd")
    elsewhere = PackageVersion("rpm", "setup", "1", "noarch")
    assert may_hold(elsewhere, b"/etc/profile.d/lang.sh")
    assert not may_hold(elsewhere, b"/etc/ld.so.cache")
