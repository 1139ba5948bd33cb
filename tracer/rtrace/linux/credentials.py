"""What this process may do as whom: credentials(7), capabilities(7), setfsuid(2)."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from rtrace.linux.libc import load_libc

CAP_SYS_PTRACE = 19  # linux/capability.h


@contextlib.contextmanager
def as_user_of(tid: int) -> Iterator[None]:
    """Be another thread's user to the kernel's checks of files, in this thread and for as long as the block runs.

    Root in a container may not look into a process that has become another user (ptrace(2), access mode checking), and
    that user may. Raises OSError when the thread is gone. See setfsuid(2).
    """
    with open(f"/proc/{tid}/status", "rb") as file:
        ids = [int(line.split()[2]) for line in file if line.startswith((b"Uid:", b"Gid:"))]
    libc = load_libc()
    libc.setfsgid(ids[1])
    libc.setfsuid(ids[0])
    try:
        yield
    finally:
        libc.setfsuid(os.geteuid())
        libc.setfsgid(os.getegid())


def may_look_into_all() -> bool:
    """Whether this process may look into others that do not want it: CAP_SYS_PTRACE, see capabilities(7)."""
    with open("/proc/self/status", "rb") as file:
        held = next((int(line.split()[1], 16) for line in file if line.startswith(b"CapEff:")), 0)
    return bool(held >> CAP_SYS_PTRACE & 1)
