"""The caller's display, X11's or Wayland's, as a value: the sockets that a replay is shown, and their cookie."""

from __future__ import annotations

import os
import re
import socket
import stat
from collections.abc import Mapping
from dataclasses import dataclass

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.printable import printable
from rtrace_unpackers.granted.xauthority import LARGEST_FILE, choose_entry, write_entry

SOCKETS = b"/tmp/.X11-unix"
_LOCAL = re.compile(rb"(?:unix)?:([0-9]{1,5})(\.[0-9]{1,3})?\Z")


@dataclass(frozen=True, slots=True)
class XDisplay:
    """An X11 display of this machine: its number, its screen (``.1`` or nothing), and the file with its cookie."""

    number: int
    screen: bytes = b""
    authority: bytes | None = None

    @property
    def socket(self) -> bytes:
        """The path of its socket, here and in a replay."""
        return SOCKETS + b"/X%d" % self.number

    @property
    def name(self) -> bytes:
        """What the variable DISPLAY says."""
        return b":%d" % self.number + self.screen


@dataclass(frozen=True, slots=True)
class Display:
    """The displays that there are; of Wayland's, the path of its socket."""

    x11: XDisplay | None = None
    wayland: bytes | None = None


NO_DISPLAY = Display()


def find_display(environ: Mapping[bytes, bytes]) -> Display:
    """Return the displays that the environment names. Raises TargetError where it names none of this machine."""
    display = Display(find_x11(environ), find_wayland(environ))
    debug(__name__, "the display: %s", display)
    if display != NO_DISPLAY:
        return display
    named = environ.get(b"DISPLAY")
    if named and not _LOCAL.match(named):
        raise TargetError(
            f"the display {printable(named)} (DISPLAY) is not one of this machine, and only those can be shown to a "
            "replay; replay on the machine that has it"
        )
    raise TargetError("there is no display to show: set DISPLAY or WAYLAND_DISPLAY to one that runs on this machine")


def find_x11(environ: Mapping[bytes, bytes]) -> XDisplay | None:
    """Return the X11 display that DISPLAY names, if it has a socket here."""
    match = _LOCAL.match(environ.get(b"DISPLAY", b""))
    if match is None:
        return None
    found = XDisplay(int(match[1]), match[2] or b"")
    if not is_socket(found.socket):
        return None
    return XDisplay(found.number, found.screen, read_cookie(environ, found.number))


def read_cookie(environ: Mapping[bytes, bytes], number: int) -> bytes | None:
    """Return a file with the display's cookie alone, made of the caller's; None where that has none."""
    path = environ.get(b"XAUTHORITY") or os.path.join(environ.get(b"HOME", b"/"), b".Xauthority")
    try:
        with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
            content = file.read(LARGEST_FILE) if stat.S_ISREG(os.fstat(file.fileno()).st_mode) else b""
    except OSError as error:  # ENOENT, most often: a display that asks for no cookie
        debug(__name__, "no cookies in %s: %s", printable(path), error.strerror)
        return None
    entry = choose_entry(content, number, os.fsencode(socket.gethostname()))
    return None if entry is None else write_entry(entry, number)


def find_wayland(environ: Mapping[bytes, bytes]) -> bytes | None:
    """Return the socket that WAYLAND_DISPLAY names, from XDG_RUNTIME_DIR, if it is one."""
    name = environ.get(b"WAYLAND_DISPLAY", b"")
    path = os.path.join(environ.get(b"XDG_RUNTIME_DIR", b""), name)
    return path if name and path.startswith(b"/") and is_socket(path) else None


def is_socket(path: bytes) -> bool:
    """Whether a path leads to a socket."""
    try:
        return stat.S_ISSOCK(os.stat(path).st_mode)
    except OSError:  # ENOENT, EACCES: it is no socket for us
        return False
