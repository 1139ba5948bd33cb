"""Replays where no namespaces are to be had: under proot, which is told each time, and never for root."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

import without_namespaces
from bundle_making import BundleMaker, make_run, wrote
from plain_user import PlainUser
from rtrace.manifest.model import Descriptor, Input
from static_programs import build_static
from terminals import at_terminal
from waiting import find_processes, wait_until

pytestmark = pytest.mark.requires("busybox", "proot", "root", "user-namespaces")

WARNING = "under proot, which does not isolate"


@pytest.fixture(params=["limit", "filter"])
def forbidden(request: pytest.FixtureRequest, plain_user: PlainUser) -> PlainUser:
    """A plain user of a machine that forbids namespaces, by its own limit or by a filter of calls."""
    return forbid(plain_user, request.param)


@pytest.fixture
def limited(plain_user: PlainUser) -> PlainUser:
    """A plain user whose limit of namespaces is 0."""
    return forbid(plain_user, "limit")


def forbid(user: PlainUser, way: str) -> PlainUser:
    """Return a user who can make no namespaces."""
    path = os.pathsep.join(sys.path)
    starter = ("/usr/bin/env", f"PYTHONPATH={path}", sys.executable, without_namespaces.__file__, way, str(user.uid))
    return replace(user, prefix=(*starter, "/usr/bin/env", "-u", "PYTHONPATH"))


def make(user: PlainUser, folder: Path, script: bytes = b"", **changes: object) -> Path:
    """Make a bundle of one run of a script, in the user's home."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/file", b"content\n")
    return give(user, maker.write(make_run(script, **changes)))


def give(user: PlainUser, bundle: Path) -> Path:
    """Copy a bundle into the user's home."""
    own = user.home / "bundle.rpz"
    own.write_bytes(bundle.read_bytes())
    user.give(own)
    return own


def run_rtrace(user: PlainUser, *words: str | Path) -> tuple[int, bytes, str]:
    """Run rtrace as a user; return status, output and what was said."""
    done = user.run(user.rtrace, *words)
    return done.returncode, done.stdout, done.stderr.decode("utf-8", "replace")


def test_a_chroot_target_is_replayed_under_proot(forbidden: PlainUser, tmp_path: Path) -> None:
    """With the recorded words, ids, umask, directory and environment, and nothing of proot's own or the caller's."""
    script = b'echo "$0"; id -u; id -g; umask; pwd; cat file; set; stat -c %u file; cat /proc/self/cmdline'
    environ = ((b"PATH", b"/bin"), (b"ODD", b"\xff\n"), (b"PS1", b""), (b"IFS", b" "))
    bundle = make(forbidden, tmp_path, script, umask=0o123, environ=environ, argv=(b"sh", b"-c", script, b"zero\xfe"))
    assert run_rtrace(forbidden, "unpack", "chroot", bundle, "target")[0] == 0
    status, printed, said = run_rtrace(forbidden, "replay", "target")
    lines = printed.split(b"\n")
    assert status == 0, said
    assert lines[:6] == [b"zero\xfe", b"4321", b"4321", b"0123", b"/work", b"content"]
    assert b"PROOT" not in printed
    assert b"HOME" not in printed
    assert b"ODD='\xff" in printed
    assert b"\n4321\ncat\0/proc/self/cmdline\0" in printed
    assert said.count(WARNING) == 1
    assert run_rtrace(forbidden, "destroy", "target")[0] == 0


def test_auto_takes_it_last(limited: PlainUser, tmp_path: Path) -> None:
    """What a bundle is replayed with is told, with what the better ones lack; in answers, too."""
    bundle = make(
        limited,
        tmp_path,
        b"echo new >made",
    )
    status, _, said = run_rtrace(limited, "replay", bundle)
    assert status == 0, said
    first, *_ = said.splitlines()
    assert "taking proot" in first
    assert "sysctl -w user.max_user_namespaces=15000" in first
    assert "docker: no engine answers" in first
    assert said.count(WARNING) == 1
    status, printed, said = run_rtrace(limited, "verify", "--json", "--unpacker", "chroot", bundle)
    assert json.loads(printed)["unpacker"] == "proot"
    assert "taking proot, as chroot cannot replay here" in said
    assert WARNING in said
    kept = (limited.home / ".local/state/rtrace/history").rglob("*.json")
    verdicts = [json.loads(path.read_text())["verdict"] for path in kept]
    assert [verdict["unpacker"] for verdict in verdicts if verdict] == ["proot"]


def test_nothing_is_taken_where_nothing_works(limited: PlainUser, tmp_path: Path) -> None:
    """One sentence names all unpackers, each with what it lacks; `chroot` alone names what to allow, and proot."""
    bundle = make(limited, tmp_path)
    (limited.home / "bin").mkdir()
    python = limited.rtrace.read_text().splitlines()[0].removeprefix("#!")
    (limited.home / "bin/python3").symlink_to(python)
    for words, expected in (
        ((), ("nothing here can replay it; chroot: ", "docker: no engine", "proot: it is not installed")),
        (("--unpacker", "chroot"), ("switched off", "sysctl -w user.max", "--unpacker docker", "install proot")),
    ):
        done = limited.run(limited.rtrace, "replay", *words, bundle, env={"PATH": str(limited.home / "bin")})
        assert done.returncode == 125
        said = done.stderr.decode()
        assert [part for part in expected if part not in said] == []
        assert said.count("\n") == 1


def test_root_is_refused(tmp_path: Path) -> None:
    """What root's proot ran would be root on this machine, so neither is made."""
    bundle = BundleMaker(tmp_path / "made").write(make_run(b"id"))
    for words in (("replay", "--unpacker", "proot", bundle), ("unpack", "proot", bundle, tmp_path / "target")):
        done = subprocess.run([sys.executable, "-m", "rtrace", *words], check=False, capture_output=True)
        assert done.returncode == 125
        assert b"proot is not for root" in done.stderr
    assert not (tmp_path / "target").exists()


@pytest.mark.parametrize("changes, expected, words", [
    ({"script": b"exit 7"}, 7, ""),
    ({"script": b"kill -9 $$"}, 137, ""),
    ({"script": b"(sleep 1; echo late >late) & exit 3"}, 3, ""),
    ({"binary": b"/nowhere"}, 127, "the bundle lacks it"),
    ({"binary": b"/work/file"}, 126, "Permission denied"),
    ({"workingdir": b"/nowhere"}, 125, "cannot enter the working directory /nowhere"),
])  # fmt: skip
def test_ends_are_told_exactly(
    changes: dict[str, object], expected: int, words: str, plain_user: PlainUser, tmp_path: Path
) -> None:
    """Status, signal, what cannot be started, and the last of the descendants, where namespaces are there as well."""
    script = changes.pop("script", b"")
    assert isinstance(script, bytes)
    bundle = make(plain_user, tmp_path, script, **changes)
    assert run_rtrace(plain_user, "unpack", "proot", bundle, "target")[0] == 0
    status, _, said = run_rtrace(plain_user, "replay", "target")
    assert status == expected, said
    assert words in said
    assert WARNING in said
    late = plain_user.home / "target/root/work/late"
    assert (late.exists() and late.read_text() == "late\n") == (b"late" in script)


def test_files_of_the_machine_are_not_in_its_place(plain_user: PlainUser, tmp_path: Path) -> None:
    """Calls that proot does not translate do not reach the machine's files: they do not exist for a replay."""
    secret = plain_user.home / "secret"
    secret.write_text("a file of the machine")
    script = b"cat %b; ls %b; stat %b; cat /etc/passwd; ls /home; echo over" % ((os.fsencode(secret),) * 3)
    bundle = make(plain_user, tmp_path, script)
    _, printed, said = run_rtrace(plain_user, "replay", "--unpacker", "proot", bundle)
    assert printed == b"over\n", said


@pytest.mark.requires("gcc")
@pytest.mark.parametrize("tool", ["proot", "directory"])
def test_a_heap_outlives_children(tool: str, plain_user: PlainUser, checkout: Path, tmp_path: Path) -> None:
    """What posix_spawn(3) and system(3) start takes nothing from the memory of the program that starts it."""
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/bin/spawns", build_static(checkout, "spawns", tmp_path), mode=0o755)
    bundle = give(plain_user, maker.write(make_run(b"/bin/spawns")))
    if tool == "proot":
        status, printed, said = run_rtrace(plain_user, "replay", "--unpacker", "proot", bundle)
    else:
        target = plain_user.home / "target"
        assert run_rtrace(plain_user, "unpack", "directory", bundle, target)[0] == 0
        done = plain_user.run(target / "run.sh", env={"RTRACE_WITH": "proot"})
        status, printed, said = done.returncode, done.stdout, done.stderr.decode(errors="replace")
    assert (status, printed) == (0, b"whole\n"), said


def test_streams_and_descriptors(plain_user: PlainUser, tmp_path: Path) -> None:
    """Input comes from the bundle at its offset, as do other descriptors; output and error stay apart."""
    run = make_run(
        b"cat; echo error >&2; cat <&5",
        stdin=Input(b"/work/file", offset=3),
        descriptors=(Descriptor(5, "file", b"/work/file", 1, access="read"),),
    )
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/file", b"content\n")
    bundle = give(plain_user, maker.write(run))
    status, printed, said = run_rtrace(plain_user, "replay", "--unpacker", "proot", bundle)
    assert (status, printed) == (0, b"tent\nontent\n"), said
    assert "\nerror\n" in said


def test_limits_end_it(plain_user: PlainUser, tmp_path: Path) -> None:
    """Time, output and processes are limited as elsewhere, and nothing of the replay is left."""
    bundle = make(plain_user, tmp_path, b"sleep 4321 & sleep 4322")
    status, _, said = run_rtrace(plain_user, "replay", "--unpacker", "proot", "--timeout", "1", bundle)
    assert status == 124, said
    assert "--timeout" in said
    assert find_processes(b"sleep\x004321") == []
    many = make(plain_user, tmp_path / "many", b"while :; do echo yes; done")
    status, printed, said = run_rtrace(plain_user, "replay", "--unpacker", "proot", "--max-output", "10K", many)
    assert (status, len(printed)) == (137, 10240), said


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_a_signal_to_rtrace_leaves_nothing(number: int, plain_user: PlainUser, tmp_path: Path) -> None:
    """The program gets what rtrace is sent; a killed rtrace takes all with it."""
    seconds = b"54%d" % number
    bundle = make(plain_user, tmp_path, b"trap 'kill $!; echo caught; exit 9' TERM; sleep %b & wait" % seconds)
    assert run_rtrace(plain_user, "unpack", "proot", bundle, "target")[0] == 0
    environment = {"HOME": str(plain_user.home), "PATH": "/usr/bin:/bin"}
    command: list[str | Path] = [*plain_user.prefix, plain_user.rtrace, "replay", plain_user.home / "target"]
    with subprocess.Popen(
        command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    ) as running:
        wait_until(lambda: find_processes(b"sleep\0" + seconds) != [])
        running.send_signal(number)
        printed = running.communicate(timeout=60)[0]
    if number == signal.SIGTERM:
        assert b"caught" in printed
    else:
        wait_until(lambda: find_processes(b"sleep\0" + seconds) == [])


def test_a_terminal_of_its_own(plain_user: PlainUser, tmp_path: Path) -> None:
    """At a terminal, the program has one whose size is right, and keys reach it."""
    bundle = make(plain_user, tmp_path, b"read x </dev/tty; stat -c %F /dev/tty; echo got $x")
    words: tuple[str | Path, ...] = (*plain_user.prefix, plain_user.rtrace, "replay", "--unpacker", "proot", bundle)
    with at_terminal("env", f"HOME={plain_user.home}", *words, cwd=plain_user.home) as person:
        person.wait_for(b"does not isolate")
        person.type(b"hello\r")
        person.wait_for(b"character special file")
        person.wait_for(b"got hello")
        assert person.leave() in {0, 1, 143}


def test_verify_judges_as_elsewhere(limited: PlainUser, tmp_path: Path) -> None:
    """What comes out the same under proot is the same."""
    maker = BundleMaker(tmp_path / "made")
    bundle = give(limited, maker.write(make_run(b"echo new >/work/made"), results=(wrote(b"/work/made", b"new\n"),)))
    status, _, said = run_rtrace(limited, "verify", bundle)
    assert status == 0, said
