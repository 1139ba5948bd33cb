"""Give up rights for good, see capabilities(7) and keyrings(7), and end with the parent."""

from __future__ import annotations

import ctypes
import errno
from collections.abc import Iterable

from rtrace.linux.libc import (
    PR_CAP_AMBIENT,
    PR_CAP_AMBIENT_CLEAR_ALL,
    PR_CAPBSET_DROP,
    PR_SET_DUMPABLE,
    PR_SET_PDEATHSIG,
    call,
    check,
    control,
    load_libc,
)
from rtrace_unpackers.isolation.kernel.numbers import find_number

CAPABILITY_VERSION_3 = 0x20080522
KEYCTL_JOIN_SESSION_KEYRING = 1


def die_with_parent(signal_number: int) -> None:
    """Have the kernel send this process a signal when the thread that forked it ends; see prctl(2)."""
    control(PR_SET_PDEATHSIG, signal_number)


def become_readable() -> None:
    """Let /proc/self be this process's own again, after a change of ids made it root's; see prctl(2)."""
    control(PR_SET_DUMPABLE, 1)


def join_new_session_keyring() -> None:
    """Leave the caller's session keyring for an empty one; see keyctl(2). Some kernels have no keyrings."""
    try:
        call(find_number("keyctl"), KEYCTL_JOIN_SESSION_KEYRING, 0)
    except OSError as error:
        if error.errno != errno.ENOSYS:
            raise


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
