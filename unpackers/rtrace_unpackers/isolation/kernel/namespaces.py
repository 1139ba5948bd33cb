"""Namespaces of one's own; see namespaces(7)."""

from __future__ import annotations

from enum import IntFlag

from rtrace.linux.libc import check, load_libc


class Namespace(IntFlag):
    """The namespaces of clone(2) that a replay gets of its own."""

    MOUNT = 0x00020000
    CGROUP = 0x02000000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000


def unshare(namespaces: Namespace) -> None:
    """Leave the caller's namespaces for new ones; see unshare(2)."""
    check(load_libc().unshare(int(namespaces)))
