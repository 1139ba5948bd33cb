"""What a person opens to a replay in namespaces: found on this machine, or refused before anything starts."""

from __future__ import annotations

import os
import sys

from rtrace.errors import TargetError
from rtrace.printable import name_some, printable
from rtrace.replay.grants import Grants
from rtrace_unpackers.granted.display import NO_DISPLAY, Display, find_display
from rtrace_unpackers.granted.graphics import find_graphics, list_closed
from rtrace_unpackers.isolation.planning.opened import NOTHING_OPENED, Opened
from rtrace_unpackers.isolation.users.access import Access


def open_granted(grants: Grants, access: Access) -> Opened:
    """Return what of the machine a replay is opened. Raises TargetError for what it cannot be given here."""
    if not sys.platform.startswith("linux"):
        return NOTHING_OPENED  # it is refused as a whole
    if grants.network and grants.ports:
        raise TargetError(
            "a replay with this machine's network (--network) serves at the machine's own ports: leave out --port"
        )
    return Opened(
        network=grants.network,
        ports=bool(grants.ports),
        display=choose_display(access) if grants.display else NO_DISPLAY,
        devices=find_graphics() if grants.gpu else (),
    )


def tell_opened(opened: Opened) -> tuple[str, ...]:
    """Return which devices a replay was shown, and which of them its user may not open, a sentence each."""
    if not opened.devices:
        return ()
    shown = name_some([f"/dev/{printable(name)}" for name in opened.devices])
    closed = name_some([f"/dev/{printable(name)}" for name in list_closed(opened.devices)])
    advice = f"{closed} is open to its own user and group alone: a replay as this user may lack the right to use it"
    return (f"it was shown {shown}", *((advice,) if closed else ()))


def choose_display(access: Access) -> Display:
    """Return the caller's display; of root's, X11's alone, as a replay is nobody's to a Wayland compositor."""
    display = find_display(os.environb)
    if not access.as_root:
        return display
    if display.x11 is None:
        raise TargetError(
            "a Wayland display is its own user's alone, and a replay by root is somebody else: unpack and replay as "
            "that user, or set DISPLAY to an X11 display"
        )
    return Display(display.x11)
