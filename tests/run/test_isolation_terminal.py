"""A replay at a terminal: the program gets one of its own, and the caller's is as it was, whatever happens."""

import contextlib
import os
import shlex
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from plain_user import PlainUser
from rtrace.manifest.model import Input
from rtrace_unpackers.chroot import UNPACKER
from terminals import at_terminal

pytestmark = pytest.mark.requires("busybox", "user-namespaces")

RTRACE = (sys.executable, "-m", "rtrace")


@pytest.fixture
def bundle_of(tmp_path: Path) -> Callable[..., Path]:
    """Write a bundle whose run is a script of busybox's shell."""

    def write(script: bytes, **changes: object) -> Path:
        return BundleMaker(tmp_path / "made").write(make_run(script, **changes))

    return write


@pytest.fixture
def target_of(bundle_of: Callable[..., Path], tmp_path: Path) -> Callable[..., Path]:
    """Unpack such a bundle."""

    def unpack(script: bytes, **changes: object) -> Path:
        return UNPACKER.unpack(bundle_of(script, **changes), tmp_path / "target").target

    return unpack


@pytest.mark.parametrize("uid", [0, 4321])
def test_program_gets_a_terminal_of_its_own(uid: int, target_of: Callable[..., Path], tmp_path: Path) -> None:
    """All three streams are a terminal of the replay's own /dev/pts, of the caller's size, and the controlling one."""
    script = b"for n in 0 1 2; do readlink /proc/self/fd/$n; done; busybox stty size; echo x > /dev/tty"
    with at_terminal(*RTRACE, "run", target_of(script, uid=uid, gid=uid, groups=()), cwd=tmp_path, rows=33) as person:
        assert person.leave() == 0
        assert person.shown.split() == [b"/dev/pts/0"] * 3 + [b"33", b"80", b"x"]
        assert person.modes() == person.modes_before


def test_keys_are_the_programs(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """What is typed is echoed once and read; ^D ends the input, ^C interrupts the program and not rtrace."""
    script = b"trap 'echo interrupted; exit 4' INT; echo ready; cat; echo end; while :; do busybox sleep 0.05; done"
    with at_terminal(*RTRACE, "run", target_of(script), cwd=tmp_path) as person:
        person.wait_for(b"ready")
        person.type(b"word\r")
        assert person.wait_for(b"word\r\nword\r\n").strip() == b""  # the echo, and what was read
        person.type(b"\x04")
        person.wait_for(b"end")
        person.type(b"\x03")
        person.wait_for(b"interrupted")
        assert person.leave() == 4
        assert person.modes() == person.modes_before


def test_size_follows_the_window(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """A window that changes is told to the program with SIGWINCH, and the terminal has the new size."""
    script = b"trap 'busybox stty size; exit 0' WINCH; echo ready; while :; do busybox sleep 0.05; done"
    with at_terminal(*RTRACE, "run", target_of(script), cwd=tmp_path) as person:
        person.wait_for(b"ready")
        person.resize(40, 132)
        person.wait_for(b"40 132")
        assert person.leave() == 0


@pytest.mark.requires("bash")
def test_job_control_works_outside(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """^Z stops the replay and gives the shell its terminal; fg goes on where it was."""
    script = b"echo ready; read line; echo got $line"
    target = target_of(script)
    with at_terminal("bash", "--norc", "--noprofile", "-i", cwd=tmp_path) as person:
        person.type(b"PS1='prompt''> '; set +o emacs\r")
        person.wait_for(b"prompt> ")
        person.type(os.fsencode(shlex.join((*RTRACE, "run", str(target))) + "\r"))
        person.wait_for(b"ready\r\n")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(b"prompt> ")
        person.type(b"echo the shell $((40 + 2))\r")
        person.wait_for(b"the shell 42\r\n")
        person.type(b"fg\r")
        person.wait_for(b"target")
        person.type(b"line\r")
        person.wait_for(b"got line")
        person.wait_for(b"prompt> ")
        person.type(b"exit\r")
        assert person.leave() == 0


@pytest.mark.requires("bash")
def test_verify_reads_nothing_that_is_typed(bundle_of: Callable[..., Path], tmp_path: Path) -> None:
    """What a person types while `verify` runs is the shell's to read, and the terminal's modes are as they were."""
    script = b"exec 2>/dev/null; busybox stty raw < /dev/tty; cat < /dev/tty; busybox timeout 1 cat <&1; cat"
    command = shlex.join((*RTRACE, "verify", str(bundle_of(script)))) + "; read line; echo got $line"
    with at_terminal("bash", "-c", command, cwd=tmp_path) as person:
        person.type(b"typed\r")
        person.wait_for(b"got typed")
        person.leave()
        assert person.modes() == person.modes_before


START_IN_FOREGROUND = """\
import os, signal, sys
child = os.fork()
if child == 0:
    os.setpgid(0, 0)
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTTOU})
    os.tcsetpgrp(0, os.getpid())
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGTTOU})
    os.execvp("sh", ["sh", "-c", "exec " + sys.argv[1]])
open("pid", "w").write(str(child))
os.waitpid(child, 0)
signal.pause()
"""


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGHUP])
def test_mode_is_restored_whatever_ends_it(number: int, target_of: Callable[..., Path], tmp_path: Path) -> None:
    """A terminal that was raw for a replay has its mode back, also when rtrace was killed."""
    command = shlex.join((*RTRACE, "run", str(target_of(b"echo ready; exec sleep 1000")))) + " & echo $! > pid; fg"
    with at_terminal("bash", "--norc", "-i", "-c", f"set -m; {command}; true", cwd=tmp_path) as person:
        person.wait_for(b"ready")
        assert person.modes() != person.modes_before
        os.kill(int((tmp_path / "pid").read_text()), number)
        person.wait_for_modes(person.modes_before)


def test_mode_is_restored_by_the_keeper(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """Where no shell restores a terminal's mode, the replay's keeper does, once rtrace was killed."""
    command = shlex.join((*RTRACE, "run", str(target_of(b"echo ready; exec busybox sleep 1000"))))
    with at_terminal(sys.executable, "-c", START_IN_FOREGROUND, command, cwd=tmp_path) as person:
        person.wait_for(b"ready")
        assert person.modes() != person.modes_before
        os.kill(int((tmp_path / "pid").read_text()), signal.SIGKILL)
        person.wait_for_modes(person.modes_before)


@pytest.mark.requires("bash")
def test_program_without_its_terminal_can_be_interrupted(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """A program that closed all its ends of the terminal still gets ^C, and what it writes there later is shown."""
    script = (
        b"trap 'echo late > /dev/tty; exit 7' INT; echo ready; exec < /dev/null > log 2>&1;"
        b"while :; do busybox sleep 0.05; done"
    )
    with at_terminal(*RTRACE, "run", target_of(script), cwd=tmp_path) as person:
        person.wait_for(b"ready")
        person.type(b"\x03")
        person.wait_for(b"late")
        assert person.leave() == 7


@pytest.mark.requires("bash")
def test_keyboard_comes_back_from_the_background(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """^Z, bg, something typed for the shell, fg: then what is typed is the program's again."""
    target = target_of(b"echo ready; while read line; do echo got $line; done")
    with at_terminal("bash", "--norc", "--noprofile", "-i", cwd=tmp_path) as person:
        person.type(b"PS1='prompt''> '; set +o emacs\r")
        person.wait_for(b"prompt> ")
        person.type(os.fsencode(shlex.join((*RTRACE, "run", str(target))) + "\r"))
        person.wait_for(b"ready\r\n")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(b"prompt> ")
        person.type(b"bg\r")
        person.wait_for(b"prompt> ")
        person.type(b"echo the shell $((40 + 2))\r")
        person.wait_for(b"the shell 42\r\n")
        person.type(b"fg\r")
        person.wait_for(b"target")
        person.type(b"one\r")
        person.wait_for(b"got one")
        person.type(b"\x04")
        person.wait_for(b"prompt> ")
        person.type(b"exit\r")
        assert person.leave() == 0


def test_input_from_the_bundle_leaves_the_terminal_alone(tmp_path: Path) -> None:
    """A run whose standard input was a file reads that file at a terminal, too, and has the terminal for its output."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/input", b"skipped kept\n")
    bundle = maker.write(make_run(b"cat; busybox stty size <&1", stdin=Input(b"/work/input", 8)))
    with at_terminal(*RTRACE, "run", UNPACKER.unpack(bundle, tmp_path / "target").target, cwd=tmp_path) as person:
        assert person.leave() == 0
        assert person.shown == b"kept\r\n24 80\r\n"


def test_a_user_has_a_terminal_too(bundle_of: Callable[..., Path], plain_user: PlainUser) -> None:
    """A plain user's replay has a terminal of its own, which the recorded user may open."""
    bundle = plain_user.home / "bundle.rpz"
    bundle.write_bytes(bundle_of(b"echo x > /dev/tty; busybox stty size").read_bytes())
    plain_user.give(bundle)
    with contextlib.ExitStack() as stack:
        command = (*plain_user.prefix, str(plain_user.rtrace), "run", "--no-history", str(bundle))
        person = stack.enter_context(at_terminal(*command, cwd=plain_user.home))
        assert person.leave() == 0
        assert person.shown.endswith(b"x\r\n24 80\r\n")


def test_output_alone_is_a_terminal_too(target_of: Callable[..., Path], tmp_path: Path) -> None:
    """With an input that is none, what a program writes to is still a terminal of its own, and shown once as it is."""
    script = b"readlink /proc/self/fd/1; busybox stty size <&1; cat; echo x > /dev/tty"
    with (
        (tmp_path / "input").open("w+b") as file,
        at_terminal(*RTRACE, "run", target_of(script), cwd=tmp_path, streams={0: file.fileno()}) as person,
    ):
        file.write(b"typed\n")
        file.seek(0)
        assert person.leave() == 0
        assert person.shown == b"/dev/pts/0\r\n24 80\r\ntyped\r\nx\r\n"
