"""The kernel's system call numbers, architecture by architecture, from python-ptrace's tables."""

from __future__ import annotations

from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

SINCE_LINUX_5_12 = {
    "mount_setattr": 442,
    "fchmodat2": 452,
    "setxattrat": 463,
    "getxattrat": 464,
    "listxattrat": 465,
    "removexattrat": 466,
    "open_tree_attr": 467,
    "file_getattr": 468,
    "file_setattr": 469,
}
"""Calls that python-ptrace 0.9.9 does not know yet. Since Linux 5.1 a new call has one number everywhere."""

I386_SINCE_LINUX_2_6_22 = {
    "utimensat": 320,
    "name_to_handle_at": 341,
    "open_by_handle_at": 342,
    "setns": 346,
    "renameat2": 353,
    "execveat": 358,
    "bind": 361,
    "connect": 362,
    "statx": 383,
    "utimensat_time64": 412,
    "io_uring_setup": 425,
    "move_mount": 429,
    "clone3": 435,
    "openat2": 437,
    "faccessat2": 439,
}
"""Where python-ptrace's table for i386 ends; from the kernel's arch/x86/entry/syscalls/syscall_32.tbl."""


def load_numbers(architecture: str) -> dict[str, int]:
    """Return name -> number for an architecture that python-ptrace knows (``x86_64``, ``i386``, ``aarch64``).

    The table's file is loaded by itself: importing it through its package brings in the debugger and its helpers,
    which costs more (57 ms) than tracing a short program. Where a name has two numbers the first one counts: on
    x86-64 the second is that of the x32 ABI.
    """
    package = find_spec("ptrace")
    if package is None or package.submodule_search_locations is None:
        raise ModuleNotFoundError("python-ptrace is not installed", name="ptrace")
    file = Path(next(iter(package.submodule_search_locations))) / "syscall" / "linux" / f"{architecture}.py"
    spec = spec_from_file_location(f"ptrace.syscall.linux.{architecture}", file)
    if spec is None or spec.loader is None:
        raise ModuleNotFoundError(f"python-ptrace has no table for {architecture}", name="ptrace")
    table = module_from_spec(spec)
    spec.loader.exec_module(table)
    numbers: dict[str, int] = {}
    for number, name in sorted(table.SYSCALL_NAMES.items()):
        numbers.setdefault(name, number)
    if architecture == "i386":
        numbers |= I386_SINCE_LINUX_2_6_22
    return numbers | SINCE_LINUX_5_12
