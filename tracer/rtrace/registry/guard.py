"""Where a registry may send rtrace on to: nowhere nearer than it is itself, and to no other place without TLS.

A person named the registry, so its own address may be any. What it redirects to, the server that gives its tokens, and
the place of an upload are its own choice, and must not be a service of this machine or its network that only waits to
be asked.
"""

from __future__ import annotations

import socket
from enum import IntEnum
from typing import Any
from urllib.parse import urlsplit

from rtrace.elsewhere.guarding import Guard, is_public, look_through
from rtrace.errors import ElsewhereError
from rtrace.printable import printable_text, shorten

TIME_FREE = 300.0
SLOWEST = 16 << 10
"""Seconds that all of a command's talk may take, and bytes of content that have to pass in each further one."""


class Reach(IntEnum):
    """How near an address is."""

    PUBLIC = 0
    NETWORK = 1
    MACHINE = 2
    LINK = 3
    """A link's own, where a cloud has services for its machines."""


def measure(address: str) -> Reach:
    """Return how near an address is."""
    if is_public(address):
        return Reach.PUBLIC
    number = look_through(address)
    if number.is_link_local or number.is_multicast:
        return Reach.LINK
    return Reach.MACHINE if number.is_loopback or number.is_unspecified else Reach.NETWORK


class RegistryGuard(Guard):
    """What the connections of one command may do."""

    def __init__(self, host: str) -> None:
        """Begin with the host of the registry."""
        super().__init__(frozenset({host}), TIME_FREE)
        self._host = host
        self._reach = Reach.PUBLIC

    def expect(self, size: int) -> None:
        """Give the time that so many bytes of content may take, besides."""
        self._seconds += size / SLOWEST
        self._left += size / SLOWEST

    def check(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """Return the addresses of a host. Raises ElsewhereError for one that the registry must not lead to."""
        self.wait()
        found = list(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        reach = max((measure(str(place[0])) for *_, place in found), default=Reach.PUBLIC)
        if host.lower() == self._host:
            self._reach = reach
        elif reach is Reach.LINK or reach > self._reach:
            raise ElsewhereError(
                f"the registry sends rtrace on to {shorten(printable_text(host))}, whose address is "
                f"{'not public' if self._reach is Reach.PUBLIC else 'nearer than its own'}"
            )
        return found


def refuse_url(url: str, before: str) -> None:
    """Raise ElsewhereError for a URL that is not followed, wherever its host is; ``before`` is what led to it."""
    try:
        parts = urlsplit(url)
        _port = parts.port
    except ValueError:
        raise ElsewhereError("the registry sends rtrace on to what is no URL") from None
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ElsewhereError(f"the registry sends rtrace on to {shorten(printable_text(url))}, not http or https")
    if parts.username is not None or parts.password is not None:
        raise ElsewhereError("the registry sends rtrace on to a URL with a user name or a password in it")
    if parts.scheme == "http" and urlsplit(before).scheme == "https":
        raise ElsewhereError(f"the registry sends rtrace on to {shorten(printable_text(url))}, which is without TLS")


def find_origin(url: str) -> tuple[str, str, int]:
    """Return what secrets belong to: scheme, host and port of a URL."""
    parts = urlsplit(url)
    return parts.scheme, (parts.hostname or "").lower(), parts.port or (443 if parts.scheme == "https" else 80)
