"""The filter of system calls under proot, which differs from others' by what proot does not know, and does wrong.

Some calls take paths, and proot does not translate them: as they are, they would reach the machine's files. They do not
exist for a replay under proot, so that programs fall back to the calls that it translates. Newer versions of proot know
some of them; the fallbacks work as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace_unpackers.isolation.kernel.seccomp import build_filter

if TYPE_CHECKING:
    from rtrace_unpackers.isolation.kernel.refused_calls import Numbers

UNTRANSLATED: dict[str, Numbers] = {
    "execveat": (322, 358, 281, 387),
    "faccessat2": (439, 439, 439, 439),
    "fchmodat2": (452, 452, 452, 452),
    "file_getattr": (468, 468, 468, 468),
    "file_setattr": (469, 469, 469, 469),
    "fspick": (433, 433, 433, 433),
    "getxattrat": (464, 464, 464, 464),
    "listxattrat": (465, 465, 465, 465),
    "mount_setattr": (442, 442, 442, 442),
    "move_mount": (429, 429, 429, 429),
    "name_to_handle_at": (303, 341, 264, 370),
    "open_tree": (428, 428, 428, 428),
    "open_tree_attr": (467, 467, 467, 467),
    "openat2": (437, 437, 437, 437),
    "removexattrat": (466, 466, 466, 466),
    "renameat2": (316, 353, 276, 382),
    "setxattrat": (463, 463, 463, 463),
    "statx": (332, 383, 291, 397),
}
"""Their numbers on x86-64, i386, aarch64 and arm (EABI), as in `rtrace_unpackers.isolation.kernel.refused_calls`."""

KEPT = frozenset({"clone3"})
"""Refused elsewhere, where programs fall back to clone(2), whose flags a filter can look into.

With clone(2) and CLONE_VM, proot lets a child share what it remembers of its parent's heap, and forgets that when the
child executes a program: posix_spawn(3), system(3) and popen(3) then leave their caller without its heap, and R ends
with a segmentation fault. After clone3(2), proot copies it.
"""


def build_traced_filter(machine: str, allowed: frozenset[str] = frozenset()) -> bytes:
    """Return the filter of a replay under proot, as `build_filter` does of others."""
    return build_filter(machine, allowed, UNTRANSLATED, KEPT)
