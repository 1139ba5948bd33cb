"""Trees of other distributions are attributed by the databases that their own package managers wrote.

rpm and pacman are Debian's packages, and install something here. There is no apk outside of Alpine: its database is
written as apk-package(5) and the "Apk spec" describe it.
"""

from __future__ import annotations

from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.model import Installed
from rtrace.packages.system.apk import Apk
from rtrace.packages.system.pacman import Pacman
from rtrace.packages.system.rpm import Rpm
from rtrace.packages.system.rpm_header import Header, parse_header

APK = """\
C:Q1/Y3vEEwqYzqPfUYbbzrRyVBgyLI=
P:musl
V:1.2.4-r2
A:x86_64
S:1
I:2
T:the musl c library (libc) implementation
o:musl
c:f93af038c3de7146121c2ea8124ba5ce29b4b058
F:lib
R:ld-musl-x86_64.so.1
a:0:0:755
Z:Q1HXCZEQCGwWmjGV4jvSJmLsZr5uI=
R:libc.musl-x86_64.so.1
F:usr
F:usr/share/a b
R:c d

P:busybox
V:1.36.1-r15
A:x86_64
o:busybox
F:bin
R:busybox
F:etc
R:motd
"""


def test_a_header_is_read_as_rpm_describes_it() -> None:
    """Names, numbers and files come from the tags at their offsets; a package of old lists whole names."""
    data = b"old\0" + b"1\0" + b"2\0\0" + (7).to_bytes(4, "big") + b"/a/b\0/c\0"
    entries = [(1000, 6, 0, 1), (1001, 6, 4, 1), (1002, 6, 6, 1), (1003, 4, 9, 1), (1027, 8, 13, 2)]
    index = b"".join(number.to_bytes(4, "big") for entry in entries for number in entry)
    blob = len(entries).to_bytes(4, "big") + len(data).to_bytes(4, "big") + index + data
    assert parse_header(blob) == Header("old", 7, "1", "2", "any", "", "", [b"/a/", b"/"], [0, 1], [b"b", b"c"])


@pytest.mark.parametrize("place", ["lib/apk/db", "usr/lib/apk/db"])
def test_apks_database_is_read(place: str, tmp_path: Path) -> None:
    """Files are their packages' with version, architecture, source and commit; folders and other files nobody's."""
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "installed").write_text(APK)
    musl = Installed(
        "musl", "1.2.4-r2", "x86_64", "apk", "source musl, aports commit f93af038c3de7146121c2ea8124ba5ce29b4b058"
    )
    expected = {
        b"/lib/ld-musl-x86_64.so.1": musl,
        b"/usr/share/a b/c d": musl,
        b"/bin/busybox": Installed("busybox", "1.36.1-r15", "x86_64", "apk", "source busybox"),
    }
    asked = [*expected, b"/usr/share/a b", b"/etc/passwd", b"/motd"]
    assert Apk(bytes(tmp_path)).find_owners(asked) == expected
    link = bytes(tmp_path) + b"/bin/sh"
    outside = attribute([link], {link: b"/bin/busybox"})
    assert outside.owners[link].name == f"busybox in {tmp_path}"


def test_without_a_database_there_are_no_owners(tmp_path: Path) -> None:
    """On a machine without these package managers nothing has an owner, and nothing goes wrong."""
    for manager in (Rpm, Pacman, Apk):
        assert manager(bytes(tmp_path)).find_owners([b"/usr/bin/hello"]) == {}
