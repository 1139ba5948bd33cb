"""A data store on a WebDAV server (RFC 4918): MKCOL makes its folders, PUT brings a content, MOVE gives it its name.

The address comes from the person's own configuration. A password in it, or in `~/.netrc`, goes to that server alone,
over TLS or to this machine, and is never shown.
"""

from __future__ import annotations

import base64
import hashlib
import ipaddress
import netrc
import os
import ssl
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit, urlunsplit

from rtrace import __version__
from rtrace.errors import KeepingError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.record.keeping.content import Content

_SILENCE = 60
_MADE = {201, 204}
_THERE = {405, 301}
"""What servers say of a folder that exists; some of them redirect to it with a slash."""
_OK, _UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 200, 401, 403, 404, 409
_MOST_ANSWER = 1 << 20


class DavPlace:
    """A folder on a server that contents are kept in."""

    def __init__(self, url: str) -> None:
        parts = urlsplit(url)
        try:
            host, port = parts.hostname or "", parts.port
        except ValueError:
            host, port = "", None
        if not host:
            raise KeepingError("the address of the WebDAV server is none; correct `store.webdav`")
        self._host = host
        shown = f"[{host}]" if ":" in host else host
        network = shown if port is None else f"{shown}:{port}"
        self.url = urlunsplit((parts.scheme, network, parts.path.rstrip("/") + "/", "", ""))
        self._path = parts.path.rstrip("/") + "/"
        self._headers = {"User-Agent": f"rtrace/{__version__}"}
        self._add_password(parts.username, parts.password, secure=parts.scheme == "https")
        self._connection = (
            HTTPSConnection(host, port, timeout=_SILENCE, context=ssl.create_default_context())
            if parts.scheme == "https"
            else HTTPConnection(host, port, timeout=_SILENCE)
        )
        self._made: set[str] = set()

    def find(self, name: str) -> str | None:
        """Return the address of what is kept by a name; None where there is nothing."""
        return None if self._measure(name) is None else self.url + name

    def put(self, content: Content) -> str:
        """Keep a content; return its address. Raises KeepingError and ChangedError."""
        descriptor, size = content.open()
        try:
            if self._measure(content.name) == size:
                return self.url + content.name
            self._make_folders(content.name)
            self._bring(content, descriptor, size)
        finally:
            os.close(descriptor)
        if self._measure(content.name) not in {size, -1}:
            raise KeepingError(f"{self.url} kept less of {content.name} than it was sent; ask who runs it")
        return self.url + content.name

    def close(self) -> None:
        """End the connection."""
        self._connection.close()

    def _bring(self, content: Content, descriptor: int, size: int) -> None:
        """Send a content under a name of its own, and give it its name when it is whole."""
        suffix = hashlib.sha256(os.urandom(16)).hexdigest()[:12]
        incomplete = f"{content.name}.{suffix}.incomplete"
        whole = False
        try:
            self._expect(_MADE | {_OK}, "PUT", incomplete, content.read(descriptor), {"Content-Length": str(size)})
            moved = {"Destination": self.url + content.name, "Overwrite": "T"}
            self._expect(_MADE, "MOVE", incomplete, headers=moved)
            whole = True
        finally:
            if not whole:
                self._connection.close()  # it may be in the midst of a content
                self._remove(incomplete)

    def _remove(self, name: str) -> None:
        try:
            self._ask("DELETE", name)
        except KeepingError:
            self._connection.close()  # the server is gone: what it has of the content lies under a name that says so

    def _measure(self, name: str) -> int | None:
        """Return how long what is kept by a name is, -1 where the server does not say; None where there is nothing."""
        status, length = self._ask("HEAD", name)
        if status == _NOT_FOUND:
            return None
        if status != _OK:
            raise self._refused(status)
        return -1 if length is None else length

    def _make_folders(self, name: str) -> None:
        """Make the folder of the store and the one of a name, where they are not there."""
        for folder in ("", name.rpartition("/")[0]):
            if folder in self._made:
                continue
            allowed = _MADE | _THERE if folder else _MADE | _THERE | {_FORBIDDEN}  # the top of a server may be nobody's
            self._expect(allowed, "MKCOL", f"{folder}/" if folder else "")
            self._made.add(folder)

    def _expect(
        self,
        wanted: set[int],
        method: str,
        name: str,
        body: Iterator[bytes] | None = None,
        headers: dict[str, str] | None = None,
    ) -> None:
        status, _ = self._ask(method, name, body, headers)
        if status not in wanted:
            raise self._refused(status)

    def _ask(
        self, method: str, name: str, body: Iterator[bytes] | None = None, headers: dict[str, str] | None = None
    ) -> tuple[int, int | None]:
        """Ask the server something; return its status and how long it says that the content is."""
        try:
            self._connection.request(method, self._path + name, body, {**self._headers, **(headers or {})})
            answer = self._connection.getresponse()
            answer.read(_MOST_ANSWER)
            if answer.length:  # more than anybody wants to read
                self._connection.close()
        except (OSError, HTTPException, ValueError) as error:
            self._connection.close()
            reason = getattr(error, "strerror", None) or str(error) or "the connection broke"
            raise KeepingError(f"{self.url} does not answer ({reason})") from None
        length = answer.headers.get("Content-Length", "")
        return answer.status, int(length) if length.isdecimal() and len(length) < _SILENCE else None

    def _refused(self, status: int) -> KeepingError:
        if status == _UNAUTHORIZED:
            return KeepingError(f"{self.url} wants a name and a password (Basic); put them into ~/.netrc")
        if status == _CONFLICT:
            return KeepingError(f"{self.url} is in a folder that is not there; make that one on the server")
        return KeepingError(f"{self.url} answers {status}")

    def _add_password(self, name: str | None, password: str | None, *, secure: bool) -> None:
        """Take the name and the password from the address, else from `~/.netrc`."""
        if name is None:
            try:
                found = netrc.netrc().authenticators(self._host)
            except (OSError, netrc.NetrcParseError):
                found = None
            name, _, password = found or (None, None, None)
        else:
            name, password = unquote(name), unquote(password or "")
        if not name:
            return
        if not secure and not is_here(self._host):
            raise KeepingError(f"{self.url} would be sent a password over http; write https in `store.webdav`")
        word = base64.b64encode(f"{name}:{password or ''}".encode()).decode()
        self._headers["Authorization"] = f"Basic {word}"


def is_here(host: str) -> bool:
    """Whether a host is this machine by its very name."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
