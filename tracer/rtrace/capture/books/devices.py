"""Devices that a run opens: which of them a replay has, too."""

from __future__ import annotations

import os

GRAPHICS = (b"/dev/nvidia", b"/dev/dri/", b"/dev/kfd", b"/dev/accel/", b"/dev/dxg")
FUSE = os.makedev(10, 229)  # who opens it mounts a filesystem, which is told by itself
MEMORY_MAJOR, TERMINAL_MAJOR, TTY_MAJOR, PTY_MAJORS = 1, 4, 5, range(136, 144)
FIRST_SERIAL_MINOR = 64
MACHINES_MINORS = frozenset({1, 2, 4, 11})  # mem, kmem, port and kmsg, the kernel's log, among the kin of null
"""Device numbers of null, zero, random and their kin, of consoles (serial lines come after them) and of terminals: what
a replay has, too. See the kernel's Documentation/admin-guide/devices.txt."""


def describe_device(path: bytes, device: int) -> tuple[str, str] | None:
    """Return what was opened that no bundle can hold, and what to do; None for a device that a replay has, too."""
    major = os.major(device)
    console = major == TERMINAL_MAJOR and os.minor(device) < FIRST_SERIAL_MINOR
    memory = major == MEMORY_MAJOR and os.minor(device) not in MACHINES_MINORS
    if console or memory or device == FUSE or major in (TTY_MAJOR, *PTY_MAJORS):
        return None
    name = path.decode(errors="backslashreplace")
    if path.startswith(GRAPHICS):
        return (
            f"the run computes on a GPU ({name})",
            "a replay has no GPU unless it is given the device; check what the program does without one",
        )
    return f"the run used the device {name}", "save what it reads from the device to a file before the run"


def has_driver(device: int, *, is_block: bool) -> bool:
    """Whether the kernel has a driver for a device number; without one it cannot be opened. See /proc/devices."""
    try:
        with open("/proc/devices", encoding="ascii", errors="replace") as file:
            characters, _, blocks = file.read().partition("Block devices:")
    except OSError:
        return True
    lines = (blocks if is_block else characters).splitlines()
    return any(line.split()[:1] == [str(os.major(device))] for line in lines)
