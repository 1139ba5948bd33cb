"""Connections to servers that a bundle names, which may be hostile: where they may lead, and how long they may take.

A server on the internet may redirect to a service of this machine or of its network, in the hope that it does something
when it is asked. So the address of a host is looked at before it is connected to, whatever its name is, and one in no
public network has to be named by the bundle itself, where a person could see it before they agreed.
"""

from __future__ import annotations

import io
import ipaddress
import socket
import ssl
import time
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPResponse, HTTPSConnection
from typing import IO, TYPE_CHECKING, Any
from urllib.parse import urlsplit
from urllib.request import HTTPHandler, HTTPRedirectHandler, HTTPSHandler, Request

from rtrace.errors import ElsewhereError
from rtrace.printable import shorten

if TYPE_CHECKING:
    from email.message import Message

SILENCE = 60
"""Seconds that a server may be silent."""
_SECRETS = frozenset({"authorization", "cookie", "proxy-authorization"})
_NEAR = (".localhost", ".local", ".localdomain")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Guard:
    """What the connections for one bundle may do: the hosts that it names, and the seconds that are left for all."""

    def __init__(self, hosts: frozenset[str], seconds: float) -> None:
        self._hosts = hosts
        self._seconds = seconds
        self._left = seconds

    def check(self, host: str, port: int) -> list[tuple[Any, ...]]:
        """Return the addresses of a host.

        Raises ElsewhereError for one neither public nor named by the bundle, and for a name in the bundle that leads
        to this machine without saying so.
        """
        self.wait()
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        is_named = host.lower() in self._hosts
        for *_, place in found:
            address = str(place[0])
            if is_named and not says_local(host) and is_here(address):
                raise ElsewhereError(
                    f"{shorten(host)} has the address {address}, of this machine or its own network, and its name does "
                    "not say so"
                )
            if not is_named and not is_public(address):
                raise ElsewhereError(
                    f"the server sends rtrace on to {shorten(host)}, whose address is not public, and the bundle "
                    "does not name it"
                )
        return list(found)

    def wait(self) -> float:
        """Return how long the next answer may take. Raises ElsewhereError when there is no time left."""
        if self._left <= 0:
            raise ElsewhereError(f"the servers were slower than rtrace waits for so much, {self._seconds:.0f} seconds")
        return min(SILENCE, self._left)

    def spend(self, begin: float) -> None:
        """Take the time since ``begin`` from what is left."""
        self._left -= time.monotonic() - begin

    def connect(
        self,
        address: tuple[str, int],
        _timeout: float | None = None,
        _source: object = None,
        *,
        proxied: bool = False,
    ) -> socket.socket:
        """Connect to a host, at an address that was looked at; a proxy is one that the user of this machine chose."""
        begin = time.monotonic()
        try:
            found = socket.getaddrinfo(*address, type=socket.SOCK_STREAM) if proxied else self.check(*address)
            problem: OSError = OSError("it has no address")
            for family, kind, protocol, _, place in found:
                connection = socket.socket(family, kind, protocol)
                try:
                    connection.settimeout(self.wait())
                    connection.connect(place)
                except OSError as error:
                    connection.close()
                    problem = error
                else:
                    return connection
            raise problem
        finally:
            self.spend(begin)


def is_public(address: str) -> bool:
    """Whether an address is one of the internet, and not one of this machine, its network or a group of hosts."""
    number = look_through(address)
    return number.is_global and not number.is_multicast and not number.is_reserved


def is_here(address: str) -> bool:
    """Whether an address is of this machine, or of a link of its own, where a cloud has services for its machines."""
    number = look_through(address)
    return number.is_loopback or number.is_link_local or number.is_unspecified or number.is_multicast


def says_local(host: str) -> bool:
    """Whether a person sees by a host's name that it is near: an address as usual, one word, or a name for that."""
    name = host.lower().partition("%")[0].rstrip(".")
    try:
        ipaddress.ip_address(name)
    except ValueError:  # 127.1 and 0x7f000001 are addresses, too, that nobody recognises
        return name.endswith(_NEAR) or ("." not in name and name[:1].isalpha())
    return True


def look_through(address: str) -> Address:
    """Return an address, or the one of IPv4 that it stands for."""
    number: Address = ipaddress.ip_address(address.partition("%")[0])
    if isinstance(number, ipaddress.IPv6Address):
        inner = number.ipv4_mapped or number.sixtofour or (number.teredo[1] if number.teredo else None)
        if number in _NAT64:
            inner = ipaddress.IPv4Address(int(number) & 0xFFFFFFFF)
        return number if inner is None else inner
    return number


class _Timed(io.RawIOBase):
    """What comes from a server, byte for byte in the time that is left for all."""

    def __init__(self, file: IO[bytes], connection: socket.socket, guard: Guard) -> None:
        self._file = file
        self._raw: io.RawIOBase = file.raw  # type: ignore[attr-defined]
        self._connection = connection
        self._guard = guard

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:  # noqa: ANN401 -- what a RawIOBase takes has no name in Python 3.10
        begin = time.monotonic()
        try:
            self._connection.settimeout(self._guard.wait())
            return self._raw.readinto(buffer)
        except TimeoutError:
            self._guard.spend(begin)
            begin = time.monotonic()
            self._guard.wait()
            raise
        finally:
            self._guard.spend(begin)

    def close(self) -> None:
        self._file.close()
        super().close()


class _Response(HTTPResponse):
    """An answer that is read in time."""

    def __init__(self, connection: socket.socket, *arguments: Any, guard: Guard, **named: Any) -> None:  # noqa: ANN401
        super().__init__(connection, *arguments, **named)
        self.fp: io.BufferedReader = io.BufferedReader(_Timed(self.fp, connection, guard))


def _prepare(connection: HTTPConnection, guard: Guard, *, proxied: bool) -> None:
    """Have a connection made and read by a guard; http.client asks these two of itself."""
    connection.response_class = partial(_Response, guard=guard)  # type: ignore[assignment]
    vars(connection)["_create_connection"] = partial(guard.connect, proxied=proxied)


def _make_plain(host: str, guard: Guard, *, proxied: bool, **named: Any) -> HTTPConnection:  # noqa: ANN401
    connection = HTTPConnection(host, **named)
    _prepare(connection, guard, proxied=proxied)
    return connection


def _make_tls(host: str, guard: Guard, *, proxied: bool, **named: Any) -> HTTPConnection:  # noqa: ANN401
    connection = HTTPSConnection(host, **named)
    _prepare(connection, guard, proxied=proxied)
    return connection


def _is_proxied(request: Request, guard: Guard) -> bool:
    """Whether a proxy is asked, which connects by itself: then the host is judged as it resolves here."""
    parts = urlsplit(request.full_url)
    if not request.has_proxy() and not getattr(request, "_tunnel_host", None):
        return False
    with suppress(OSError):  # EAI_NONAME: a name that the proxy alone knows
        guard.check(parts.hostname or "", parts.port or 0)
    return True


class PlainHandler(HTTPHandler):
    """Asks over http."""

    def __init__(self, guard: Guard) -> None:
        super().__init__()
        self._guard = guard

    def http_open(self, req: Request) -> HTTPResponse:
        """Ask."""
        proxied = _is_proxied(req, self._guard)
        return self.do_open(partial(_make_plain, guard=self._guard, proxied=proxied), req)


class TlsHandler(HTTPSHandler):
    """Asks over https."""

    def __init__(self, guard: Guard, context: ssl.SSLContext | None = None) -> None:
        super().__init__()
        self._guard = guard
        self._context = context

    def https_open(self, req: Request) -> HTTPResponse:
        """Ask."""
        proxied = _is_proxied(req, self._guard)
        context = self._context or ssl.create_default_context()
        make = partial(_make_tls, guard=self._guard, proxied=proxied, context=context)
        return self.do_open(make, req)


class RedirectHandler(HTTPRedirectHandler):
    """Follows redirections to http and https, without reading what comes with them and without what is secret."""

    def __init__(self, guard: Guard) -> None:
        self._guard = guard

    def redirect_request(
        self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message, newurl: str
    ) -> Request | None:
        """Make the request that a redirection asks for."""
        new = super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]
        if new is not None:
            parts = urlsplit(newurl)
            if parts.username is not None or parts.password is not None:
                raise ElsewhereError("the server sends rtrace on to a URL with a user name or a password in it")
            for name in [name for name in new.headers if name.lower() in _SECRETS]:
                new.remove_header(name)
        return new

    def http_error_302(self, req: Request, fp: IO[bytes], code: int, msg: str, headers: Message) -> Any:  # noqa: ANN401
        """Follow one; its own content, which may be without an end, is not read."""
        fp.close()
        return super().http_error_302(req, io.BytesIO(), code, msg, headers)  # type: ignore[arg-type]

    http_error_301 = http_error_303 = http_error_307 = http_error_308 = http_error_302
