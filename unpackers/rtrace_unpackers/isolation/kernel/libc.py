"""The system calls that Python 3.10 has no function for. libc is loaded when the first one is used, on Linux only."""

from __future__ import annotations

import ctypes
import errno
import functools
import os
import platform
from collections.abc import Iterable, Sequence
from enum import IntFlag

from rtrace.errors import TargetError


class Namespace(IntFlag):
    """The namespaces of clone(2) that a replay gets of its own."""

    MOUNT = 0x00020000
    CGROUP = 0x02000000
    UTS = 0x04000000
    IPC = 0x08000000
    USER = 0x10000000
    PID = 0x20000000
    NET = 0x40000000


PR_SET_PDEATHSIG = 1
PR_SET_DUMPABLE = 4
PR_SET_SECCOMP = 22
PR_CAPBSET_DROP = 24
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_CLEAR_ALL = 4
CAPABILITY_VERSION_3 = 0x20080522
SECCOMP_MODE_FILTER = 2
KEYCTL_JOIN_SESSION_KEYRING = 1
AT_EMPTY_PATH = 0x1000

MFD_CLOEXEC, MFD_ALLOW_SEALING, MFD_EXEC = 0x1, 0x2, 0x10
F_ADD_SEALS = 1033
F_SEAL_SEAL, F_SEAL_SHRINK, F_SEAL_GROW, F_SEAL_WRITE = 0x1, 0x2, 0x4, 0x8

# Of this interpreter, by machine and size of a pointer: keyctl, execveat.
NUMBERS = {
    ("x86_64", 8): (250, 322),
    ("x86_64", 4): (288, 358),
    ("aarch64", 8): (219, 281),
    ("aarch64", 4): (311, 387),
}


@functools.cache
def load_libc() -> ctypes.CDLL:
    """Return the C library that this interpreter runs on."""
    return ctypes.CDLL(None, use_errno=True)


def check(result: int) -> int:
    """Return the result of a call of libc; raise OSError when it is -1."""
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result


def call(number: int, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | ctypes.Array[ctypes.c_char_p]) -> int:
    """Make a system call by its number; see syscall(2). Numbers are passed as longs."""
    longs = [ctypes.c_long(argument) if isinstance(argument, int) else argument for argument in arguments]
    return check(load_libc().syscall(ctypes.c_long(number), *longs))


def numbers() -> tuple[int, int]:
    """Return the numbers of keyctl and execveat here. Raises OSError (ENOSYS) on other machines."""
    found = NUMBERS.get((platform.machine(), ctypes.sizeof(ctypes.c_void_p)))
    if found is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return found


def unshare(namespaces: Namespace) -> None:
    """Leave the caller's namespaces for new ones; see unshare(2)."""
    check(load_libc().unshare(ctypes.c_int(namespaces)))


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when the thread that forked it ends; see prctl(2)."""
    control(PR_SET_PDEATHSIG, signal_number)


def forbid_new_privileges() -> None:
    """Make set-uid bits and file capabilities of programs without effect from now on; see prctl(2)."""
    control(PR_SET_NO_NEW_PRIVS, 1)


def become_readable() -> None:
    """Let /proc/self be this process's own again, after a change of ids made it root's; see prctl(2)."""
    control(PR_SET_DUMPABLE, 1)


def control(option: int, *arguments: int) -> None:
    """Call prctl(2); arguments that are not given are 0."""
    longs = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    check(load_libc().prctl(ctypes.c_int(option), *longs))


def join_new_session_keyring() -> None:
    """Leave the caller's session keyring for an empty one; see keyctl(2). Some kernels have no keyrings."""
    try:
        call(numbers()[0], KEYCTL_JOIN_SESSION_KEYRING, 0)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise


def install_filter(code: bytes) -> None:
    """Filter the system calls of this process and its children; needs no_new_privs. See seccomp(2)."""
    buffer = ctypes.create_string_buffer(code, len(code))
    pointer = ctypes.addressof(buffer).to_bytes(ctypes.sizeof(ctypes.c_void_p), "little")
    count = (len(code) // 8).to_bytes(2, "little")
    program = ctypes.create_string_buffer(count.ljust(len(pointer), b"\0") + pointer)
    control(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, ctypes.addressof(program))


def keep_capabilities(kept: Iterable[int]) -> None:
    """Drop all capabilities but these from what this process and its children can ever have; see capabilities(7)."""
    keep = frozenset(kept)
    for capability in range(64):
        if capability in keep:
            continue
        try:
            control(PR_CAPBSET_DROP, capability)
        except OSError as error:
            if error.errno == errno.EINVAL:  # beyond the last capability this kernel knows
                break
            raise
    control(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL)
    mask_capabilities(sum(1 << capability for capability in keep))


def mask_capabilities(mask: int) -> None:
    """Take everything else out of the effective and permitted sets, and everything out of the inheritable set.

    An execution as root would add the inheritable set to the bounding set.
    """
    header = (ctypes.c_uint32 * 2)(CAPABILITY_VERSION_3, 0)
    data = (ctypes.c_uint32 * 6)()  # twice effective, permitted, inheritable: the low and the high 32 bits
    check(load_libc().capget(header, data))
    for half, bits in enumerate((mask & 0xFFFFFFFF, mask >> 32)):
        data[3 * half] &= bits
        data[3 * half + 1] &= bits
        data[3 * half + 2] = 0
    check(load_libc().capset(header, data))


def make_sealed(name: bytes, content: bytes) -> int:
    """Return the descriptor of an anonymous file that can be executed and never changed; see memfd_create(2)."""
    import fcntl

    flags = MFD_CLOEXEC | MFD_ALLOW_SEALING
    try:
        descriptor: int = check(load_libc().memfd_create(name, ctypes.c_uint(flags | MFD_EXEC)))
    except OSError as error:
        if error.errno != errno.EINVAL:  # before Linux 6.3, which has no such flag and always lets it be executed
            raise TargetError(
                f"cannot make a program in memory: {error.strerror}; `sysctl vm.memfd_noexec=0` allows it, "
                "or use the docker unpacker"
            ) from None
        descriptor = check(load_libc().memfd_create(name, ctypes.c_uint(flags)))
    try:
        rest = memoryview(content)
        while rest:
            rest = rest[os.write(descriptor, rest) :]
        os.fchmod(descriptor, 0o555)
        fcntl.fcntl(descriptor, F_ADD_SEALS, F_SEAL_SEAL | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE)
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def execute_descriptor(descriptor: int, argv: Sequence[bytes]) -> None:
    """Replace this process by the program in an open file, with an empty environment; see execveat(2)."""
    argument_array = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    environ_array = (ctypes.c_char_p * 1)(None)
    call(numbers()[1], descriptor, b"", argument_array, environ_array, AT_EMPTY_PATH)
