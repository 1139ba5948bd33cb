"""Extraction: a tree as it was recorded, and nothing outside of it, whatever the bundle says."""

import os
import stat
from pathlib import Path

import pytest

from bundle_making import TIME, USER, BundleMaker, digest, make_run, run_python
from open_folders import opened
from plain_user import PlainUser
from rtrace.bundle.entry import Entry, FileType
from rtrace.errors import BundleError, HostileBundleError, TargetError
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.layout import Layout, plan_layout
from rtrace_unpackers.files.ownership import Ownership, Person
from rtrace_unpackers.target.placement import build_beside

pytestmark = pytest.mark.requires("busybox")
NOT_UTF8 = b"/work/caf\xe9 \n\"':"


def entry(path: bytes, kind: FileType = FileType.REGULAR, **changes: object) -> Entry:
    """Return an entry of which nothing but path and kind matters."""
    return Entry(path, kind, 0o644, 0, 0, 0, **changes)  # type: ignore[arg-type]


def lay_out(**kinds: tuple[Entry, ...]) -> Layout:
    """Return a layout that nobody has checked."""

    def of(kind: str) -> tuple[Entry, ...]:
        return kinds.get(kind, ())

    return Layout(of("directories"), of("files"), of("placeholders"), of("links"), of("fifos"), of("symlinks"))


def test_every_kind_of_file_comes_out_as_recorded(tmp_path: Path) -> None:
    """Content, type, mode, time to the nanosecond, symlink target, hard link and hole come out as they went in."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(NOT_UTF8, b"content", mode=0o640)
    maker.add(Entry(b"/work/zz-hard", FileType.REGULAR, 0o640, USER, USER, TIME, 7, link=NOT_UTF8))
    maker.symlink(b"/work/link", b"../..//nowhere\xff")
    maker.add(Entry(b"/work/fifo", FileType.FIFO, 0o600, USER, USER, TIME))
    maker.add(Entry(b"/work/hole", FileType.REGULAR, 0o644, USER, USER, TIME, 1 << 40, placeholder=True))
    target = UNPACKER.unpack(maker.write(make_run()), tmp_path / "target").target
    root = os.fsencode(target / "root")
    status = os.stat(root + NOT_UTF8)
    assert Path(os.fsdecode(root + NOT_UTF8)).read_bytes() == b"content"
    assert (stat.S_IMODE(status.st_mode), status.st_mtime_ns, status.st_nlink) == (0o640, TIME, 2)
    assert os.path.samefile(root + NOT_UTF8, root + b"/work/zz-hard")
    assert os.readlink(root + b"/work/link") == b"../..//nowhere\xff"
    assert os.lstat(root + b"/work/link").st_mtime_ns == TIME
    assert stat.S_ISFIFO(os.stat(root + b"/work/fifo").st_mode)
    hole = os.stat(root + b"/work/hole")
    assert (hole.st_size, hole.st_blocks) == (1 << 40, 0)
    assert {os.stat(root + path).st_mtime_ns for path in (b"/", b"/work", b"/bin")} == {TIME}


@pytest.mark.requires("root")
def test_root_keeps_owners_and_nobody_else_gets_in(tmp_path: Path, plain_user: PlainUser) -> None:
    """As root, files belong to their recorded owners, set-uid bits stay, and no other user can reach any of it."""
    tmp_path.chmod(0o755)
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/tool", b"#!/bin/sh\n", mode=0o4755, uid=0)
    target = UNPACKER.unpack(maker.write(make_run()), tmp_path / "target").target
    status = (target / "root/work").stat()
    assert (status.st_uid, status.st_gid) == (USER, USER)
    assert stat.S_IMODE((target / "root/work/tool").stat().st_mode) == 0o4755
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
    assert plain_user.run("cat", target / "rtrace-target.json").returncode != 0


UNPACK_AND_DESTROY = """\
import os, sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target
for name in ("closed", "closed/in", "shared", "shared/theirs", "own"):
    print(oct(os.lstat(target / "root/work" / name).st_mode & 0o7777) if name != "closed/in" else "hidden")
snapshot = UNPACKER.open(target).inspect([b"/work/closed/in"], [])
print(snapshot.found[b"/work/closed/in"].sha256)
UNPACKER.open(target).destroy()
print(os.path.lexists(target), os.listdir(target.parent))
"""


def test_plain_user_unpacks_and_destroys_read_only_folders(tmp_path: Path, plain_user: PlainUser) -> None:
    """Folders and files without a bit for their owner are unpacked, looked into and removed by a user all the same.

    What was somebody else's gets as owner's permissions what the recorded user had.
    """
    maker = BundleMaker(tmp_path / "made")
    maker.directory(b"/work/closed", mode=0o000)
    maker.file(b"/work/closed/in", b"x", mode=0o000)
    maker.directory(b"/work/shared", mode=0o755, uid=0)
    maker.file(b"/work/shared/theirs", b"x", mode=0o664, uid=0)
    maker.file(b"/work/own", b"x", mode=0o444)
    bundle = plain_user.home / "bundle.rpz"
    maker.write(make_run()).rename(bundle)
    plain_user.give(bundle)
    printed = run_python(plain_user, UNPACK_AND_DESTROY, bundle, plain_user.home / "target").split("\n")
    assert printed[:5] == ["0o0", "hidden", "0o555", "0o464", "0o444"]
    assert printed[5:] == [digest(b"x"), "False ['bundle.rpz']", ""]


@pytest.mark.parametrize(
    "groups, mode, expected", [((), 0o754, 0o454), ((7,), 0o754, 0o554), ((), 0o4755, 0o4555), ((), 0o700, 0o000)]
)
def test_modes_of_other_peoples_files_are_narrowed(groups: tuple[int, ...], mode: int, expected: int) -> None:
    """Owner's permissions become those of the group for its members, and of others for everybody else."""
    ownership = Ownership(keep=False, people=(Person(USER, frozenset(groups)),))
    theirs = Entry(b"/x", FileType.REGULAR, mode, 0, 7, 0)
    assert oct(ownership.mode_of(theirs)) == oct(expected)
    assert Ownership(keep=True, people=ownership.people).mode_of(theirs) == mode
    assert Ownership(keep=False, people=(Person(0, frozenset()),)).mode_of(theirs) == mode


HOSTILE = {
    "climbing": (entry(b"/work/../../outside", offset=512, sha256="0" * 64),),
    "relative": (entry(b"outside", offset=512, sha256="0" * 64),),
    "twice": (entry(b"/x", FileType.DIRECTORY), entry(b"/x", FileType.DIRECTORY)),
    "below a symlink": (
        entry(b"/x", FileType.SYMLINK, target=b"/tmp"),
        entry(b"/x/y", offset=512, sha256="0" * 64),
    ),
    "below a file": (entry(b"/x", offset=512, sha256="0" * 64), entry(b"/x/y", FileType.DIRECTORY)),
    "hard link to outside": (entry(b"/x", link=b"/etc/passwd", sha256="0" * 64),),
    "a symlink for a mount point": (entry(b"/dev", FileType.SYMLINK, target=b"/tmp"),),
}


@pytest.mark.parametrize("name", sorted(HOSTILE))
def test_hostile_entries_are_refused_before_anything_is_written(name: str) -> None:
    """A name that could reach outside is refused when the unpacking is planned."""
    with pytest.raises(HostileBundleError):
        plan_layout(HOSTILE[name])


def test_hostile_bundle_leaves_nothing_behind(tmp_path: Path) -> None:
    """Unpacking a bundle that plants a symlink and writes through it fails, and there is no target, whole or half."""
    maker = BundleMaker(tmp_path / "made")
    outside = tmp_path / "outside"
    outside.mkdir()
    maker.symlink(b"/work/out", os.fsencode(outside))
    maker.file(b"/work/out/planted", b"got out")
    bundle = maker.write(make_run())
    (tmp_path / "place").mkdir()
    with pytest.raises(HostileBundleError, match="/work/out"):
        UNPACKER.unpack(bundle, tmp_path / "place/target")
    assert (list(outside.iterdir()), list((tmp_path / "place").iterdir())) == ([], [])


@pytest.mark.parametrize(
    "layout",
    [
        lay_out(files=(entry(b"/out/planted", size=1),)),
        lay_out(directories=(entry(b"/out/planted", FileType.DIRECTORY),)),
        lay_out(files=(entry(b"/leading out", size=1),)),
        lay_out(placeholders=(entry(b"/leading out", size=1),)),
        lay_out(fifos=(entry(b"/out/planted", FileType.FIFO),)),
        lay_out(symlinks=(entry(b"/out/planted", FileType.SYMLINK, target=b"x"),)),
        lay_out(links=(entry(b"/hard", link=b"/out/secret"),)),
        lay_out(files=(entry(b"/../outside/planted", size=1),)),
    ],
)
def test_extraction_follows_no_symlink_even_unchecked(layout: Layout, tmp_path: Path) -> None:
    """With every check of names left out, extraction itself still goes through no symlink and leaves the tree's top."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"s")
    top = tmp_path / "top"
    top.mkdir()
    (top / "out").symlink_to(outside)
    (top / "leading out").symlink_to(outside / "planted")
    contents = [(file, iter([b"x"])) for file in layout.files]
    with opened(top) as root, pytest.raises(OSError, match=r"Errno (2|17|20|22|40)\b"):
        extract(layout, contents, root, Ownership(keep=False))
    assert {path.name: path.read_bytes() for path in outside.iterdir()} == {"secret": b"s"}


def test_damaged_content_leaves_nothing_behind(tmp_path: Path) -> None:
    """A bundle whose data is not what its index says is refused in the middle, and there is no target."""
    maker = BundleMaker(tmp_path / "made")
    bundle = maker.write(make_run())
    content = bytearray(bundle.read_bytes())
    content[len(content) // 2] ^= 0xFF  # of the bundle's data, which is nearly all of it
    (tmp_path / "place").mkdir()
    damaged = tmp_path / "damaged.rpz"
    damaged.write_bytes(content)
    with pytest.raises(BundleError):
        UNPACKER.unpack(damaged, tmp_path / "place/target")
    assert list((tmp_path / "place").iterdir()) == []


def test_existing_target_is_left_alone(tmp_path: Path) -> None:
    """There is no unpacking over something: not a folder, an empty one, or a dangling symlink."""
    bundle = BundleMaker(tmp_path / "made").write(make_run())
    (tmp_path / "folder").mkdir()
    (tmp_path / "dangling").symlink_to("nowhere")
    for name in ("folder", "dangling"):
        with pytest.raises(TargetError, match="exists already"):
            UNPACKER.unpack(bundle, tmp_path / name)
    with pytest.raises(TargetError, match="there is no directory"):
        UNPACKER.unpack(bundle, tmp_path / "absent/target")


def test_interrupted_unpacking_leaves_nothing_behind(tmp_path: Path) -> None:
    """Whatever ends the unpacking, a KeyboardInterrupt too, the half-made folder goes."""

    def interrupt() -> None:
        with build_beside(tmp_path / "target") as folder:
            (folder / "half").write_bytes(b"")
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupt()
    assert list(tmp_path.iterdir()) == []


def test_plan_touches_nothing(tmp_path: Path) -> None:
    """The plan tells what would be made, and makes nothing."""
    bundle = BundleMaker(tmp_path / "made").write(make_run())
    (tmp_path / "place").mkdir()
    lines = UNPACKER.plan(bundle, tmp_path / "place/target")
    assert any("write 1 file, " in line for line in lines)
    assert list((tmp_path / "place").iterdir()) == []
