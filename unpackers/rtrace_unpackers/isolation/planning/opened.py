"""What of the caller's machine a replay is opened, as values: what is found, and the steps that show it.

Where something of the machine appears in a replay is fixed here; a bundle chooses none of these paths. What lies below
/dev is in a file system of the replay's own, and so is what shows a display's socket in /tmp.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from rtrace_unpackers.granted.display import NO_DISPLAY, SOCKETS, Display, XDisplay
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.planning.operations import (
    MakeDirectory,
    MakeFile,
    MakeInside,
    Mount,
    Operation,
    Show,
    WriteFile,
)

FOLDER = b"dev/rtrace"
AUTHORITY, WAYLAND, X11 = FOLDER + b"/Xauthority", FOLDER + b"/wayland", FOLDER + b"/x11"
RESOLVER = b"/etc/resolv.conf"
EVERYBODYS = 0o1777


@dataclass(frozen=True, slots=True)
class Opened:
    """``network``: the caller's network namespace; ``display``; ``devices`` of /dev besides those that all have.

    ``ports``: sockets of the replay's network are handed to the caller.
    """

    network: bool = False
    ports: bool = False
    display: Display = NO_DISPLAY
    devices: tuple[bytes, ...] = ()


NOTHING_OPENED = Opened()


def plan_opened(opened: Opened) -> tuple[Operation, ...]:
    """Plan to show what is opened, once the tree and its /dev are set up."""
    folders = sorted({name.rpartition(b"/")[0] for name in opened.devices} - {b""})
    return (
        *(MakeDirectory(b"dev/" + folder) for folder in folders),
        *(step for name in opened.devices for step in plan_device(name)),
        *(plan_display(opened.display) if opened.display != NO_DISPLAY else ()),
        *((Show(RESOLVER, RESOLVER, read_only=True, optional=True),) if opened.network else ()),
    )


def plan_device(device: bytes) -> tuple[Operation, ...]:
    """Bind one device of the machine: nobody can make devices in a user namespace."""
    path = b"dev/" + device
    return MakeFile(path), Mount(path, b"/dev/" + device, flags=MountFlag.BIND)


def plan_display(display: Display) -> tuple[Operation, ...]:
    """Show the sockets of a display, and write its cookie into a file of the replay's own."""
    steps: list[Operation] = [MakeDirectory(FOLDER)]
    if display.wayland is not None:
        steps += (MakeFile(WAYLAND), Show(display.wayland, WAYLAND))
    if display.x11 is not None:
        steps += plan_x11(display.x11)
    return tuple(steps)


def plan_x11(display: XDisplay) -> Iterable[Operation]:
    """Show the socket in a folder of the replay's own, which lies over that of /tmp."""
    folder, name = SOCKETS.rsplit(b"/", 1)
    within = X11 + b"/" + display.socket.rpartition(b"/")[2]
    yield from (MakeDirectory(X11), MakeFile(within), Show(display.socket, within))
    if display.authority is not None:
        yield WriteFile(AUTHORITY, display.authority)
    yield from (MakeInside(b"/", folder[1:], EVERYBODYS), MakeInside(folder, name, EVERYBODYS), Show(X11, SOCKETS))


def list_variables(display: Display) -> Iterable[tuple[bytes, bytes]]:
    """Yield the variables by which programs find the display."""
    if display.x11 is not None:
        yield b"DISPLAY", display.x11.name
        if display.x11.authority is not None:
            yield b"XAUTHORITY", b"/" + AUTHORITY
    if display.wayland is not None:
        yield b"WAYLAND_DISPLAY", b"/" + WAYLAND
