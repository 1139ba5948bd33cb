"""What a hostile bundle tries when it is replayed: the host's program, files, streams, group and keys; and fails at."""

import os
import shlex
import shutil
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, run_python
from plain_user import PlainUser
from rtrace.errors import RtraceError, TargetError
from rtrace.limits import ALLOWABLE, KEYRINGS, NESTED_NAMESPACES
from rtrace.manifest.model import Descriptor, Input, Run
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Streams
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.chroot.target import ChrootTarget

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

OUTSIDE = (
    b"/proc/self/exe",
    b"/proc/thread-self/exe",
    b"/proc/1/exe",
    b"/proc/1/environ",
    b"/proc/self/environ",
    b"/proc/kmsg",
    b"/proc/kcore",
    b"/proc/self/fd/3",
    b"/proc/1/fd/3",
    b"/proc/self/root/proc/self/exe",
    b"/proc/self/cwd/../proc/self/exe",
    b"/proc/self/map_files",
    b"/proc/self/mem",
    b"/work/../proc/self/exe",
    b"/work/link",
    b"/work/chain",
    b"/work/folder/exe",
    b"/sys/kernel/notes",
    b"/dev/tty",
    b"/dev/ptmx",
)
"""What no file of a bundle is, however it is spelt; the last of /work are symlinks in the bundle."""


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle with symlinks that lead to processes."""
    made = BundleMaker(tmp_path / "made")
    made.symlink(b"/work/link", b"/proc/self/exe")
    made.symlink(b"/work/chain", b"link")
    made.symlink(b"/work/folder", b"/proc/self")
    return made


def open_target(maker: BundleMaker, folder: Path, run: Run) -> ChrootTarget:
    """Unpack a bundle of one run."""
    return UNPACKER.open(UNPACKER.unpack(maker.write(run), folder / "target").target)


def capture(target: ChrootTarget, folder: Path, *, allowed: frozenset[str] = frozenset()) -> tuple[int, str]:
    """Replay a target's run with nothing to read; return its status and what it printed."""
    with (folder / "out").open("w+b") as out, open(os.devnull, "rb") as null:
        streams = Streams(null.fileno(), out.fileno(), out.fileno())
        outcome = target.run(target.runs()[0], streams=streams, grants=Grants(calls=allowed))
    return outcome.exit_status, (folder / "out").read_text()


@pytest.mark.parametrize("path", OUTSIDE, ids=os.fsdecode)
@pytest.mark.parametrize("uid", [0, 4321])
def test_standard_input_is_a_file_of_the_bundle(path: bytes, uid: int, maker: BundleMaker, tmp_path: Path) -> None:
    """No process, device or file of the kernel becomes standard input, by no name."""
    run = make_run(b"cat", stdin=Input(path), uid=uid, gid=uid, groups=())
    target = open_target(maker, tmp_path, run)
    with pytest.raises(TargetError, match="the standard input of run1"):
        capture(target, tmp_path)
    target.destroy()


@pytest.mark.parametrize("path", OUTSIDE, ids=os.fsdecode)
@pytest.mark.parametrize("uid", [0, 4321])
def test_the_program_is_a_file_of_the_bundle(path: bytes, uid: int, maker: BundleMaker, tmp_path: Path) -> None:
    """No process, device or file of the kernel is executed, by no name."""
    run = make_run(binary=path, argv=(b"x", b"-c", b"import os"), uid=uid, gid=uid, groups=())
    target = open_target(maker, tmp_path, run)
    with pytest.raises(RtraceError, match="cannot execute"):
        capture(target, tmp_path)
    target.destroy()


def test_a_script_cannot_have_the_host_as_interpreter(maker: BundleMaker, tmp_path: Path) -> None:
    """A script for /proc/self/exe gets the launcher, which does nothing without its descriptors, not the host's."""
    maker.file(b"/work/script", b"#!/proc/self/exe -c print(1)\n", mode=0o755)
    target = open_target(maker, tmp_path, make_run(binary=b"/work/script", argv=(b"script",)))
    status, printed = capture(target, tmp_path)
    assert (status != 0, printed) == (True, "")
    target.destroy()


SHOW = b"readlink /proc/1/exe; busybox grep -c . /proc/1/maps; ls /proc/1/fd; cat /proc/self/maps; ls /proc/self/fd"


def test_nothing_of_python_is_left(maker: BundleMaker, tmp_path: Path) -> None:
    """The first process shows nobody what it is, and the program has its streams and no other descriptor."""
    target = open_target(maker, tmp_path, make_run(b"%b; ls -l /proc/self/fd" % SHOW, uid=0, gid=0, groups=()))
    _, printed = capture(target, tmp_path)
    assert "python" not in printed
    assert "memfd" not in printed
    target.destroy()


def run_at_shell(command: str, folder: Path, **options: object) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which `rtrace` is this one."""
    script = f'rtrace() {{ "{sys.executable}" -m rtrace "$@"; }}\n{command}'
    return subprocess.run(  # type: ignore[call-overload, no-any-return]
        ["bash", "-c", script], cwd=folder, capture_output=True, timeout=120, check=False, **options
    )


GRAB = b"""
for n in 1 2; do
    busybox chmod 6777 /proc/self/fd/$n; busybox chown 0 /proc/self/fd/$n; busybox truncate -s 0 /proc/self/fd/$n
    cat <&$n; cp /bin/busybox /proc/self/fd/$n; : > /proc/self/fd/$n
done 2>/dev/null
echo said; echo told >&2
"""


@pytest.mark.parametrize("uid", [0, 4321])
def test_files_that_output_goes_to_are_not_the_programs(uid: int, maker: BundleMaker, tmp_path: Path) -> None:
    """`rtrace run B > out 2>> log`: the program writes to both and can neither read, empty, open nor own them."""
    bundle = maker.write(make_run(GRAB, uid=uid, gid=uid, groups=()))
    (tmp_path / "log").write_text("before\n")
    (tmp_path / "log").chmod(0o600)
    done = run_at_shell(f"umask 077; rtrace run {bundle} > out 2>> log < /dev/null", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "out").read_bytes().endswith(b"said\n")
    log = (tmp_path / "log").read_bytes()
    assert (log.startswith(b"before\n"), log.endswith(b"told\n")) == (True, True)
    for name in ("out", "log"):
        status = (tmp_path / name).stat()
        assert (stat.S_IMODE(status.st_mode), status.st_uid) == (0o600, os.geteuid())


def test_order_of_output_is_kept(maker: BundleMaker, tmp_path: Path) -> None:
    """With `> log 2>&1` what a program says and tells comes in its order."""
    script = b"for i in 1 2 3 4 5 6 7 8 9; do echo o$i; echo e$i >&2; done"
    done = run_at_shell(f"rtrace run {maker.write(make_run(script))} > log 2>&1", tmp_path)
    assert done.returncode == 0
    assert (tmp_path / "log").read_text().split() == [word for i in range(1, 10) for word in (f"o{i}", f"e{i}")]


@pytest.mark.parametrize("uid", [0, 4321])
@pytest.mark.parametrize("command", ["run", "verify"])
def test_the_callers_group_is_out_of_reach(command: str, uid: int, maker: BundleMaker, tmp_path: Path) -> None:
    """`kill 0` and a signal to everybody end the program's own group: the script that called rtrace goes on."""
    run = make_run(b"trap '' TERM; kill -TERM 0; kill -HUP -1; kill -KILL 0", uid=uid, gid=uid, groups=())
    done = run_at_shell(
        f"rtrace {command} {maker.write(run)} >/dev/null; echo and on", tmp_path, start_new_session=True
    )
    assert done.stdout == b"and on\n", done.stderr


def test_reader_who_had_enough_ends_the_program(maker: BundleMaker, tmp_path: Path) -> None:
    """`rtrace run B | head -1`: the program gets SIGPIPE, as it would by itself."""
    done = run_at_shell(
        f"rtrace run {maker.write(make_run(b'while :; do echo y; done'))} | head -1; echo ${{PIPESTATUS[0]}}", tmp_path
    )
    assert done.stdout == b"y\n141\n", done.stderr


def test_standard_input_is_handed_on(maker: BundleMaker, tmp_path: Path) -> None:
    """What comes through the caller's pipe or file arrives whole, and so does its end; a closed one is empty."""
    bundle = maker.write(make_run(b"busybox wc -c; busybox wc -c"))
    for source, expected in (
        (f"head -c 3000000 /dev/zero | rtrace run {bundle}", b"3000000\n0\n"),
        (f"rtrace run {bundle} < {shlex.quote(__file__)}", b"%d\n0\n" % Path(__file__).stat().st_size),
        (f"rtrace run {bundle} <&-", b"0\n0\n"),
    ):
        assert run_at_shell(source, tmp_path).stdout == expected


def test_no_descriptor_of_rtraces_is_copied(maker: BundleMaker, tmp_path: Path) -> None:
    """A run that has copies of descriptors which it was not given gets none of rtrace's, to report another end by."""
    target = open_target(maker, tmp_path, make_run(b"true"))
    copies = tuple(Descriptor(number, "same", same=number - 1) for number in range(4, 12))
    run = make_run(b"for n in 3 4 5 6 7 8 9 10 11; do readlink /proc/$$/fd/$n; done; exit 7", descriptors=copies)
    with (tmp_path / "out").open("w+b") as out, open(os.devnull, "rb") as null:
        outcome = target.run(run, streams=Streams(null.fileno(), out.fileno(), out.fileno()))
    assert outcome.exit_status == 7
    assert set((tmp_path / "out").read_text().split()) <= {"/"}
    target.destroy()


KEYS = """\
import ctypes, os, subprocess, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.syscall(250, 1, b"rtrace-test")
key = libc.syscall(248, b"user", b"rtrace-canary", b"secret", 6, -3)
assert key > 0, os.strerror(ctypes.get_errno())
sys.exit(subprocess.run([sys.executable, "-m", "rtrace", "run", *sys.argv[1:]]).returncode)
"""

READ_KEYS = """\
#include <stdio.h>
#include <string.h>
#include <errno.h>
#include <unistd.h>
#include <sys/syscall.h>
int main(void) {
    char text[64] = "";
    long key = syscall(SYS_request_key, "user", "rtrace-canary", 0, 0);
    long other = syscall(SYS_keyctl, 10, -3, "user", "rtrace-canary", 0);
    printf("%s %s ", key < 0 ? strerrorname_np(errno) : "found", other < 0 ? strerrorname_np(errno) : "found");
    printf("%ld\\n", syscall(SYS_keyctl, 11, -3, text, sizeof text));
}
"""


@pytest.mark.requires("gcc")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="the calls' numbers are those of x86-64")
def test_the_callers_keys_are_out_of_reach(maker: BundleMaker, tmp_path: Path) -> None:
    """A key of the caller's session is not found: keyrings are refused, and when allowed, there is a new one."""
    (tmp_path / "keys.c").write_text("#define _GNU_SOURCE\n" + READ_KEYS)
    subprocess.run(["gcc", "-static", "-w", "-o", tmp_path / "keys", tmp_path / "keys.c"], check=True)
    maker.file(b"/bin/keys", (tmp_path / "keys").read_bytes(), mode=0o755)
    bundle = maker.write(make_run(binary=b"/bin/keys", argv=(b"keys",)))
    refused = subprocess.run([sys.executable, "-c", KEYS, bundle], capture_output=True, check=False)
    assert refused.stdout == b"EPERM EPERM -1\n", refused.stderr
    allowed = subprocess.run(
        [sys.executable, "-c", KEYS, "--allow", KEYRINGS, bundle], capture_output=True, check=False
    )
    assert allowed.stdout == b"ENOKEY ENOKEY 0\n", allowed.stderr


def test_namespaces_are_had_on_request(maker: BundleMaker, tmp_path: Path) -> None:
    """A sandbox inside a replay works when it is allowed, and not otherwise."""
    target = open_target(
        maker, tmp_path, make_run(b"busybox unshare -r -m sh -c 'mkdir -p m; busybox mount -t tmpfs t m && id -u'")
    )
    assert capture(target, tmp_path)[0] != 0
    status, printed = capture(target, tmp_path, allowed=frozenset({NESTED_NAMESPACES}))
    assert (status, printed.splitlines()[-1:]) == (0, ["0"]), printed
    assert os.listdir(target.tree / "work/m") == []
    target.destroy()


def test_everything_allowed_still_reaches_nobody(maker: BundleMaker, tmp_path: Path) -> None:
    """With all that can be allowed, a replay by root is still nobody outside: it kills and writes nothing."""
    victim = subprocess.Popen(["sleep", "1000"])
    try:
        script = b"kill -KILL %d; echo 0 > /proc/%d/oom_score_adj; echo x > /sys/fs/cgroup/cgroup.procs; id -u" % (
            victim.pid,
            victim.pid,
        )
        target = open_target(maker, tmp_path, make_run(script, uid=0, gid=0, groups=()))
        assert capture(target, tmp_path, allowed=frozenset(ALLOWABLE))[1].splitlines()[-1] == "0"
        assert victim.poll() is None
        target.destroy()
    finally:
        victim.kill()
        victim.wait()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_signals_reach_the_program_in_its_own_session(number: int, maker: BundleMaker) -> None:
    """The program leads no group of the caller's, and still gets the caller's signals."""
    script = b"trap 'echo got it; exit 9' TERM HUP INT; echo ready; while :; do sleep 0.05; done"
    process = subprocess.Popen(
        [sys.executable, "-m", "rtrace", "run", maker.write(make_run(script))], stdout=subprocess.PIPE
    )
    with process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        assert (process.stdout.read(), process.wait()) == (b"got it\n", 9)


def test_no_signal_is_lost_that_goes_to_the_group(maker: BundleMaker) -> None:
    """A signal to the group of rtrace's caller arrives as one to rtrace alone does: each of 50, one after the other."""
    script = b"n=0; trap 'n=$((n+1)); echo $n' USR1; echo ready; while [ $n -lt 50 ]; do busybox sleep 0.01; done"
    command: list[str | Path] = [sys.executable, "-m", "rtrace", "run", maker.write(make_run(script))]
    with subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        for number in range(1, 51):
            os.killpg(process.pid, signal.SIGUSR1)
            assert process.stdout.readline() == b"%d\n" % number
        assert process.wait() == 0


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])  # a shell's background ignores SIGINT
def test_what_a_program_left_behind_can_be_ended(number: int, maker: BundleMaker) -> None:
    """When the program has ended, signals are for the daemons that rtrace waits for."""
    script = b"busybox setsid busybox sh -c 'echo ready; exec busybox sleep 1000' & exit 3"
    command: list[str | Path] = [sys.executable, "-m", "rtrace", "run", maker.write(make_run(script))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.3)  # the program may take a moment to end; a signal to it would do no harm
        process.send_signal(number)
        assert process.wait(timeout=60) == 3


def test_interrupts_reach_the_programs_children(maker: BundleMaker) -> None:
    """SIGINT ends what a shell waits for, as it does at a terminal."""
    command: list[str | Path] = [
        sys.executable,
        "-m",
        "rtrace",
        "run",
        maker.write(make_run(b"echo ready; busybox sleep 1000; echo on")),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=60) == 130


def test_closed_streams_are_the_null_device(maker: BundleMaker, tmp_path: Path) -> None:
    """With standard output or error closed a replay goes on, and no file of rtrace's takes its place."""
    bundle = maker.write(make_run(b"echo said; echo told >&2; cat; exit 5"))
    for closed in (">&-", "2>&-", "<&-", "<&- >&- 2>&-"):
        assert run_at_shell(f"rtrace run {bundle} {closed}", tmp_path).returncode == 5, closed


def test_many_descriptors_of_the_caller_do_no_harm(maker: BundleMaker, tmp_path: Path) -> None:
    """With a thousand open files and an output that does not block, all of it arrives."""
    bundle = maker.write(make_run(b"busybox head -c 3000000 /dev/zero"))
    command = f'ulimit -n 4096; for ((i = 10; i < 1200; i++)); do eval "exec $i</dev/null"; done; rtrace run {bundle}'
    script = f'"{sys.executable}" -c "import os; os.set_blocking(1, False)"; {command}'
    with subprocess.Popen(
        ["bash", "-c", f'rtrace() {{ "{sys.executable}" -m rtrace "$@"; }}; {script}'],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
    ) as process:
        assert process.stdout is not None
        assert len(process.stdout.read()) == 3_000_000
        assert process.wait() == 0


@pytest.mark.parametrize(
    "changes, sentence",
    [
        ({"hostname": "h" * 80}, "has 80 bytes"),
        ({"groups": tuple(range(70_000))}, "70000 groups"),
        ({"workingdir": b"/proc/self/exe"}, "leads to a process or a device"),
    ],
)
def test_what_cannot_be_is_told(changes: dict[str, object], sentence: str, maker: BundleMaker, tmp_path: Path) -> None:
    """A hostname, groups or a directory that no process can have are told as what they are."""
    target = open_target(maker, tmp_path, make_run(b"true", **changes))
    with pytest.raises(TargetError, match=sentence):
        capture(target, tmp_path)
    target.destroy()


ATTACK = """\
import os, sys
from pathlib import Path
from rtrace.errors import RtraceError
from rtrace_unpackers.chroot import UNPACKER
target = UNPACKER.open(UNPACKER.unpack(Path(sys.argv[1]), Path(sys.argv[2])).target)
try:
    print(target.run(target.runs()[0]).exit_status)
except RtraceError as error:
    print(type(error).__name__)
target.destroy()
"""

AsUser = Callable[[PlainUser, Run], str]


@pytest.fixture
def attack_as(maker: BundleMaker) -> AsUser:
    """Have a user unpack and replay."""

    def attack(user: PlainUser, run: Run) -> str:
        bundle = user.home / "bundle.rpz"
        shutil.copyfile(maker.write(run), bundle)
        user.give(bundle)
        return run_python(user, ATTACK, bundle, user.home / "target").splitlines()[-1]

    return attack


HOSTILE_RUNS = {
    "input": (make_run(b"cat", stdin=Input(b"/proc/self/exe")), "TargetError"),
    "input by link": (make_run(b"cat", stdin=Input(b"/work/chain")), "TargetError"),
    "program": (make_run(binary=b"/proc/self/exe"), "CommandNotExecutableError"),
    "program by link": (make_run(binary=b"/work/folder/exe"), "CommandNotExecutableError"),
    "nobody": (make_run(b"id", uid=0xFFFFFFFF), "TargetError"),
    "group": (make_run(b"kill -KILL 0"), "137"),
}


@pytest.mark.parametrize("name", sorted(HOSTILE_RUNS))
def test_a_users_replay_holds(name: str, attack_as: AsUser, plain_user: PlainUser) -> None:
    """The same attacks fail when a user without subordinate ids replays."""
    run, expected = HOSTILE_RUNS[name]
    assert attack_as(plain_user, run) == expected


@pytest.mark.requires("root", "newuidmap")
@pytest.mark.parametrize("name", sorted(HOSTILE_RUNS))
def test_a_replay_with_others_holds(name: str, attack_as: AsUser, user_with_others: PlainUser) -> None:
    """The same attacks fail when a user with subordinate ids replays."""
    run, expected = HOSTILE_RUNS[name]
    assert attack_as(user_with_others, run) == expected
