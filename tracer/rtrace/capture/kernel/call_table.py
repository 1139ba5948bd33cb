"""The system calls that a tracer must see, as data: which argument is the path, the folder, the flags.

One table for all architectures: names are the kernel's, numbers come from ``numbers``. Every argument is given by its
index (0 to 5). See syscalls(2) and each call's own page.
"""

from __future__ import annotations

import os
from enum import Enum
from typing import NamedTuple

AT_FDCWD = 0xFFFFFF9C
AT_SYMLINK_NOFOLLOW = 0x100
AT_REMOVEDIR = 0x200
AT_SYMLINK_FOLLOW = 0x400
AT_NO_AUTOMOUNT = 0x800
AT_EMPTY_PATH = 0x1000
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2
IN_DONT_FOLLOW = 0x2000000  # inotify_add_watch(2)
IN_READING = 0x1 | 0x10 | 0x20
"""IN_ACCESS, IN_CLOSE_NOWRITE and IN_OPEN of inotify(7): what rtrace's own reading of files causes as well."""
O_TMPFILE = 0o20000000
SO_ERROR = 4  # getsockopt(2), asm-generic/socket.h
MSG_NOSIGNAL = 0x4000  # send(2)
END_OF_QUESTIONS = 12 + 255 + 4 + 11 + 1  # bytes of header, name, type and class, and OPT: RFC 1035, RFC 6891
SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER = 0, 1  # seccomp(2)
PR_SET_SECCOMP = 22  # prctl(2)
OPEN_FLAGS = (
    os.O_ACCMODE
    | os.O_CREAT
    | os.O_EXCL
    | os.O_TRUNC
    | os.O_APPEND
    | os.O_PATH
    | os.O_DIRECTORY
    | os.O_NOFOLLOW
    | os.O_NONBLOCK
    | O_TMPFILE
)
AT_FLAGS = AT_SYMLINK_NOFOLLOW | AT_EMPTY_PATH
LENGTH = (1 << 64) - 1
"""All bits of the length of truncate(2). That of truncate64(2) is in two registers, and taken for one beyond 0."""


class Action(Enum):
    """What a call does to the path it names; the recorder has one method for each."""

    OPEN = "open"
    OPEN_HOW = "open_how"
    LOOKUP = "lookup"
    LOOKUP_LINK = "lookup_link"
    METADATA = "metadata"
    METADATA_LINK = "metadata_link"
    METADATA_DESCRIPTOR = "metadata_descriptor"
    TRUNCATE = "truncate"
    MAKE = "make"
    UNLINK = "unlink"
    RMDIR = "rmdir"
    RENAME = "rename"
    LINK = "link"
    SYMLINK = "symlink"
    CHDIR = "chdir"
    FCHDIR = "fchdir"
    CHROOT = "chroot"
    EXECUTE = "execute"
    CONNECT = "connect"
    BIND = "bind"
    SEND = "send"
    SEND_MESSAGE = "send_message"
    SEND_MESSAGES = "send_messages"
    SOCKETCALL = "socketcall"
    QUEUE = "queue"
    WATCH = "watch"
    ESCAPE = "escape"
    FILTER = "filter"
    ASK_ERROR = "ask_error"


SIMPLE_ACTIONS = frozenset(
    {
        Action.OPEN,
        Action.LOOKUP,
        Action.LOOKUP_LINK,
        Action.METADATA,
        Action.METADATA_LINK,
        Action.TRUNCATE,
        Action.MAKE,
        Action.UNLINK,
        Action.RMDIR,
    }
)
"""Calls with one path, which mean the same each time: what was decoded once need not be again."""


class Call(NamedTuple):
    """Where one system call keeps what matters.

    ``flags`` is the index of the flags argument and ``mask`` the bits of it that change the call's meaning.
    ``other_path`` and ``other_dirfd`` are the destination's of the calls with two paths; for execve, ``other_path``
    is the index of argv. ``implied`` are flags of a call that takes none.
    """

    action: Action
    path: int = 0
    dirfd: int | None = None
    flags: int | None = None
    mask: int = 0
    other_path: int = 0
    other_dirfd: int | None = None
    implied: int = 0


A = Action

CALLS: dict[str, Call] = {
    "open": Call(A.OPEN, flags=1, mask=OPEN_FLAGS),
    "openat": Call(A.OPEN, path=1, dirfd=0, flags=2, mask=OPEN_FLAGS),
    "openat2": Call(A.OPEN_HOW, path=1, dirfd=0, flags=2),
    "creat": Call(A.OPEN, implied=os.O_CREAT | os.O_WRONLY | os.O_TRUNC),
    "truncate": Call(A.TRUNCATE, flags=1, mask=LENGTH),
    "truncate64": Call(A.TRUNCATE, implied=1),
    # looked up
    "stat": Call(A.LOOKUP),
    "newstat": Call(A.LOOKUP),
    "stat64": Call(A.LOOKUP),
    "lstat": Call(A.LOOKUP_LINK),
    "newlstat": Call(A.LOOKUP_LINK),
    "lstat64": Call(A.LOOKUP_LINK),
    "newfstatat": Call(A.LOOKUP, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "fstatat64": Call(A.LOOKUP, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "statx": Call(A.LOOKUP, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "access": Call(A.LOOKUP),
    "faccessat": Call(A.LOOKUP, path=1, dirfd=0),
    "faccessat2": Call(A.LOOKUP, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "readlink": Call(A.LOOKUP_LINK),
    "readlinkat": Call(A.LOOKUP_LINK, path=1, dirfd=0),
    "statfs": Call(A.LOOKUP),
    "statfs64": Call(A.LOOKUP),
    "getxattr": Call(A.LOOKUP),
    "lgetxattr": Call(A.LOOKUP_LINK),
    "listxattr": Call(A.LOOKUP),
    "llistxattr": Call(A.LOOKUP_LINK),
    "getxattrat": Call(A.LOOKUP, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "listxattrat": Call(A.LOOKUP, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "file_getattr": Call(A.LOOKUP, path=1, dirfd=0, flags=4, mask=AT_FLAGS),
    "inotify_add_watch": Call(A.LOOKUP, path=1, flags=2, mask=IN_DONT_FOLLOW | IN_READING),
    "fanotify_mark": Call(A.WATCH),
    "name_to_handle_at": Call(A.LOOKUP_LINK, path=1, dirfd=0, flags=4, mask=AT_SYMLINK_FOLLOW | AT_EMPTY_PATH),
    "open_tree": Call(A.LOOKUP, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "open_tree_attr": Call(A.LOOKUP, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "quotactl": Call(A.LOOKUP, path=1),
    "chdir": Call(A.CHDIR),
    "fchdir": Call(A.FCHDIR),
    # made, removed, renamed
    "mkdir": Call(A.MAKE),
    "mkdirat": Call(A.MAKE, path=1, dirfd=0),
    "mknod": Call(A.MAKE),
    "mknodat": Call(A.MAKE, path=1, dirfd=0),
    "unlink": Call(A.UNLINK),
    "unlinkat": Call(A.UNLINK, path=1, dirfd=0, flags=2, mask=AT_REMOVEDIR),
    "rmdir": Call(A.RMDIR),
    "rename": Call(A.RENAME, other_path=1),
    "renameat": Call(A.RENAME, path=1, dirfd=0, other_path=3, other_dirfd=2),
    "renameat2": Call(
        A.RENAME, path=1, dirfd=0, flags=4, mask=RENAME_NOREPLACE | RENAME_EXCHANGE, other_path=3, other_dirfd=2
    ),
    "link": Call(A.LINK, other_path=1),
    "linkat": Call(
        A.LINK, path=1, dirfd=0, flags=4, mask=AT_SYMLINK_FOLLOW | AT_EMPTY_PATH, other_path=3, other_dirfd=2
    ),
    "symlink": Call(A.SYMLINK, path=1),
    "symlinkat": Call(A.SYMLINK, path=2, dirfd=1),
    # changed in mode, owner, times, attributes
    "chmod": Call(A.METADATA),
    "fchmodat": Call(A.METADATA, path=1, dirfd=0),
    "fchmodat2": Call(A.METADATA, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "chown": Call(A.METADATA),
    "chown16": Call(A.METADATA),
    "lchown": Call(A.METADATA_LINK),
    "lchown16": Call(A.METADATA_LINK),
    "fchownat": Call(A.METADATA, path=1, dirfd=0, flags=4, mask=AT_FLAGS),
    "utime": Call(A.METADATA),
    "utimes": Call(A.METADATA),
    "futimesat": Call(A.METADATA, path=1, dirfd=0),
    "utimensat": Call(A.METADATA, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "utimensat_time64": Call(A.METADATA, path=1, dirfd=0, flags=3, mask=AT_FLAGS),
    "setxattr": Call(A.METADATA),
    "lsetxattr": Call(A.METADATA_LINK),
    "removexattr": Call(A.METADATA),
    "lremovexattr": Call(A.METADATA_LINK),
    "setxattrat": Call(A.METADATA, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "removexattrat": Call(A.METADATA, path=1, dirfd=0, flags=2, mask=AT_FLAGS),
    "file_setattr": Call(A.METADATA, path=1, dirfd=0, flags=4, mask=AT_FLAGS),
    "fchmod": Call(A.METADATA_DESCRIPTOR),
    "fchown": Call(A.METADATA_DESCRIPTOR),
    "fchown16": Call(A.METADATA_DESCRIPTOR),
    "fsetxattr": Call(A.METADATA_DESCRIPTOR),
    "fremovexattr": Call(A.METADATA_DESCRIPTOR),
    # executed
    "execve": Call(A.EXECUTE, other_path=1),
    "execveat": Call(A.EXECUTE, path=1, dirfd=0, flags=4, mask=AT_FLAGS, other_path=2),
    "uselib": Call(A.OPEN),
    # other processes and hosts
    "connect": Call(A.CONNECT, path=1),
    "bind": Call(A.BIND, path=1),
    "sendto": Call(A.SEND, path=4),
    "sendmsg": Call(A.SEND_MESSAGE, path=1),
    "sendmmsg": Call(A.SEND_MESSAGES, path=1),
    "socketcall": Call(A.SOCKETCALL),
    "getsockopt": Call(A.ASK_ERROR),
    "mq_open": Call(A.QUEUE),
    "mq_unlink": Call(A.QUEUE),
    # out of sight
    "chroot": Call(A.CHROOT),
    "pivot_root": Call(A.ESCAPE),
    "mount": Call(A.ESCAPE),
    "umount": Call(A.ESCAPE),
    "umount2": Call(A.ESCAPE),
    "oldumount": Call(A.ESCAPE),
    "move_mount": Call(A.ESCAPE),
    "mount_setattr": Call(A.ESCAPE),
    "fsopen": Call(A.ESCAPE),
    "fspick": Call(A.ESCAPE),
    "unshare": Call(A.ESCAPE),
    "setns": Call(A.ESCAPE),
    "ptrace": Call(A.ESCAPE),
    "process_vm_readv": Call(A.ESCAPE),
    "process_vm_writev": Call(A.ESCAPE),
    "pidfd_getfd": Call(A.ESCAPE),
    "open_by_handle_at": Call(A.ESCAPE),
    "bpf": Call(A.ESCAPE),
    "init_module": Call(A.ESCAPE),
    "finit_module": Call(A.ESCAPE),
    "delete_module": Call(A.ESCAPE),
    "kexec_load": Call(A.ESCAPE),
    "kexec_file_load": Call(A.ESCAPE),
    "swapon": Call(A.ESCAPE),
    "swapoff": Call(A.ESCAPE),
    "acct": Call(A.ESCAPE),
    "reboot": Call(A.ESCAPE),
    "seccomp": Call(A.FILTER),
    "prctl": Call(A.FILTER),
}

AWAITED = frozenset({Action.CONNECT, Action.BIND, Action.SOCKETCALL, Action.CHROOT, Action.ESCAPE, Action.FILTER})
"""Calls that are told of once they have succeeded: they stop at their entry and at their exit with every engine, as a
notification comes before the call, and nothing comes after it."""


class Condition(NamedTuple):
    """When a call matters: if an argument is one of some values; with no values given, if it is not zero.

    If it is zero, a message may still matter by its size and flags, the two arguments before: ``brief`` has the flags
    of one that does, and the size in bytes from which on it does not.
    """

    argument: int
    values: tuple[int, ...] = ()
    brief: tuple[int, int] | None = None


CONDITIONS = {
    "sendto": Condition(4, brief=(MSG_NOSIGNAL, END_OF_QUESTIONS)),
    "socketcall": Condition(0, (2, 3, 11, 16, 20)),
    "getsockopt": Condition(2, (SO_ERROR,)),
    "seccomp": Condition(0, (SECCOMP_SET_MODE_STRICT, SECCOMP_SET_MODE_FILTER)),
    "prctl": Condition(0, (PR_SET_SECCOMP,)),
}
"""Calls that programs make all the time for other purposes: sendto(2) without an address is send(2), by which the C
library asks name servers for one address at a time, with the flags and the size that are looked at; of
socketcall(2) the bind, connect, sendto, sendmsg and sendmmsg of linux/net.h are looked at. getsockopt(2) is for the
error of a socket: programs ask for it when they did not wait for a connection, to learn what became of it."""

CLONE_UNTRACED = 0x800000  # clone(2)
CLONES = ("clone", "clone3")
"""Calls that may make a child which ptrace is not told of: its first argument are the flags, or points to them."""

REFUSED = ("io_uring_setup",)
"""Answered with ENOSYS by the filter, so that programs fall back to calls that can be seen."""

FSTAT_ALIASES = {"newfstatat": 3, "fstatat64": 3, "statx": 2}
"""Calls that runtime libraries use for fstat(3), with the index of their flags: let through when the flags are just
AT_EMPTY_PATH and the folder is a descriptor, which costs a stop for every file opened otherwise."""
