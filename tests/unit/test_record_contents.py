"""What a record says of contents: media types, versions of scripts, addresses of repositories, ELF files."""

import os
import random
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rtrace.record.facts.executables import find_version as find_program_version
from rtrace.record.facts.executables import read_executable, split_producer
from rtrace.record.facts.libraries import find_version as find_library_version
from rtrace.record.facts.libraries import read_shared_object
from rtrace.record.facts.media import media_type
from rtrace.record.facts.scripts import find_version
from rtrace.record.facts.version_control.remotes import strip_credentials


@pytest.mark.parametrize(
    "path,head,expected",
    [
        (b"a.csv", b"a,b\n", "text/csv"), (b"a.CSV", b"a,b\n", "text/csv"),
        (b"a.csv", b"\x89PNG\r\n\x1a\n", "image/png"),
        (b"plot", b"%PDF-1.7", "application/pdf"), (b"a.svg", b"<svg", "image/svg+xml"),
        (b"a", b"<?xml version='1.0'?><svg ", "image/svg+xml"), (b"a", b"<!DOCTYPE html>", "text/html"),
        (b"a.npy", b"\x93NUMPY\x01", "application/x-npy"), (b"a.npz", b"PK\x03\x04", "application/x-npz"),
        (b"a.zip", b"PK\x03\x04", "application/zip"), (b"a.xlsx", b"PK\x03\x04",
         "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        (b"a.nc", b"\x89HDF\r\n\x1a\n", "application/netcdf"), (b"a.h5", b"\x89HDF\r\n\x1a\n", "application/x-hdf5"),
        (b"run", b"#!/usr/bin/env python3\n", "text/x-python"), (b"run", b"#!/bin/sh\n", "application/x-sh"),
        (b"a.ipynb", b"{}", "application/x-ipynb+json"), (b"notes", b"caf\xc3\xa9 caf\xc3", "text/plain"),
        (b"BMI.txt", b"BMI of all\n", "text/plain"), (b"a.bmp", b"BM\0\0", "image/bmp"), (b"a", b"\xff\xfe\0", None),
        (b"a.pkl", b"\x80\x04\x95", "application/x-pickle"), (b"a.wav", b"RIFF\0\0\0\0WAVE", "audio/x-wav"),
        (b"a.webp", b"RIFF\0\0\0\0WEBP", "image/webp"), (b"a.eps", b"%!PS-Adobe-3.0 EPSF-3.0\n", "image/x-eps"),
        (b"a.txt", b"", "text/plain"), (b"a", b"", None), (b"a.mat", b"", "application/x-matlab-data"),
        (b"a.\xff", b"\0", None), (b".csv", b"x", "text/plain"),
    ],
)  # fmt: skip
def test_media_types(path: bytes, head: bytes, expected: str | None) -> None:
    """The first bytes count, then the ending of the name; a text is known as one, and what is unknown as nothing."""
    assert media_type(path, head) == expected


@given(st.binary(max_size=20), st.binary(max_size=600))
def test_any_content_has_a_media_type_or_none(path: bytes, head: bytes) -> None:
    """No name and no content is an error."""
    kind = media_type(path, head)
    assert kind is None or "/" in kind


@pytest.mark.parametrize(
    "text,expected",
    [
        ("import os\n__version__ = '1.2'\n", "1.2"), ('__version__: str = "3"\n', "3"),
        ("our $VERSION = '0.7';\n", "0.7"),
        ("VERSION=1.4.2\n", "1.4.2"), ('const VERSION = "2.0";\n', "2.0"), ('version <- "0.1"\n', "0.1"),
        ("#!/bin/sh\n# Version: v2.5\n", "2.5"), ("Package: x\nVersion: 1.0-3\n", "1.0-3"), ("% version 7\n", "7"),
        ("print('version = 1')\n", None), ("", None), ("x.__version__ = '1'\n", None),
    ],
)  # fmt: skip
def test_versions_of_scripts(text: str, expected: str | None) -> None:
    """A script says its version by the customs of its language."""
    assert find_version(text) == expected


@pytest.mark.parametrize(
    "url,expected",
    [
        ("https://example.org/a.git", "https://example.org/a.git"),
        ("https://ada:secret@example.org/a", "https://example.org/a"),
        ("https://token@example.org:8443/a", "https://example.org:8443/a"),
        ("https://example.org/@scope/a", "https://example.org/@scope/a"),
        ("https://ada:p@ss@example.org/a", "https://example.org/a"),
        ("https://ada:pa/ss@example.org/a", "https://example.org/a"),
        ("https://ada:pa?s#s@example.org/a", "https://example.org/a"),
        ("https://example.org/a?private_token=x#y", "https://example.org/a"),
        ("https://ada:secret@[::1]:8080/a", "https://[::1]:8080/a"),
        ("HTTPS://ada:secret@example.org", "HTTPS://example.org"),
        ("ssh://git@example.org/a", "ssh://git@example.org/a"),
        ("ssh://git:secret@example.org/a", "ssh://git@example.org/a"),
        ("ssh://ghp_AbC@example.org/a", "ssh://example.org/a"),
        ("git@example.org:ada/a.git", "git@example.org:ada/a.git"),
        ("ada:secret@example.org:a.git", "ada@example.org:a.git"),
        ("example.org:a.git", "example.org:a.git"),
        ("codecommit::https://ada:secret@example.org/a", "codecommit::https://example.org/a"),
        ("ext::sh -c 'curl -u ada:secret'", "ext::"),
        ("/srv/a.git", "/srv/a.git"), ("../a", "../a"), ("file:///srv/a", "file:///srv/a"), ("./a:b@c", "./a:b@c"),
        ("", ""),
    ],
)  # fmt: skip
def test_remotes_lose_their_credentials(url: str, expected: str) -> None:
    """Passwords, tokens, queries and commands go from each form of an address; a name stays where ssh needs it."""
    assert strip_credentials(url) == expected


USERS = st.text(st.characters(codec="ascii", exclude_characters=" "), min_size=1, max_size=8)


@given(USERS, st.sampled_from(["https", "http", "ssh", "git+ssh", "ftp", "svn+ssh"]), st.sampled_from(["", ":22"]))
def test_no_password_stays(user: str, scheme: str, port: str) -> None:
    """Whatever stands around it, a password before a host does not survive."""
    assert "s3cr3t" not in strip_credentials(f"{scheme}://{user}:s3cr3t@example.org{port}/a")


def test_this_python() -> None:
    """An ELF program has a size and, where it was built so, a build id; it is the same each time."""
    fact = read_executable(sys.executable, package="dpkg:python3", version="3.1")
    assert (fact["name"], fact["package"], fact["version"]) == (os.path.basename(sys.executable), "dpkg:python3", "3.1")
    assert fact["size"] == os.stat(sys.executable).st_size
    assert fact["build_id"] is None or int(fact["build_id"], 16)


def test_what_is_no_program(tmp_path: Path) -> None:
    """A script, a folder and nothing at all have no facts of ELF, and are no errors."""
    script = tmp_path / "run.sh"
    script.write_text("#!/bin/sh\n")
    for path in (script, tmp_path, tmp_path / "nowhere"):
        fact = read_executable(str(path))
        assert (fact["build_id"], fact["compiler"], fact["language"]) == (None, None, None)
        assert read_shared_object(str(path))["build_id"] is None


def test_broken_elf_files(tmp_path: Path) -> None:
    """A program in which bytes have been changed, or of which the end is missing, is read as far as it goes."""
    with open(sys.executable, "rb") as file:
        whole = file.read(2 << 20)
    chance = random.Random(7)  # noqa: S311 -- no secret: the same files each time
    path = tmp_path / "broken"
    for _ in range(150):
        content = bytearray(whole[: chance.randrange(1, len(whole))] if chance.random() < 0.3 else whole)
        for _ in range(chance.randrange(1, 40)):
            content[chance.randrange(min(len(content), 4096 if chance.random() < 0.5 else len(content)))] = (
                chance.randrange(256)
            )
        path.write_bytes(content)
        read_executable(str(path))
        read_shared_object(str(path))


@pytest.mark.parametrize(
    "producer,expected",
    [
        ("GNU C17 12.2.0 -O2 -g", ("GNU C17 12.2.0", "-O2 -g")),
        ("Debian clang version 14.0.6", ("Debian clang version 14.0.6", None)),
        ("GNU Fortran2008 12.2.0 -mtune=generic", ("GNU Fortran2008 12.2.0", "-mtune=generic")),
    ],
)
def test_producers(producer: str, expected: tuple[str, str | None]) -> None:
    """What DWARF calls a producer is a compiler and, where it keeps them, its options."""
    assert split_producer(producer) == expected


@pytest.mark.parametrize(
    "path,expected",
    [
        ("/opt/apps/gcc/12.3.0/bin/gcc", "12.3.0"),
        ("/opt/node-v18.1.0-linux-x64/bin/node", "18.1.0"),
        ("/opt/R/4.3.1/bin/R", "4.3.1"),
        ("/spack/opt/julia-1.9.2-abcdefgh/bin/julia", "1.9.2"),
        ("/home/ada/.pyenv/versions/3.11.7/bin/python3.11", "3.11.7"),
        ("/usr/bin/gcc-12", None),
        ("/home/ada/2024/bin/run", None),
        ("/home/ada/project/run", None),
        ("run", None),
    ],
)
def test_versions_of_programs_by_their_folders(path: str, expected: str | None) -> None:
    """A program that no package owns has the version of the folder that it was installed into."""
    assert find_program_version(path) == expected


def test_versions_of_libraries(tmp_path: Path) -> None:
    """The name that a library's name leads to says more than that name."""
    (tmp_path / "libz.so.1.2.13").write_bytes(b"")
    (tmp_path / "libz.so.1").symlink_to("libz.so.1.2.13")
    assert find_library_version(str(tmp_path / "libz.so.1")) == "1.2.13"
    assert find_library_version("/usr/lib/libfoo-2.4.so") == "2.4"
    assert find_library_version("/usr/lib/_json.cpython-311.so") is None
    assert find_library_version("/usr/lib/libc.so") is None
