"""The server itself: sockets on the loopback interface, and threads that answer. The one door to waitress."""

from __future__ import annotations

import contextlib
import errno
import logging
import socket
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast

from waitress import wasyncore
from waitress.adjustments import Adjustments
from waitress.server import TcpWSGIServer
from waitress.task import ThreadedTaskDispatcher

from rtrace.errors import WebError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from waitress.channel import HTTPChannel

    from rtrace.web.site import Site

LOOPBACK, LOOPBACK6 = "127.0.0.1", "::1"
_THREADS, _CONNECTIONS = 4, 100
_MOST_HEADERS, MOST_SENT = 16 << 10, 256 << 10
"""Bytes of a request: its headers, and a form."""
_IDLE = 30
"""Seconds after which a connection is closed on which nothing moves."""


class Server(TcpWSGIServer):
    """A server of one socket, which never lets connections that wait for nothing keep others out."""

    def __init__(self, site: Site, listening: socket.socket, settings: Adjustments, **shared: Any) -> None:  # noqa: ANN401
        """Listen; ``shared`` is what the servers of several sockets share: a map of what is open, and threads."""
        address = (listening.family, listening.type, listening.proto, listening.getsockname())
        self._open: dict[int, object] = shared["map"]
        super().__init__(site, _sock=listening, adj=settings, sockinfo=address, bind_socket=False, **shared)

    def handle_accept(self) -> None:
        """Take a connection; where that was the last one, close the one on which nothing has moved for longest."""
        super().handle_accept()
        if len(self._open) >= self.adj.connection_limit:
            channels = cast("dict[int, HTTPChannel]", self.active_channels).values()
            idle = [channel for channel in channels if not channel.requests]
            if idle:
                min(idle, key=lambda channel: (channel.total_outbufs_len > 0, channel.last_activity)).handle_close()


@contextlib.contextmanager
def listening(port: int, *, ipv6: bool) -> Iterator[list[socket.socket]]:
    """Yield sockets that listen on the loopback interface, on one port; 0 is one that is free. Raises WebError."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(_bind(socket.AF_INET, LOOPBACK, port))]
        if ipv6:
            sockets.append(stack.enter_context(_bind(socket.AF_INET6, LOOPBACK6, find_port(sockets))))
        yield sockets


def find_port(sockets: list[socket.socket]) -> int:
    """Return the port that sockets listen on."""
    port: int = sockets[0].getsockname()[1]
    return port


@contextlib.contextmanager
def serving(site: Site, sockets: list[socket.socket]) -> Iterator[None]:
    """Answer requests, in threads, as long as the block runs."""
    logging.getLogger("waitress").setLevel(logging.CRITICAL)  # a browser that goes away is no news
    settings = Adjustments(
        sockets=sockets,
        connection_limit=_CONNECTIONS,
        channel_timeout=_IDLE,
        cleanup_interval=_IDLE // 3,
        max_request_header_size=_MOST_HEADERS,
        max_request_body_size=MOST_SENT,
        ident=None,
        clear_untrusted_proxy_headers=True,
    )
    threads = ThreadedTaskDispatcher()
    threads.set_thread_count(_THREADS)
    known: dict[int, object] = {}
    servers = [Server(site, one, settings, map=known, dispatcher=threads) for one in sockets]
    # Not in the main thread, where a signal may come in the middle of what swallows every exception.
    loop = Thread(target=servers[0].run, name="web", daemon=True)
    loop.start()
    try:
        yield
    finally:
        # In the thread that waits for them: what is closed while it waits is no descriptor any more, or another's.
        trigger = cast("Any", servers[0].trigger)
        trigger.pull_trigger(lambda: wasyncore.close_all(cast("Any", known), ignore_all=True))
        loop.join()
        threads.shutdown()


def wait() -> None:
    """Wait for a signal that ends this."""
    Event().wait()


def _bind(family: socket.AddressFamily, host: str, port: int) -> socket.socket:
    try:
        made = socket.socket(family, socket.SOCK_STREAM)
    except OSError as error:
        raise WebError(f"cannot listen on {host}: {error.strerror}; leave out --ipv6") from None
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind((host, port))
        made.listen(_CONNECTIONS)
    except OSError as error:
        made.close()
        what = "somebody else listens there" if error.errno == errno.EADDRINUSE else error.strerror
        raise WebError(f"cannot listen on port {port} of {host}: {what}; choose another one with --port") from None
    return made
