"""The system call interfaces of Linux, by the names that rtrace has for them: x86_64, i386, aarch64 and arm (EABI)."""

from __future__ import annotations

import ctypes
import os

AUDIT_ARCHITECTURES = {"x86_64": 0xC000003E, "i386": 0x40000003, "aarch64": 0xC00000B7, "arm": 0x40000028}
"""AUDIT_ARCH_* of linux/audit.h, by which the kernel tells them apart."""
POINTER_BYTES = {"x86_64": 8, "i386": 4, "aarch64": 8, "arm": 4}
SPOKEN = {"x86_64": ("x86_64", "i386"), "i386": ("i386",), "aarch64": ("aarch64", "arm")}
"""The interfaces that programs may use beside an interpreter that has this one, its own first."""

WIDE_POINTER = 8  # bytes of a pointer in a 64-bit program
OWN_POINTER = ctypes.sizeof(ctypes.c_void_p)
X32_BIT = 0x40000000  # __X32_SYSCALL_BIT: what the x32 ABI adds to a number under AUDIT_ARCH_X86_64
X32_END = 0x80000000  # from here on a number is negative, and belongs to no call


def own_interface() -> str:
    """Return the interface of this Python; for one that rtrace does not know, the machine of uname(2).

    What uname(2) says may be another's: setarch(8) changes it, and a 32-bit Python may run on a 64-bit kernel.
    """
    machine, wide = os.uname().machine, ctypes.sizeof(ctypes.c_void_p) == WIDE_POINTER
    if machine in ("x86_64", "i386", "i486", "i586", "i686"):
        return "x86_64" if wide else "i386"
    if machine == "aarch64" or machine.startswith("armv"):
        return "aarch64" if wide else "arm"
    return machine
