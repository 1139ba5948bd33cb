"""A Python without what only Linux, or only Unix, has: put in front of a program, it behaves as on another machine.

``python foreign_machine.py win32|darwin rtrace ARGUMENTS`` runs a command there, and ``... sweep`` each of those that
standard input names, a JSON list of words a line; of each a line tells how it ended and what it said. What is hidden
is what CPython's documentation says is not available on Windows or macOS. Paths stay those of this machine.
"""

from __future__ import annotations

import builtins
import functools
import importlib
import json
import os
import runpy
import socket
import sys
import tempfile
from collections.abc import Callable
from typing import Any

UNIX_MODULES = ("crypt", "fcntl", "grp", "nis", "pty", "pwd", "readline", "resource", "syslog", "termios", "tty")
LINUX_CALLS = (
    *("getxattr", "listxattr", "removexattr", "setxattr", "memfd_create", "pipe2", "eventfd", "pidfd_open"),
    *("sched_getaffinity", "sched_setaffinity", "setns", "unshare", "splice", "copy_file_range", "posix_fallocate"),
    *("posix_fadvise", "getrandom", "setresuid", "setresgid", "getresuid", "getresgid"),
)
LINUX_WORDS = ("O_PATH", "O_TMPFILE", "O_DIRECT", "O_NOATIME", "O_LARGEFILE", "O_RSYNC", "SEEK_DATA", "SEEK_HOLE")
UNIX_CALLS = (
    *("chown", "lchown", "fchown", "chroot", "fchdir", "fchmod", "fork", "forkpty", "openpty", "geteuid", "getegid"),
    *("getuid", "getgid", "getgroups", "setgroups", "initgroups", "getpgid", "getpgrp", "getsid", "setsid", "setpgid"),
    *("killpg", "mkfifo", "mknod", "nice", "posix_spawn", "posix_spawnp", "register_at_fork", "setuid", "setgid"),
    *("seteuid", "setegid", "sync", "fdatasync", "tcgetpgrp", "tcsetpgrp", "uname", "wait", "wait3", "wait4", "waitid"),
    *("getloadavg", "pread", "pwrite", "preadv", "pwritev", "sendfile", "statvfs", "fstatvfs", "fpathconf", "pathconf"),
    *("sysconf", "confstr", "ctermid", "getpriority", "setpriority", "lockf", "major", "minor", "makedev", "fwalk"),
    *("sched_yield", "WIFEXITED", "WEXITSTATUS", "WNOHANG"),
)
UNIX_WORDS = ("O_DIRECTORY", "O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "O_NOCTTY", "O_SYNC", "O_DSYNC", "O_NDELAY")
WITH_DESCRIPTORS = (
    *("access", "chmod", "link", "lstat", "mkdir", "open", "readlink", "rename", "replace", "rmdir", "stat", "symlink"),
    *("unlink", "remove", "utime", "listdir", "scandir"),
)
COMMON = ("rtrace.bundle.reading.bundle_reader", "rtrace.record.history.folder", "rtrace.replay.registry")
"""Modules that many commands import when they run."""
FORBIDDEN = ("dir_fd", "src_dir_fd", "dst_dir_fd")


def hide(platform: str) -> None:
    """Make this process one of another platform, as far as modules, attributes and arguments tell.

    What others than rtrace take from `os` when they are imported is not the subject, so they are imported before.
    """
    for module in list(sys.modules):
        if module == "rtrace" or module.startswith(("rtrace.", "rtrace_unpackers")):
            raise AssertionError(module)
    import shutil
    import subprocess  # noqa: F401
    import sysconfig
    import urllib.request  # noqa: F401 -- asks for the proxies of the system that it is imported on

    import click._termui_impl  # noqa: F401

    sysconfig.get_config_vars()  # whose values are those of this Python's build
    vars(shutil)["_use_fd_functions"] = False
    vars(tempfile)["_O_TMPFILE_WORKS"] = False
    names = [*LINUX_CALLS, *LINUX_WORDS]
    if platform == "win32":
        names += [*UNIX_CALLS, *UNIX_WORDS]
        for name in UNIX_MODULES:
            sys.modules[name] = None  # type: ignore[assignment]
        for name in ("AF_UNIX", "send_fds", "recv_fds"):
            vars(socket).pop(name, None)
        for name in WITH_DESCRIPTORS:
            setattr(os, name, without_descriptors(getattr(os, name)))
        os.supports_dir_fd = set()
        os.supports_fd = set()
        os.supports_follow_symlinks = {os.stat}
    for name in names:
        vars(os).pop(name, None)
    sys.platform = platform
    opened = builtins.open

    def open_elsewhere(file: Any, *arguments: Any, **options: Any) -> Any:
        if isinstance(file, (str, bytes)) and os.fsencode(file).startswith((b"/proc/", b"/sys/")):
            raise FileNotFoundError(2, "No such file or directory", file)
        return opened(file, *arguments, **options)

    vars(builtins)["open"] = open_elsewhere


def without_descriptors(call: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function of `os` that takes neither a folder's descriptor nor one in the place of a path."""

    @functools.wraps(call)
    def called(path: Any = ".", *arguments: Any, **options: Any) -> Any:
        for name in FORBIDDEN:
            if options.pop(name, None) is not None:
                raise NotImplementedError(f"{name} unavailable on this platform")
        if isinstance(path, int) and call.__name__ not in {"stat", "utime"}:
            raise TypeError(f"{call.__name__}: path should be string, bytes or os.PathLike, not int")
        return call(path, *arguments, **options)

    return called


def sweep(fork: Callable[[], int], wait: Callable[[int, int], tuple[int, int]]) -> None:
    """Run commands in processes that have all in common that rtrace imports first."""
    from rtrace.cli import main
    from rtrace.cli.frame.commands import COMMANDS

    for name in COMMANDS:
        importlib.import_module(f"rtrace.cli.{name}")
    for name in COMMON:
        importlib.import_module(name)
    for line in sys.stdin:
        words = json.loads(line)
        with tempfile.TemporaryFile() as said:
            child = fork()
            if child == 0:
                for descriptor in (1, 2):
                    os.dup2(said.fileno(), descriptor)
                os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
                sys.argv = ["rtrace", *words]
                main()
            _, status = wait(child, 0)
            said.seek(0)
            told = said.read().decode("utf-8", "backslashreplace")
        print(json.dumps([words, status >> 8, told]), flush=True)  # noqa: T201 -- which is what it is for


if __name__ == "__main__":
    real_fork, real_wait = os.fork, os.waitpid
    hide(sys.argv[1])
    if sys.argv[2] == "sweep":
        sweep(real_fork, real_wait)
        sys.exit()
    sys.argv = sys.argv[2:]
    runpy.run_module("rtrace", run_name="__main__", alter_sys=True)
