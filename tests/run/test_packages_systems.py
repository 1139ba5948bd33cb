"""Trees of other distributions are attributed by the databases that their own package managers wrote.

rpm and pacman are Debian's packages, and install something here. There is no apk outside of Alpine: its database is
written as apk-package(5) and the "Apk spec" describe it.
"""

from __future__ import annotations

import io
import os
import subprocess
import tarfile
from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.model import Attribution, Installed
from rtrace.packages.system.pacman import Pacman
from rtrace.packages.system.rpm import Rpm, ask_rpm
from rtrace.packages.system.rpm_header import NotAHeaderError, parse_header

SPEC = """\
Name: hello
Epoch: 2
Version: 1.5
Release: 3
Summary: Says hello
License: MIT
Vendor: Example
BuildArch: noarch
%description
%install
mkdir -p %{buildroot}/usr/bin %{buildroot}/usr/share/hello %{buildroot}/lib64 %{buildroot}/etc/alternatives
echo 1 > %{buildroot}/usr/bin/hello
echo 2 > "%{buildroot}/usr/share/hello/a b"
echo 3 > %{buildroot}/lib64/libhello.so
echo 4 > %{buildroot}/usr/share/hello/mod.py
%files
/usr/bin/hello
"/usr/share/hello/a b"
/usr/share/hello/mod.py
/lib64/libhello.so
"""
HELLO = Installed("hello", "2:1.5-3", "noarch", "rpm", "Example, hello-1.5-3.src.rpm")


@pytest.fixture(scope="module")
def rpm_root(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """A root in which rpm has installed a package that rpmbuild has built; its /lib64 is merged."""
    folder = tmp_path_factory.mktemp("rpm")
    (folder / "hello.spec").write_text(SPEC)
    build = ["rpmbuild", "-bb", "--quiet", "--define", f"_topdir {folder}/top", "--define", "_build_id_links none"]
    built = subprocess.run([*build, folder / "hello.spec"], check=False, capture_output=True)
    assert built.returncode == 0, built.stderr
    root = folder / "root"
    (root / "usr/lib64").mkdir(parents=True)
    (root / "lib64").symlink_to("usr/lib64")
    install: list[str | Path] = [
        "rpm",
        "--root",
        root,
        "--dbpath",
        "/var/lib/rpm",
        "--nodeps",
        "--noscripts",
        "--install",
    ]
    installed = subprocess.run([*install, *folder.glob("top/RPMS/*/*.rpm")], check=False, capture_output=True)
    assert installed.returncode == 0, installed.stderr
    return bytes(root)


@pytest.mark.requires("root", "rpm", "rpmbuild")
def test_rpms_database_is_read(rpm_root: bytes) -> None:
    """Each file that rpm installed is its package's, merged folders or not; others, and others' times, are let be."""
    mine = [b"/usr/bin/hello", b"/usr/share/hello/a b", b"/usr/lib64/libhello.so"]
    before = sorted(os.listdir(rpm_root + b"/var/lib/rpm"))
    assert Rpm(rpm_root).find_owners([*mine, b"/usr/bin/other", b"/hello"]) == dict.fromkeys(mine, HELLO)
    assert sorted(os.listdir(rpm_root + b"/var/lib/rpm")) == before


@pytest.mark.requires("root", "rpm", "rpmbuild")
def test_files_below_a_root_of_rpm_are_attributed_from_outside(rpm_root: bytes) -> None:
    """What a run touched below another root belongs to the packages of that root, with what these made and compiled."""
    compiled = rpm_root + b"/usr/share/hello/__pycache__/mod.cpython-312.pyc"
    link = rpm_root + b"/etc/alternatives/hello"
    found = attribute([rpm_root + b"/usr/bin/hello", compiled, link, rpm_root + b"/x"], {link: b"/usr/bin/hello"})
    owner = HELLO._replace(name=f"hello in {os.fsdecode(rpm_root)}")
    assert found == Attribution(
        {rpm_root + b"/usr/bin/hello": owner, compiled: owner, link: owner}, {compiled: "compiled", link: "symlink"}
    )


@pytest.mark.requires("root", "rpm", "rpmbuild")
def test_rpm_tells_the_same_as_its_database(rpm_root: bytes) -> None:
    """The program, which is asked of databases that are not read here, knows the same package and files."""
    (told,) = ask_rpm(rpm_root, rpm_root + b"/var/lib/rpm")
    facts = (told.name, told.epoch, told.version, told.release, told.architecture, told.vendor, told.source)
    assert facts == ("hello", 2, "1.5", "3", "noarch", "Example", "hello-1.5-3.src.rpm")
    files = [told.folders[number] + base for number, base in zip(told.indexes, told.bases, strict=True)]
    assert sorted(files) == [
        b"/lib64/libhello.so",
        b"/usr/bin/hello",
        b"/usr/share/hello/a b",
        b"/usr/share/hello/mod.py",
    ]


def test_broken_databases_of_rpm_have_no_owners(tmp_path: Path) -> None:
    """A database that is none, and headers that are cut short or lie about their size, give nothing."""
    folder = tmp_path / "var/lib/rpm"
    folder.mkdir(parents=True)
    for name in ("rpmdb.sqlite", "Packages.db"):
        (folder / name).write_bytes(b"nothing of the kind" * 100)
        assert Rpm(bytes(tmp_path)).find_owners([b"/usr/bin/hello"]) == {}
        (folder / name).unlink()
    for blob in (
        b"",
        b"\0" * 8,
        b"\xff" * 64,
        bytes.fromhex("0000000100000008 000003e8000000060000000000ffffff") + b"a" * 8,
    ):
        with pytest.raises(NotAHeaderError):
            parse_header(blob)


@pytest.mark.requires("root", "pacman")
def test_pacmans_database_is_read(tmp_path: Path) -> None:
    """Each file that pacman installed is its package's, in merged folders as well."""
    package = tmp_path / "hello-1.5-3-any.pkg.tar"
    facts = "pkgname = hello-libs\npkgbase = hello\npkgver = 1:1.5-3\narch = any\npackager = A B <a@b>\nsize = 2\n"
    contents = {".PKGINFO": facts, "usr/bin/hello": "1", "usr/lib/hello/a b": "2"}
    with tarfile.open(package, "w") as archive:
        for name, content in contents.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content.encode()))
    root = tmp_path / "root"
    (root / "var/lib/pacman").mkdir(parents=True)
    (root / "bin").symlink_to("usr/bin")
    installed = subprocess.run(
        ["pacman", "--root", root, "--noconfirm", "--upgrade", package], check=False, capture_output=True
    )
    assert installed.returncode == 0, installed.stderr
    mine = [b"/usr/bin/hello", b"/usr/lib/hello/a b"]
    owner = Installed("hello-libs", "1:1.5-3", "any", "pacman", "source hello, A B <a@b>")
    assert Pacman(bytes(root)).find_owners([*mine, b"/usr/lib/hello", b"/usr/bin/x"]) == dict.fromkeys((*mine,), owner)
    outside = attribute([bytes(root) + path for path in mine])
    assert {found.name for found in outside.owners.values()} == {f"hello-libs in {root}"}
