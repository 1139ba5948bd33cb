"""Files are attributed to Debian's packages as dpkg itself would."""

from pathlib import Path

import pytest

from rtrace.packages.attribution import attribute
from rtrace.packages.model import Attribution, Installed
from rtrace.packages.system.dpkg import Dpkg

STATUS = """\
Package: dpkg
Status: install ok installed
Architecture: amd64
Version: 1.21.22

Package: libc6
Status: install ok installed
Architecture: amd64
Multi-Arch: same
Version: 2.36-9

Package: libc6
Status: install ok installed
Architecture: i386
Multi-Arch: same
Version: 2.36-8

Package: perl
Status: install ok installed
Architecture: amd64
Version: 5.36
Description: a language
 Version: in a description is none
 .
 Package: in one neither

Package: wrapper
Status: install ok installed
Architecture: all
Version: 1:2.0~rc1
"""


@pytest.fixture
def root(tmp_path: Path) -> bytes:
    """A root with a small dpkg database, and its folders merged into /usr."""
    info = tmp_path / "var/lib/dpkg/info"
    info.mkdir(parents=True)
    (tmp_path / "usr/lib").mkdir(parents=True)
    for name in ("bin", "lib", "sbin"):
        (tmp_path / name).symlink_to(f"usr/{name}")
    (info / "libc6:amd64.list").write_text("/.\n/lib\n/lib/x86_64-linux-gnu\n/lib/x86_64-linux-gnu/libc.so.6\n")
    (info / "libc6:i386.list").write_text("/.\n/lib\n/lib/i386-linux-gnu\n/lib/i386-linux-gnu/libc.so.6\n")
    (info / "perl.list").write_text("/.\n/usr\n/usr/bin\n/usr/bin/perl\n/bin/tool\n/usr/lib/perl/Big.pm\n")
    (info / "wrapper.list").write_text("/.\n/usr/bin/perl\n/bin/tool\n/usr/share/wrapper/name with space\n/var/run/w\n")
    (info / "removed.list").write_text("/.\n/etc/removed.conf\n")
    (info / "wrapper.md5sums").write_text("")
    (info.parent / "diversions").write_text(
        "/usr/bin/perl\n/usr/bin/perl.real\nwrapper\n/bin/tool\n/bin/tool.distrib\nwrapper\n"
        "/usr/lib/perl/Big.pm\n/usr/lib/perl/Big.pm.mine\n:\n"
    )
    (info.parent / "status").write_text(STATUS)
    return bytes(tmp_path)


PERL = Installed("perl", "5.36", "amd64", "dpkg")
WRAPPER = Installed("wrapper", "1:2.0~rc1", "all", "dpkg")


@pytest.mark.parametrize(
    "path, owner",
    [
        (b"/usr/lib/x86_64-linux-gnu/libc.so.6", Installed("libc6", "2.36-9", "amd64", "dpkg")),
        (b"/usr/lib/i386-linux-gnu/libc.so.6", Installed("libc6:i386", "2.36-8", "i386", "dpkg")),
        (b"/usr/bin/perl", WRAPPER),
        (b"/usr/bin/perl.real", PERL),
        (b"/usr/bin/tool", WRAPPER),
        (b"/usr/bin/tool.distrib", PERL),
        (b"/usr/lib/perl/Big.pm", None),
        (b"/usr/lib/perl/Big.pm.mine", PERL),
        (b"/usr/share/wrapper/name with space", WRAPPER),
        (b"/run/w", WRAPPER),
        (b"/usr/lib/perl/__pycache__/x.cpython-311.pyc", None),
        (b"/lib", None),
        (b"/etc/removed.conf", None),
        (b"/home/u/perl", None),
        (b"/usr/bin/per", None),
    ],
)
def test_owners(path: bytes, owner: Installed | None, root: bytes) -> None:
    """Merged /usr, diverted files, foreign architectures and odd names have their owner; everything else has none."""
    assert Dpkg(root).find_owners([path]).get(path) == owner
    many = [path, *(b"/nowhere/%d" % number for number in range(100))]
    assert Dpkg(root).find_owners(many) == ({path: owner} if owner else {})


def test_compiled_python_belongs_to_its_source(root: bytes) -> None:
    """What was compiled when a package was installed is the package's, though no list has it."""
    listing = Path(root.decode()) / "var/lib/dpkg/info/perl.list"
    listing.write_text("/.\n/usr/lib/python3/foo.py\n")
    path = b"/usr/lib/python3/__pycache__/foo.cpython-311.pyc"
    assert attribute([path], root=root) == Attribution({path: PERL}, {path: "compiled"})


def test_long_lists_are_searched_as_well(root: bytes) -> None:
    """A list that does not fit into the buffer is read to its end, for few paths and for many."""
    listing = Path(root.decode()) / "var/lib/dpkg/info/perl.list"
    listing.write_text("/.\n" + "".join(f"/usr/share/perl/{number:08}\n" for number in range(20_000)))
    wanted = [b"/usr/share/perl/%08d" % number for number in (0, 9_999, 19_999, 20_000)]
    assert Dpkg(root).find_owners(wanted) == dict.fromkeys(wanted[:3], PERL)
    many = [b"/usr/share/perl/%08d" % number for number in range(19_900, 20_100)]
    assert Dpkg(root).find_owners(many) == dict.fromkeys(many[:100], PERL)


def test_no_dpkg_no_owners(tmp_path: Path) -> None:
    """On a machine without dpkg nothing has an owner, and nothing goes wrong."""
    assert Dpkg(bytes(tmp_path)).find_owners([b"/usr/bin/perl"]) == {}
    assert attribute([]).owners == {}
