"""A program that may read, and neither write a file nor use a network: as if all file systems were read-only.

Mercurial refreshes what it remembers of a working tree when it is asked about it, and cannot be told to leave that.
"""

from __future__ import annotations

import contextlib
import errno
import os

from rtrace.capture.kernel.numbers import load_numbers
from rtrace.linux.bpf import (
    ALLOW,
    LOAD_ARCHITECTURE,
    LOAD_NUMBER,
    assemble,
    for_architecture,
    if_any_bit,
    load_argument,
    refuse,
    when_equal,
)
from rtrace.linux.interfaces import AUDIT_ARCHITECTURES, own_interface
from rtrace.linux.libc import forbid_new_privileges
from rtrace.linux.seccomp import install_filter

_OPENING = {"open": 1, "openat": 2}
"""Calls with flags, and which argument has them; creat(2) and openat2(2), whose flags lie in memory, are refused."""
_WRITING = [
    "creat",
    "openat2",
    "mkdir",
    "mkdirat",
    "mknod",
    "mknodat",
    "rename",
    "renameat",
    "renameat2",
    "link",
    "linkat",
    "symlink",
    "symlinkat",
    "unlink",
    "unlinkat",
    "rmdir",
    "truncate",
    "ftruncate",
    "chmod",
    "fchmod",
    "fchmodat",
    "fchmodat2",
    "chown",
    "lchown",
    "fchown",
    "fchownat",
    "utime",
    "utimes",
    "futimesat",
    "utimensat",
    "setxattr",
    "lsetxattr",
    "fsetxattr",
    "removexattr",
    "lremovexattr",
    "fremovexattr",
]
_NETWORK = ("socket",)
_MAKING = os.O_CREAT | os.O_TRUNC | os.O_APPEND


def make_filter() -> bytes | None:
    """Return the filter for calls of this interface; None where the interface is not known."""
    interface = own_interface()
    if interface not in AUDIT_ARCHITECTURES:
        return None
    numbers = load_numbers(interface)
    body = [LOAD_NUMBER]
    for names, error in ((_WRITING, errno.EROFS), (_NETWORK, errno.EACCES)):
        for name in names:
            if name in numbers:
                body += when_equal(numbers[name], [refuse(error)])
    for name, argument in _OPENING.items():
        if name in numbers:
            flags = [load_argument(argument), if_any_bit(_MAKING, otherwise=1), refuse(errno.EROFS), ALLOW]
            body += when_equal(numbers[name], flags)
    own = for_architecture(AUDIT_ARCHITECTURES[interface], [*body, ALLOW])
    return assemble([LOAD_ARCHITECTURE, *own, refuse(errno.ENOSYS)])


def restrain(program: bytes) -> None:
    """Put this process under the filter for good, as far as that can be done here."""
    with contextlib.suppress(OSError):  # EINVAL, EACCES: a kernel or a container without seccomp; then it may write
        forbid_new_privileges()
        install_filter(program)
