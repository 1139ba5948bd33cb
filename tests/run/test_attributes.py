"""Extended attributes, access lists and file capabilities: packed as they were, restored where that is possible."""

import io
import os
import struct
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_making import TIME, USER, BundleMaker, make_run, run_python
from image_layers import write_tars
from packing import pack
from plain_user import PlainUser
from rtrace.bundle.entry import Entry, FileType
from rtrace.opening import open_bundle
from rtrace.trace.directory import TraceDirectory
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.engines.image.rootfs import is_sayable
from rtrace_unpackers.files.access_lists import ACCESS_LIST
from rtrace_unpackers.files.ownership import Ownership, Person
from rtrace_unpackers.files.xattr_setting import tell_lost

Rtrace = Callable[..., CompletedProcess[bytes]]
pytestmark = pytest.mark.requires("busybox", "setfacl", "setcap")
CAPABILITY = "security.capability"
NET_RAW = struct.pack("<IIIII", 0x02000000, 1 << 13, 0, 0, 0)  # linux/capability.h: vfs_cap_data, revision 2
NOTE = "user.not\udcff"


def run(*argv: str | Path) -> None:
    """Run a command that has to succeed."""
    subprocess.run(argv, check=True, capture_output=True)


def attributes_of(path: Path) -> dict[str, bytes]:
    """Return all attributes of a file."""
    return {name: os.getxattr(path, name) for name in os.listxattr(path) if name != "security.selinux"}


def packed(directory: Path, target: Path) -> dict[bytes, dict[bytes, bytes]]:
    """Pack a trace and give the attributes of its entries."""
    report = pack(TraceDirectory(directory), target)
    assert [notice for notice in report.notices if "attribute" in notice.what] == []
    with open_bundle(target) as bundle:
        bundle.check()
        return {entry.path: dict(entry.xattrs) for entry in bundle.entries if entry.xattrs}


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A folder with files that have attributes of all kinds."""
    home = tmp_path / "home"
    home.mkdir()
    for name in ("read", "changed", "capable", "listed-acl", "removed", "touched"):
        (home / name).write_text(f"{name}\n")
        os.setxattr(home / name, NOTE, f"note of {name}\0\xff".encode("latin-1"))
    run("setfacl", "-m", f"u:{USER}:r,g:7:rw", home / "read")
    run("setfacl", "-m", f"u:{USER}:rw", home / "listed-acl")
    run("setfacl", "-d", "-m", f"u:{USER}:rwx", home)
    os.mkfifo(home / "fifo")
    run("setfacl", "-m", f"u:{USER}:rw", home / "fifo")
    if os.geteuid() == 0:
        run("setcap", "cap_net_raw=p", home / "capable")
    return home


SCRIPT = """\
read line < read
ls -l . > /dev/null
cat capable touched > /dev/null
echo more >> changed
echo more >> capable
rm removed
setfattr -n user.new -v x touched 2>/dev/null || python3 -c 'import os; os.setxattr("touched", "user.new", b"x")'
setfacl -b read
setfacl -k .
"""


def test_attributes_are_packed_as_they_were_and_restored(rtrace: Rtrace, home: Path, tmp_path: Path) -> None:
    """Those of files that the run changed or removed, and those that it changed itself, come from before the run."""
    names = ("read", "changed", "capable", "listed-acl", "removed", "touched", "fifo", ".")
    before = {name: attributes_of(home / name) for name in names}
    assert rtrace("trace", "--", "sh", "-e", "-c", SCRIPT, cwd=home).returncode == 0
    assert attributes_of(home / "touched") != before["touched"]
    found = packed(home / ".rtrace", tmp_path / "bundle.rpz")
    expected = {
        bytes((home / name).absolute()): {os.fsencode(key): value for key, value in attributes.items()}
        for name, attributes in before.items()
    }
    assert {path: found.get(path) for path in expected} == expected
    unpacked = UNPACKER.unpack(tmp_path / "bundle.rpz", tmp_path / "target")
    root = unpacked.target / "root" / home.relative_to("/")
    assert {name: attributes_of(root / name) for name in names} == before
    assert unpacked.notes == ()


def test_two_packs_are_equal(rtrace: Rtrace, home: Path, tmp_path: Path) -> None:
    """Attributes come in the order of their names, whatever order the file system has."""
    for number in range(20):
        os.setxattr(home / "read", f"user.{number * 7919 % 1000}", b"%d" % number)
    assert rtrace("trace", "--", "cat", "read", cwd=home).returncode == 0
    packed(home / ".rtrace", tmp_path / "one.rpz")
    packed(home / ".rtrace", tmp_path / "two.rpz")
    assert (tmp_path / "one.rpz").read_bytes() == (tmp_path / "two.rpz").read_bytes()


@pytest.mark.requires("root")
def test_what_is_not_kept_is_named_once(rtrace: Rtrace, home: Path, tmp_path: Path) -> None:
    """Attributes that only root sees, of the file system's own, are in one notice."""
    for name in ("read", "changed"):
        os.setxattr(home / name, "trusted.mine", b"x")
    assert rtrace("trace", "--", "cat", "read", "changed", cwd=home).returncode == 0
    report = pack(TraceDirectory(home / ".rtrace"), tmp_path / "bundle.rpz")
    assert [notice.what for notice in report.notices] == [
        f"extended attributes that are not packed: trusted.mine of {home / 'changed'} and 1 more file"
    ]


UNPACK = """\
import os, sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
unpacked = UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2]))
tool = unpacked.target / "root/work/tool"
print(sorted(os.listxattr(tool)), os.getxattr(tool, "user.note"), oct(tool.stat().st_mode & 0o777))
print(*unpacked.notes)
"""


def test_a_plain_user_is_told_what_could_not_be_set(tmp_path: Path, plain_user: PlainUser) -> None:
    """Capabilities take root; users' attributes are set although the file is read-only in the end."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/tool", b"x", mode=0o555)
    entry, source, *_ = maker.items[b"/work/tool"]
    attributes = ((b"security.capability", NET_RAW), (b"user.note", b"mine"))
    maker.items[b"/work/tool"] = maker.items[b"/work/tool"]._replace(attributes=attributes)
    maker.items[b"/work/too"] = maker.items[b"/work/tool"]._replace(entry=entry._replace(path=b"/work/too"))
    assert source is not None
    bundle = plain_user.home / "bundle.rpz"
    maker.write(make_run()).rename(bundle)
    plain_user.give(bundle)
    printed = run_python(plain_user, UNPACK, bundle, plain_user.home / "target").splitlines()
    note = (
        "not set, for lack of rights or of support: security.capability of /work/too and 1 more; "
        "unpack as root, on a file system that keeps extended attributes, if the replay needs them"
    )
    assert printed == ["['user.note'] b'mine' 0o555", note]
    assert tell_lost([]) == ()


def make_list(*rules: tuple[int, int, int]) -> bytes:
    """Make an access control list as the kernel has it."""
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *rule) for rule in rules)


NOBODY = 0xFFFFFFFF


@pytest.mark.parametrize(
    "uid, gids, expected",
    [(USER, (), 0o4), (USER, (7,), 0o4), (99, (7,), 0o6), (99, (5,), 0o2), (99, (5, 7), 0o6), (99, (1,), 0o1)],
)
def test_access_lists_decide_what_a_plain_user_may_do(uid: int, gids: tuple[int, ...], expected: int) -> None:
    """As acl(5) has it: a named user, then groups, all within the mask, then everybody else."""
    value = make_list((1, 7, NOBODY), (2, 5, USER), (4, 2, NOBODY), (8, 7, 7), (16, 6, NOBODY), (32, 1, NOBODY))
    entry = Entry(b"/x", FileType.REGULAR, 0o761, 0, 5, 0, xattrs=((ACCESS_LIST, value),))
    ownership = Ownership(keep=False, people=(Person(uid, frozenset(gids)),))
    assert ownership.mode_of(entry) == expected << 6 | 0o61


def test_images_get_attributes_in_their_tar() -> None:
    """As pax records that engines read, with values that are no text; names that these cannot say are left out."""
    value = b"\0\xff\n="
    entry = Entry(
        b"/x",
        FileType.DIRECTORY,
        0o755,
        0,
        0,
        TIME,
        xattrs=((b"user.a=b", b"2"), (b"user.z", value), (b"user.\xfe", b"3")),
    )
    file = write_tars([entry], ())["experiment"]
    with tarfile.open(fileobj=file, encoding="utf-8", errors="surrogateescape") as tar:
        records = {key: text.encode("utf-8", "surrogateescape") for key, text in tar.getmember("x").pax_headers.items()}
    assert {key: value for key, value in records.items() if "xattr" in key} == {"SCHILY.xattr.user.z": value}
    assert [is_sayable(name) for name, _ in entry.xattrs] == [False, True, False]


@pytest.mark.requires("docker", "root")
def test_an_engine_sets_file_capabilities(tmp_path: Path) -> None:
    """What an engine makes of the tar has the capability of the file."""
    from rtrace_unpackers.engines.docker import UNPACKER as DOCKER

    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/tool", b"x", mode=0o755)
    item = maker.items[b"/work/tool"]
    maker.items[b"/work/tool"] = item._replace(attributes=((b"security.capability", NET_RAW), (b"user.note", b"mine")))
    target = DOCKER.open(DOCKER.unpack(maker.write(make_run()), tmp_path / "target").target)
    try:
        image = target.state.facts["image"]
        created = subprocess.run(["docker", "create", image], check=True, capture_output=True, text=True).stdout.strip()
        try:
            exported = subprocess.run(["docker", "export", created], check=True, capture_output=True).stdout
        finally:
            run("docker", "rm", created)
    finally:
        target.destroy()
    with tarfile.open(fileobj=io.BytesIO(exported), encoding="utf-8", errors="surrogateescape") as tar:
        records = tar.getmember("work/tool").pax_headers
    assert records["SCHILY.xattr.security.capability"].encode("utf-8", "surrogateescape") == NET_RAW
