"""Replay in namespaces: the program as it was, in a world that is the bundle's alone, and nothing of it afterwards."""

import errno
import os
import re
import signal
import socket
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Thread

import pytest

from bundle_making import USER, BundleMaker, make_run, run_python, unpack_as
from plain_user import PlainUser
from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, TargetError
from rtrace.manifest.model import Run
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.namespaces import Namespace
from rtrace_unpackers.isolation.planning.isolation_plan import plan_isolation
from rtrace_unpackers.isolation.planning.opened import Opened
from rtrace_unpackers.isolation.planning.operations import (
    BringUpLoopback,
    EnterRoot,
    EnterTree,
    Hide,
    Mount,
    SetHostname,
)
from rtrace_unpackers.isolation.running import refusal
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import Extent, IdMap, Maps, map_one

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

Replay = Callable[..., tuple[Outcome, bytes, bytes]]


def capture(maker: BundleMaker, folder: Path, run: Run, *, allow_network: bool = False) -> tuple[Outcome, bytes, bytes]:
    """Unpack, replay one run, destroy; return how it ended and what it printed."""
    target = UNPACKER.open(
        UNPACKER.unpack(maker.write(run, name=f"{len(os.listdir(maker.folder))}.rpz"), folder / "t").target
    )
    try:
        with (folder / "out").open("w+b") as out, (folder / "err").open("w+b") as err, open(os.devnull, "rb") as null:
            streams = Streams(null.fileno(), out.fileno(), err.fileno())
            outcome = target.run(run, grants=Grants(network=allow_network), streams=streams)
            return outcome, (folder / "out").read_bytes(), (folder / "err").read_bytes()
    finally:
        target.destroy()


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


@pytest.fixture
def replay(maker: BundleMaker, tmp_path: Path) -> Iterator[Replay]:
    """Replay a script in a chroot target of the user who runs the tests."""
    folder = tmp_path / "replays"
    folder.mkdir()

    def replay_script(
        script: bytes = b"", *, allow_network: bool = False, **changes: object
    ) -> tuple[Outcome, bytes, bytes]:
        return capture(maker, folder, make_run(script, **changes), allow_network=allow_network)

    yield replay_script
    assert not (folder / "t").exists()


REPLAY_AS_USER = """\
import sys
from pathlib import Path
from threading import Thread
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
outcome = target.run(target.runs()[0])
sys.stderr.write(f"{outcome.exit_code} {outcome.signal}")
target.destroy()
"""


def replay_as_user(maker: BundleMaker, user: PlainUser, run: Run) -> str:
    """Unpack, replay and destroy as a plain user; return what the program printed."""
    bundle = user.home / "bundle.rpz"
    bundle.write_bytes(maker.write(run).read_bytes())
    user.give(bundle)
    return run_python(user, REPLAY_AS_USER, bundle, user.home / "target")


@pytest.mark.parametrize("status", [0, 3, 137, 255])
def test_exit_code_is_passed_on(status: int, replay: Replay) -> None:
    """The outcome has the program's exit code, one that looks like a signal included."""
    assert replay(b"exit %d" % status)[0] == Outcome("run1", status, None)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGUSR1])
def test_signal_is_passed_on(number: int, replay: Replay) -> None:
    """The outcome has the signal that ended the program, apart from exit codes."""
    assert replay(b"kill -%d $$" % number)[0] == Outcome("run1", None, number)


def test_identity_is_as_recorded(replay: Replay) -> None:
    """User, group, umask, hostname and working directory are the recorded ones."""
    outcome, out, _ = replay(b"id -u; id -g; umask; busybox hostname; pwd", umask=0o027)
    assert (outcome.exit_code, out.split()) == (0, [b"%d" % USER, b"%d" % USER, b"0027", b"elsewhere", b"/work"])


@pytest.mark.requires("root")
def test_root_sets_the_recorded_groups(replay: Replay) -> None:
    """As root, the supplementary groups are the recorded ones."""
    assert replay(b"id -G", groups=(7, 99))[1].split() == [b"%d" % USER, b"7", b"99"]


def test_arguments_and_environment_are_byte_strings(replay: Replay) -> None:
    """Arguments and environment arrive byte for byte and in order: no UTF-8, no name, twice the same, argv[0] free."""
    environ = ((b"B", b"\xff\n"), (b"A", b"1"), (b"A", b"2"), (b"NO-VALUE", None), (b"", b"x"))
    argv = (b"cat", b"/proc/self/cmdline", b"/proc/self/environ", b"/dev/null", b"/dev/null")
    _, out, err = replay(argv=argv, environ=environ)
    expected = b"".join(word + b"\0" for word in (*argv, b"B=\xff\n", b"A=1", b"A=2", b"NO-VALUE", b"=x"))
    assert (out, err) == (expected, b"")


def test_huge_environment_survives(replay: Replay) -> None:
    """An environment of 300 KiB is replayed whole."""
    environ = tuple((b"V%d" % number, b"x" * 100 * 1024) for number in range(3))
    _, out, _ = replay(argv=(b"cat", b"/proc/self/environ"), environ=environ)
    assert out == b"".join(name + b"=" + (value or b"") + b"\0" for name, value in environ)


def test_files_with_odd_names_are_worked_on(maker: BundleMaker, tmp_path: Path) -> None:
    """A program, a directory and files whose names are no UTF-8 replay, and their changes stay in the target."""
    folder = b"/caf\xe9 \n'\""
    maker.directory(folder)
    maker.file(folder + b"/in\xff", b"1\n")
    maker.symlink(folder + b"/sh\xfe", b"/bin/busybox")
    run = make_run(
        b'cat in* > out\xfe; for name in in*; do echo 2 >> "$name"; done', binary=folder + b"/sh\xfe", workingdir=folder
    )
    target = UNPACKER.open(UNPACKER.unpack(maker.write(run), tmp_path / "target").target)
    assert target.run(run).exit_code == 0
    tree = os.fsencode(target.tree) + folder
    assert Path(os.fsdecode(tree + b"/out\xfe")).read_bytes() == b"1\n"
    assert Path(os.fsdecode(tree + b"/in\xff")).read_bytes() == b"1\n2\n"


def test_dynamic_programs_find_their_libraries(maker: BundleMaker, tmp_path: Path) -> None:
    """Bash and a coreutils program with their loader and libraries replay from the bundle's copies."""
    for program in (b"/bin/bash", b"/usr/bin/sort"):
        listed = subprocess.run(["ldd", program], check=True, capture_output=True).stdout
        for path in {program, *re.findall(rb"(/[^ ]+) \(0x", listed)}:
            maker.file(path, Path(os.fsdecode(path)).read_bytes(), mode=0o755, uid=0)
    (tmp_path / "replays").mkdir()
    run = make_run(argv=(b"bash", b"-c", b"/usr/bin/sort <(printf 'b\\na\\n')"), binary=b"/bin/bash")
    assert capture(maker, tmp_path / "replays", run) == (Outcome("run1", 0, None), b"a\nb\n", b"")


def test_there_is_no_network(replay: Replay) -> None:
    """A connection to an address outside fails at once with "Network is unreachable"; loopback is up."""
    outcome, _, err = replay(b"busybox nc -w 5 1.1.1.1 53 </dev/null")
    assert outcome.exit_code == 1
    assert b"Network is unreachable" in err
    outcome, out, err = replay(
        b"echo hello | busybox nc -l -p 4000 &until sleep 0.5 | busybox nc 127.0.0.1 4000 2>/dev/null; do :; done; wait"
    )
    assert (outcome.exit_code, out) == (0, b"hello\n"), err


def answer(server: socket.socket) -> None:
    """Accept one connection and close it."""
    server.settimeout(60)
    server.accept()[0].close()


def test_network_is_there_on_request(replay: Replay) -> None:
    """With the network allowed, a server on this machine's loopback is reached; without, it is not."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        Thread(target=answer, args=(server,), daemon=True).start()
        script = b"busybox nc 127.0.0.1 %d </dev/null" % server.getsockname()[1]
        assert replay(script)[0].exit_code == 1
        assert replay(script, allow_network=True)[0].exit_code == 0


def test_originals_are_out_of_reach(tmp_path: Path, replay: Replay) -> None:
    """No file of this machine can be seen: not by its path, through /proc, or through a descriptor left open."""
    secret = tmp_path / "secret"
    secret.write_text("secret")
    leaked = os.open(tmp_path, os.O_RDONLY)
    os.set_inheritable(leaked, True)  # noqa: FBT003 -- it takes no keyword
    try:
        script = b"cat %s /proc/1/root%s /proc/self/fd/%d/secret; ls /; ls /proc/self/fd; ls /proc"
        path = os.fsencode(secret)
        _, out, _ = replay(script % (path, path, leaked))
    finally:
        os.close(leaked)
    assert b"secret" not in out
    assert out.split()[:5] == [b"bin", b"dev", b"proc", b"sys", b"work"]
    processes = [word for word in out.split() if word.isdigit() and int(word) > 3]
    assert len(processes) <= 3


def test_devices_are_the_few_that_programs_use(replay: Replay) -> None:
    """/dev has the usual devices, links, terminals and shared memory, and no disk."""
    _, out, err = replay(
        b"ls -1 /dev; echo x > /dev/null; busybox head -c 3 /dev/zero; echo 4 > /dev/shm/x; cat /dev/shm/x"
    )
    names = b"fd full null ptmx pts random shm stderr stdin stdout tty urandom zero".split()
    assert (out, err) == (b"\n".join(names) + b"\n\0\0\0" + b"4\n", b"")


@pytest.mark.requires("root")
def test_replayed_root_cannot_change_the_host(replay: Replay) -> None:
    """A run by root makes no device node, configures no kernel, and changes no device of the host."""
    before = os.stat("/dev/null")
    script = (
        b"busybox mknod /d b 8 0; echo /x > /proc/sys/kernel/core_pattern; busybox chmod 600 /dev/null;"
        b"busybox mount -t tmpfs t /work; id -u"
    )
    _, out, err = replay(script, uid=0, gid=0)
    assert out == b"0\n"
    refusals = (
        b"/d: Operation not permitted",
        b"core_pattern: Read-only file system",
        b"/dev/null: Operation not permitted",
        b"mount: permission denied",
    )
    assert [refusal for refusal in refusals if refusal not in err] == []
    after = os.stat("/dev/null")
    assert (after.st_mode, after.st_ctime_ns) == (before.st_mode, before.st_ctime_ns)


def test_set_uid_bits_have_no_effect(maker: BundleMaker, tmp_path: Path) -> None:
    """A set-uid program of root in a bundle runs with the recorded user's rights."""
    maker.file(b"/bin/sudo", Path("/usr/bin/busybox").read_bytes(), mode=0o4755, uid=0)
    (tmp_path / "replays").mkdir()
    run = make_run(binary=b"/bin/sudo", argv=(b"id", b"-u"))
    assert capture(maker, tmp_path / "replays", run)[1] == b"%d\n" % USER


def test_daemons_are_waited_for(replay: Replay) -> None:
    """The replay ends when the last descendant has ended, as the trace did, and tells how the main program ended."""
    script = b"(busybox setsid sh -c 'sleep 0.2; echo late') & exit 7"
    outcome, out, _ = replay(script)
    assert (outcome, out) == (Outcome("run1", 7, None), b"late\n")


def list_mounts(folder: Path) -> list[str]:
    """Return the mounts of this machine that have to do with a folder: engines make and remove others meanwhile."""
    return [line for line in Path("/proc/self/mountinfo").read_text().splitlines() if str(folder) in line]


def test_nothing_is_mounted_afterwards(maker: BundleMaker, tmp_path: Path) -> None:
    """A replay's mounts are gone with it, its mount points are empty, and `destroy` never reaches the host's /dev."""
    before = list_mounts(tmp_path)
    devices = sorted(os.listdir("/dev"))
    run = make_run(b"ls /dev /proc >/dev/null")
    target = UNPACKER.open(UNPACKER.unpack(maker.write(run), tmp_path / "target").target)
    assert target.run(run).exit_code == 0
    assert list_mounts(tmp_path) == before
    assert [list((target.tree / name).iterdir()) for name in ("dev", "proc", "sys")] == [[], [], []]
    target.destroy()
    assert not target.path.exists()
    assert (sorted(os.listdir("/dev")), stat.S_ISCHR(os.stat("/dev/null").st_mode)) == (devices, True)


@pytest.mark.requires("root")
def test_destroy_refuses_what_is_mounted(maker: BundleMaker, tmp_path: Path) -> None:
    """A mount that somebody made in a target keeps it from being destroyed; nothing of either is removed."""
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / "file").write_bytes(b"")
    target = UNPACKER.open(UNPACKER.unpack(maker.write(make_run()), tmp_path / "target").target)
    subprocess.run(["mount", "--bind", precious, target.tree / "dev"], check=True)
    try:
        with pytest.raises(TargetError, match="is mounted in the target"):
            target.destroy()
        assert (target.tree / "bin/busybox").exists()
    finally:
        subprocess.run(["umount", target.tree / "dev"], check=True)
    target.destroy()
    assert [path.name for path in precious.iterdir()] == ["file"]


def test_what_cannot_be_started_has_its_own_error(replay: Replay) -> None:
    """No program, no permission, no working directory: each has its sentence and its exit status."""
    with pytest.raises(CommandNotFoundError, match="/bin/none"):
        replay(binary=b"/bin/none")
    with pytest.raises(CommandNotExecutableError, match="/work"):
        replay(binary=b"/work")
    with pytest.raises(TargetError, match="working directory /absent"):
        replay(workingdir=b"/absent")


def test_plain_user_replays_without_rights(maker: BundleMaker, plain_user: PlainUser) -> None:
    """A plain user replays with the recorded ids, a hostname, no network, and a /proc of its own."""
    run = make_run(b"id -u; id -g; busybox hostname; echo x > new; cat new; ls /sys/devices/system; echo $$; exit 3")
    printed = replay_as_user(maker, plain_user, run).split()
    assert printed[:4] == [str(USER), str(USER), "elsewhere", "x"]
    assert "cpu" in printed
    assert printed[-1] == "2"
    assert list(plain_user.home.iterdir()) == [plain_user.home / "bundle.rpz"]


def test_plain_user_replays_a_run_of_root(maker: BundleMaker, plain_user: PlainUser) -> None:
    """What root ran, a plain user replays as uid 0 of a user namespace, with root's way with permissions."""
    maker.file(b"/work/closed", b"content", mode=0o000, uid=0)
    printed = replay_as_user(maker, plain_user, make_run(b"id -u; cat closed", uid=0, gid=0, groups=()))
    assert printed == "0\ncontent"


def test_plain_user_cannot_write_what_was_not_theirs(maker: BundleMaker, plain_user: PlainUser) -> None:
    """A file of root's that the recorded user could not write cannot be written in a plain user's replay either."""
    maker.file(b"/work/roots", b"kept", mode=0o644, uid=0)
    printed = replay_as_user(maker, plain_user, make_run(b"echo changed > roots; cat roots"))
    assert printed == "kept"


@pytest.mark.requires("root")
def test_root_leaves_a_plain_users_target_alone(maker: BundleMaker, plain_user: PlainUser) -> None:
    """Root replays nothing that a user unpacked, who could exchange it meanwhile."""
    target = unpack_as(plain_user, maker.write(make_run(b"echo x > new")))
    with pytest.raises(TargetError, match="belongs to another user, who could exchange"):
        UNPACKER.open(target)


REPLAY_AND_TELL = """\
import sys
from pathlib import Path
from threading import Thread
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(Path(sys.argv[1]))
sys.exit(target.run(target.runs()[0]).exit_status)
"""


def start_replay(maker: BundleMaker, folder: Path, run: Run) -> subprocess.Popen[bytes]:
    """Replay in a process of its own, whose output comes through a pipe."""
    target = UNPACKER.unpack(maker.write(run), folder / "target").target
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", REPLAY_AND_TELL, target],
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
        start_new_session=True,
    )


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGUSR1])
def test_signals_to_the_caller_reach_the_program(number: int, maker: BundleMaker, tmp_path: Path) -> None:
    """A signal to whoever replays is the program's to handle."""
    script = b"trap 'echo got it; exit 9' TERM INT USR1; echo ready; while :; do sleep 0.05; done"
    with start_replay(maker, tmp_path, make_run(script)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert (process.stdout.read(), process.wait()) == (b"got it\n", 9)


def test_killing_the_caller_kills_everything(maker: BundleMaker, tmp_path: Path) -> None:
    """When the caller is killed, every process of the replay is, daemons included: the pipe they hold is closed."""
    script = b"busybox setsid sleep 1000 & echo ready; while :; do sleep 1000; done"
    with start_replay(maker, tmp_path, make_run(script)) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.kill()
        assert process.stdout.read() == b""


def test_plan_is_a_value() -> None:
    """A replay's plan is a value: namespaces, mounts, who and what; equal for equal runs, made without a system."""
    shifted = IdMap((Extent(0, 1 << 31, 100_000),))
    roots = Access(Maps(shifted, shifted), MappedBy.ROOT, maps_owners=True)
    users = Access(Maps(map_one(USER, 5), map_one(USER, 6)), MappedBy.ITSELF)
    as_root, as_user = plan_isolation(make_run(), roots), plan_isolation(make_run(), users)
    assert as_root == plan_isolation(make_run(), roots)
    assert as_user.namespaces == as_root.namespaces
    assert Namespace.USER | Namespace.CGROUP in as_root.namespaces
    assert (as_root.program.groups, as_user.program.groups) == ((USER,), None)
    assert (as_root.setup[1], as_root.setup[-1]) == (EnterTree(), EnterRoot())
    assert Mount(b"dev/null", b"/dev/null", flags=MountFlag.BIND) in as_user.setup
    assert {SetHostname(b"elsewhere"), BringUpLoopback(), Hide(b"proc/kcore")} <= set(as_root.setup)
    open_to_all = plan_isolation(make_run(), roots, opened=Opened(network=True))
    assert open_to_all.namespaces ^ as_root.namespaces == Namespace.NET
    assert BringUpLoopback() not in open_to_all.setup


@pytest.mark.parametrize(
    "name, value",
    [
        ("kernel.unprivileged_userns_clone", "0"),
        ("user.max_user_namespaces", "0"),
        ("kernel.apparmor_restrict_unprivileged_userns", "1"),
    ],
)
def test_refused_namespaces_name_the_switch(name: str, value: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a machine forbids users their namespaces, the sentence names the sysctl that does and the way out."""
    monkeypatch.setattr(refusal, "read_switch", {name: value}.get)
    sentence = refusal.explain_refusal(1, "get namespaces of its own", as_root=False)
    assert f"sysctl -w {name}=" in sentence
    assert "Docker or Podman" in sentence
    assert "No space left" not in refusal.explain_refusal(errno.ENOSPC, "get namespaces of its own", as_root=False)
    assert "--privileged" in refusal.explain_refusal(1, "get namespaces of its own", as_root=True)


IMPORT_ELSEWHERE = """\
import sys
sys.platform = "darwin"
import rtrace_unpackers.chroot, rtrace_unpackers.engines.docker
from rtrace_unpackers.isolation.running.replay import check_system
try:
    check_system()
except Exception as error:
    print(type(error).__name__)
"""


def test_modules_load_where_there_is_no_linux() -> None:
    """The unpackers' modules load on another system, and say there in a sentence what does not work."""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, "-c", IMPORT_ELSEWHERE],
        env={**os.environ, "PYTHONPATH": paths},
        capture_output=True,
        check=True,
    )
    assert done.stdout.strip() == b"TargetError"
