"""``rtrace web``: the history as pages in a browser."""

from __future__ import annotations

import os
import sys
import threading

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.terminal.speaking import say, tell, warn
from rtrace.errors import WebError
from rtrace.interrupts import keep_rest

_GRAPHICAL = ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER", "WSL_DISTRO_NAME")


@click.command(
    cls=RtraceCommand,
    statuses={"130": "ended by Ctrl-C, as it always is"},
    examples=("rtrace web", "rtrace web --port 8000 --no-open", "rtrace web --history postgresql://lab.example/runs"),
)
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="Not any free port.")
@click.option("--ipv6", is_flag=True, help="Listen on ::1, too.")
@click.option("--no-open", is_flag=True, help="Do not open a browser.")
@click.option("--history", "place", metavar="PLACE", help="Show the history of a folder or of a postgresql:// URL.")
def command(*, port: int, ipv6: bool, no_open: bool, place: str | None) -> None:
    """Show the history in a browser: search, one run with all that is known of it, its files and its graph.

    The pages are for you alone: the server listens on this machine's loopback interface, and answers to who has the
    address that is printed. It runs until Ctrl-C.
    """
    try:
        from rtrace.web.guard import TICKET, TOKEN, Guard
        from rtrace.web.serving import LOOPBACK, LOOPBACK6, find_port, listening, serving, wait
        from rtrace.web.site import Site
    except ModuleNotFoundError as error:
        needed = str(error.name).partition(".")[0]
        if needed == "rtrace":
            raise
        raise WebError(f"`rtrace web` needs {needed}: pip install 'rtrace-repro[web]'") from None
    from rtrace.record.history.opening import open_history

    history = open_history(place)
    history.catalogue().close()  # what is wrong with it is told here
    with listening(port, ipv6=ipv6) as sockets:
        chosen = find_port(sockets)
        guard = Guard([LOOPBACK, "localhost", *([f"[{LOOPBACK6}]"] if ipv6 else [])], chosen)
        with serving(Site(lambda: open_history(place), guard), sockets):
            address = f"http://{LOOPBACK}:{chosen}/"
            say(f"showing {history.place}; end with Ctrl-C")
            tell([f"{address}?{TOKEN}={guard.token}"])  # also with --quiet: nobody gets in without it
            if not no_open and has_windows():
                open_browser(f"{address}?{TICKET}={guard.make_ticket()}")
            keep_rest("the pages are no longer served")
            wait()


def has_windows() -> bool:
    """Whether a browser would have a window: one for the terminal would take that away from who is there."""
    return sys.platform in {"darwin", "win32"} or any(os.environ.get(name) for name in _GRAPHICAL)


def open_browser(address: str) -> None:
    """Open a page in the person's browser. Some browsers end only when they are closed, so nobody waits for them."""

    def start() -> None:
        import webbrowser

        if not webbrowser.open(address):
            warn("no browser could be opened; open the address above in one")

    threading.Thread(target=start, name="browser", daemon=True).start()
