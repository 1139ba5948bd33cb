"""Numbers of system calls that this interpreter makes itself, and a flag that several of them share."""

from __future__ import annotations

import errno
import os
import platform
import sys

AT_EMPTY_PATH = 0x1000

NUMBERS = {
    ("x86_64", 64): {"keyctl": 250, "execveat": 322},
    ("x86_64", 32): {"keyctl": 288, "execveat": 358},
    ("aarch64", 64): {"keyctl": 219, "execveat": 281},
    ("aarch64", 32): {"keyctl": 311, "execveat": 387},
}
"""By machine and bits of a word."""


def find_number(name: str) -> int:
    """Return the number of a call here. Raises OSError (ENOSYS) on other machines."""
    found = NUMBERS.get((platform.machine(), sys.maxsize.bit_length() + 1))
    if found is None:
        raise OSError(errno.ENOSYS, os.strerror(errno.ENOSYS))
    return found[name]
