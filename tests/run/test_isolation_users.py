"""Several users in one replay: as root, and as a user with subordinate ids; and owners that nobody can be."""

import itertools
import os
import shutil
import stat
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, run_python, wrote
from plain_user import PlainUser
from rtrace.errors import TargetError
from rtrace.replay.protocol import Streams
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.isolation.users.ids import (
    FIRST_SHIFTED,
    MOST_EXTENTS,
    NO_ID,
    Extent,
    IdMap,
    add_subordinates,
    choose_shift,
    parse_map,
    parse_subordinates,
    shift_ids,
)

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

WHOLE = IdMap((Extent(0, 0, NO_ID),))
SERVER = 101
# What a database's start does: a folder of its own user, closed to others, and a server that is that user.
SCRIPT = (
    b"mkdir data && chown %d:%d data && chmod 700 data && "
    b"busybox start-stop-daemon -S -c server:server -x /bin/sh -- -c "
    b"'id -u; echo row > data/table; mkdir -m 700 data/inner; echo x > data/inner/y' && "
    b"stat -c '%%u %%g %%a' data data/table" % (SERVER, SERVER)
)
PRINTED = [b"101", b"101 101 700", b"101 101 644"]


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle with the applets that the script uses."""
    made = BundleMaker(tmp_path / "made")
    for applet in (b"mkdir", b"chown", b"chmod"):
        made.symlink(b"/bin/" + applet, b"busybox")
    made.file(b"/etc/passwd", b"server:x:%d:%d::/:/bin/sh\n" % (SERVER, SERVER), uid=0)
    made.file(b"/etc/group", b"server:x:%d:\n" % SERVER, uid=0)
    return made


def replay(target: Path, folder: Path) -> list[bytes]:
    """Replay a target's first run; return the lines that it printed."""
    opened = UNPACKER.open(target)
    with (folder / "out").open("w+b") as out, open(os.devnull, "rb") as null:
        outcome = opened.run(opened.runs()[0], streams=Streams(null.fileno(), out.fileno(), out.fileno()))
    printed = (folder / "out").read_bytes().splitlines()
    assert outcome.exit_code == 0, printed
    return printed


@pytest.mark.requires("root")
def test_root_replays_several_users(maker: BundleMaker, tmp_path: Path) -> None:
    """As root, files on disk have the recorded owners, and are nobody's in the eyes of the machine's processes."""
    target = UNPACKER.unpack(maker.write(make_run(SCRIPT, uid=0, gid=0, groups=())), tmp_path / "target").target
    assert replay(target, tmp_path) == PRINTED
    assert (target / "root/work/data/table").stat().st_uid == SERVER
    UNPACKER.open(target).destroy()
    assert not target.exists()


@pytest.fixture
def old_file_system(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system that cannot show other owners in a mount: one made by overlayfs."""
    folder = tmp_path / "overlay"
    for name in ("lower", "upper", "work", "merged"):
        (folder / name).mkdir(parents=True)
    options = f"lowerdir={folder}/lower,upperdir={folder}/upper,workdir={folder}/work"
    subprocess.run(["mount", "-t", "overlay", "overlay", "-o", options, folder / "merged"], check=True)
    yield folder / "merged"
    subprocess.run(["umount", "--lazy", folder / "merged"], check=True)  # a failed test may have left somebody in it


@pytest.mark.requires("root")
def test_owners_are_shifted_where_a_mount_cannot(maker: BundleMaker, old_file_system: Path, tmp_path: Path) -> None:
    """Where mounts cannot show other owners, the files are owned by the nobodies that a replay's users are."""
    bundle = maker.write(make_run(SCRIPT, uid=0, gid=0, groups=()))
    target = UNPACKER.unpack(bundle, old_file_system / "target").target
    assert (target / "root/bin/busybox").stat().st_uid == FIRST_SHIFTED
    assert replay(target, tmp_path) == PRINTED
    assert (target / "root/work/data/table").stat().st_uid == FIRST_SHIFTED + SERVER
    state = target / "rtrace-target.json"
    state.write_text(state.read_text().replace(str(FIRST_SHIFTED), "0"))
    with pytest.raises(TargetError, match="unpack the bundle again"):
        replay(target, tmp_path)
    UNPACKER.open(target).destroy()


REPLAY = """\
import os, sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
outcome = target.run(target.runs()[0])
found = target.inspect([b"/work/data/inner/y"], []).found[b"/work/data/inner/y"]
print(found.size, found.sha256[:8])
owners = {os.lstat(path).st_uid for path in Path(sys.argv[2], "root/work").iterdir()}
print(len(owners))
target.destroy()
print(os.listdir(Path(sys.argv[2]).parent))
"""


@pytest.mark.requires("root", "newuidmap")
def test_user_with_others_replays_several_users(maker: BundleMaker, user_with_others: PlainUser) -> None:
    """With subordinate ids, a user's replay has several users; what they closed is looked at, and can be removed."""
    bundle = user_with_others.home / "bundle.rpz"
    shutil.copyfile(maker.write(make_run(SCRIPT, uid=0, gid=0, groups=())), bundle)
    user_with_others.give(bundle)
    lines = run_python(user_with_others, REPLAY, bundle, user_with_others.home / "target").splitlines()
    assert lines[0] == "101"
    assert lines[-3:] == [f"2 {wrote(b'', b'x' + bytes([10])).sha256}"[:10], "1", "['bundle.rpz']"]


DEEP = """\
import os, sys
from pathlib import Path
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
print(target.run(target.runs()[0]).exit_status)
target.destroy()
print(os.listdir(Path(sys.argv[2]).parent))
"""


@pytest.mark.requires("root", "newuidmap")
def test_what_others_hide_deep_is_removed(maker: BundleMaker, user_with_others: PlainUser) -> None:
    """A closed folder of another user, below a path longer than the kernel takes, can be removed, too."""
    script = (
        b"n=x; while [ ${#n} -lt 200 ]; do n=$n$n; done; i=0;"
        b"while [ $i -lt 40 ]; do mkdir $n && cd $n; i=$((i+1)); done;"
        b"mkdir closed && chown server:server closed && chmod 700 closed"
    )
    bundle = user_with_others.home / "bundle.rpz"
    shutil.copyfile(maker.write(make_run(script, uid=0, gid=0, groups=())), bundle)
    user_with_others.give(bundle)
    lines = run_python(user_with_others, DEEP, bundle, user_with_others.home / "target").splitlines()
    assert lines[-2:] == ["0", "['bundle.rpz']"]


@pytest.mark.parametrize("changes", [{"uid": NO_ID}, {"gid": NO_ID}, {"groups": (NO_ID,)}])
def test_nobody_is_no_user(changes: dict[str, object], maker: BundleMaker, tmp_path: Path) -> None:
    """4294967295, which setresuid(2) takes for "as it is", is refused, and the target can be removed."""
    target = UNPACKER.open(UNPACKER.unpack(maker.write(make_run(b"id", **changes)), tmp_path / "target").target)
    with pytest.raises(TargetError, match="4294967295, which is no id"):
        target.run(target.runs()[0])
    target.destroy()


@pytest.mark.requires("root")
def test_the_largest_ids_are_had(maker: BundleMaker, tmp_path: Path) -> None:
    """A run by user 4294967294, beyond what is shifted, replays as that user."""
    run = make_run(b"id -u; id -g; echo x > new; stat -c %u new", uid=NO_ID - 1, gid=NO_ID - 1, groups=())
    maker.directory(b"/work", uid=NO_ID - 1)
    target = UNPACKER.unpack(maker.write(run), tmp_path / "target").target
    assert replay(target, tmp_path) == [b"4294967294"] * 3


def test_ids_are_shifted_to_nobody() -> None:
    """All ids below 2^31 are shifted by 2^31; the few beyond get one each; no two share one outside."""
    shift = choose_shift(WHOLE)
    assert shift == FIRST_SHIFTED
    ids = shift_ids(shift, WHOLE, (0, 5, NO_ID - 1, 1 << 31))
    outside = [ids.outside(number) for number in (0, 5, 1 << 31, NO_ID - 1)]
    assert outside[:2] == [FIRST_SHIFTED, FIRST_SHIFTED + 5]
    assert len(set(outside)) == 4
    assert all(FIRST_SHIFTED <= number < NO_ID for number in outside)
    with pytest.raises(TargetError, match=f"{MOST_EXTENTS} fit"):
        shift_ids(shift, WHOLE, range(1 << 31, (1 << 31) + MOST_EXTENTS + 1))


def test_a_container_gives_its_upper_half() -> None:
    """In a user namespace of 65,536 ids the upper half is given away; one of few ids has none to give."""
    assert choose_shift(parse_map("0 100000 65536\n")) == 32768
    ids = shift_ids(32768, parse_map("0 100000 65536\n"), (0, 1000, 60000))
    assert max(extent.outside + extent.count for extent in ids.extents) <= 65536
    assert choose_shift(parse_map("0 1000 1\n")) is None
    assert choose_shift(IdMap(())) is None


@pytest.mark.parametrize("inside", [0, 33, 65535, 65536, 1 << 30])
def test_subordinate_ids_stand_for_the_same(inside: int) -> None:
    """Whoever the recorded user is, another id stands for the same subordinate id; no id stands for two."""
    ids = add_subordinates(inside, 1000, ((100000, 30000), (300000, 35536)))
    assert ids.outside(inside) == 1000
    for number, outside in ((1, 100001), (40000, 310000), (65534, 335534)):
        assert ids.outside(number) == outside
    ranges = sorted((extent.inside, extent.inside + extent.count) for extent in ids.extents)
    assert all(before[1] <= after[0] for before, after in itertools.pairwise(ranges))


def test_subordinate_ids_are_read_by_name_and_number() -> None:
    """A line of subuid(5) counts for its user's name or number; lines that are none are passed over."""
    text = "alice:100000:65536\nbob:200000:65536\n1000:300000:10\nalice:x:1\n\nalice:1\n"
    assert parse_subordinates(text, "alice", 1000) == ((100000, 65536), (300000, 10))


@pytest.mark.requires("root")
def test_files_of_the_target_are_closed_to_others(maker: BundleMaker, tmp_path: Path) -> None:
    """A set-uid file that a replay leaves belongs to the recorded owner, in a folder that nobody else enters."""
    run = make_run(b"busybox cp /bin/busybox s; busybox chmod 4755 s", uid=0, gid=0, groups=())
    target = UNPACKER.unpack(maker.write(run), tmp_path / "target").target
    replay(target, tmp_path)
    assert stat.S_IMODE((target / "root/work/s").stat().st_mode) == 0o4755
    assert stat.S_IMODE(target.stat().st_mode) == 0o700
