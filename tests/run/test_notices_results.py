"""Notices tell what happened: each kind is told when it did, and not when the call failed."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from observing import Row, observe
from plain_user import PlainUser

ENGINES = ("notify", "seccomp", "stops")
HAPPENED = {
    "mount": "unshare --mount bash -c 'mount -t tmpfs none place && umount place'",
    "chroot": "chroot / true",
    "chdir, not told": "cd place",
    "unshare": "unshare --mount true",
    "setns": "nsenter --mount=/proc/self/ns/mnt true",
}
TOLD = {
    "mount": {"unshare)", "mount)", "umount2)"},
    "chroot": {"chroot)"},
    "chdir, not told": set(),
    "unshare": {"unshare)"},
    "setns": {"setns)"},
}
FAILED = {
    "mount": "mount -t no-such-filesystem none place",
    "umount": "umount place",
    "chroot": "chroot no-such-folder true",
    "setns": "nsenter --mount=/proc/self/status true",
    "unshare": "python3 -c 'import ctypes; print(ctypes.CDLL(None).unshare(0x7fffffff | 0x20000))'",
    "pivot_root": "pivot_root place no-such-folder",
    "open_by_handle_at": "python3 -c 'import ctypes; print(ctypes.CDLL(None).open_by_handle_at(-1, bytes(16), 0))'",
    "bpf": "python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(321, 9999, 0, 0))'",
    "module": "python3 -c 'import ctypes; print(ctypes.CDLL(None).syscall(176, b\"no-such-module\", 0))'",
    "swap": "python3 -c 'import ctypes; print(ctypes.CDLL(None).swapoff(b\"no-such-file\"))'",
    "queue": "python3 -c 'import ctypes; print(ctypes.CDLL(None).mq_open(b\"/no-such-queue\", 0))'",
    "ptrace of what is not there": "python3 -c 'import ctypes; print(ctypes.CDLL(None).ptrace(16, 2**22 + 1, 0, 0))'",
    "memory": "python3 -c 'import ctypes; print(ctypes.CDLL(None).process_vm_readv(1, 0, 1, 0, 1, 0))'",
    "a device without a driver": "head -c 1 device",
}
LISTEN = r"""
#define _GNU_SOURCE
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
int main(int argc, char **argv) {
    struct sock_filter code[] = {{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}};
    struct sock_fprog program = {1, code};
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
    if (argc > 1 && !strcmp(argv[1], "strict"))
        return prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT, 0, 0, 0), syscall(SYS_exit, 0);
    long flags = argc > 1 ? 0 : SECCOMP_FILTER_FLAG_NEW_LISTENER;
    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program) < 0;
}
"""


def trace(tmp_path: Path, script: str, engine: str) -> tuple[int, list[Row]]:
    """Trace a script with a folder `place` and a device without a driver; return its status and the notices."""
    work = tmp_path / "work"
    (work / "place").mkdir(parents=True)
    if os.geteuid() == 0:
        os.mknod(work / "device", 0o020666, os.makedev(4000, 0))
    environ = {**os.environ, "RTRACE_ENGINE": engine}
    observation = observe(tmp_path / "trace", "bash", "-c", script, cwd=work, env=environ)
    return observation.completed.returncode, observation.rows("SELECT kind, what, advice FROM notices")


@pytest.mark.requires("root", "unshare", "nsenter")
@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", TOLD)
def test_what_happened_is_told(kind: str, engine: str, tmp_path: Path) -> None:
    """A call that succeeded is told, once."""
    status, notices = trace(tmp_path, HAPPENED[kind], engine)
    assert status == 0
    assert sorted(notice["what"].rpartition("(")[2] for notice in notices) == sorted(TOLD[kind])


@pytest.mark.requires("root", "nsenter", "pivot_root")
@pytest.mark.parametrize("engine", ENGINES)
def test_what_failed_is_not_told(engine: str, tmp_path: Path) -> None:
    """A call that failed changed nothing, and is not told as done."""
    script = "\n".join(FAILED.values())
    _, notices = trace(tmp_path, f"{script}\ntrue", engine)
    assert [notice["what"] for notice in notices] == []


def test_what_fails_because_of_rtrace_is_told(tmp_path: Path) -> None:
    """A program that cannot be traced by another one, since rtrace does so, is told with what helps."""
    script = "python3 -c 'import ctypes; print(ctypes.CDLL(None).ptrace(0, 0, 0, 0))'"
    for engine in ENGINES:
        _, notices = trace(tmp_path / engine, script, engine)
        assert ["could not trace another process" in notice["what"] for notice in notices] == [True]


@pytest.mark.requires("gcc")
@pytest.mark.parametrize("how,engine,words", [
    ("", "notify", "could not get a listener"),
    ("", "seccomp", "by a listener of its own (seccomp)"),
    ("", "stops", "by a listener of its own (seccomp)"),
    ("strict", "notify", "could not enter the strict mode"),
    ("strict", "stops", None),
    ("plain", "notify", None),
])  # fmt: skip
def test_filters_of_a_program(how: str, engine: str, words: str | None, tmp_path: Path) -> None:
    """A listener that is refused or that hides calls is told, strict mode where rtrace is in its way; else silence."""
    work = tmp_path / "work"
    (work / "place").mkdir(parents=True)
    (tmp_path / "listen.c").write_text(LISTEN)
    subprocess.run(["gcc", "-o", work / "listen", tmp_path / "listen.c"], check=True)
    environ = {**os.environ, "RTRACE_ENGINE": engine}
    observation = observe(tmp_path / "trace", work / "listen", *([how] if how else []), cwd=work, env=environ)
    told = [row["what"] for row in observation.rows("SELECT what FROM notices")]
    assert [words in what for what in told if words] == ([True] if words else [])
    assert words or told == []
    refused = words is not None and words.startswith("could not get")
    assert observation.completed.returncode == (1 if refused else 0)


@pytest.mark.requires("setcap")
def test_capabilities_that_are_lost_are_told(plain_user: PlainUser) -> None:
    """A program with file capabilities runs without them when a plain user traces it, which is told, as is set-uid."""
    if not plain_user.prefix:
        pytest.skip("needs root: run it with sudo")
    for name, arrange in (("cat", ["setcap", "cap_dac_read_search+ep"]), ("id", ["chmod", "u+s"]), ("true", ["ls"])):
        program = plain_user.home / name
        shutil.copy(f"/bin/{name}", program)
        program.chmod(0o755)
        subprocess.run([*arrange, program], check=True, capture_output=True)
        done = plain_user.run(plain_user.rtrace, "trace", "-q", "--overwrite", "--", program, "/dev/null")
        told = [line for line in done.stderr.decode().splitlines() if "not captured" in line]
        assert [str(program) in line for line in told] == ([] if name == "true" else [True])
        assert name != "cat" or "has file capabilities" in told[0]
        assert name != "id" or "is set-uid" in told[0]


def test_set_uid_program_of_ones_own_is_not_told(plain_user: PlainUser) -> None:
    """A program that is set-uid to the user who runs it loses nothing."""
    program = plain_user.home / "program"
    shutil.copy("/bin/true", program)
    plain_user.give(plain_user.home)
    program.chmod(0o4755)
    done = plain_user.run(plain_user.rtrace, "trace", "-q", "--", program)
    assert done.returncode == 0, done.stderr
    assert done.stderr == b""
