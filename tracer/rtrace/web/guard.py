"""Whose request it is: one of the person who started the server, from one of its own pages, or a stranger's.

Other people's programs on this machine can connect to its ports, and any page in the browser can send requests there.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from typing import TYPE_CHECKING

from werkzeug.exceptions import Forbidden, HTTPException

from rtrace.web.peers import is_own_connection

if TYPE_CHECKING:
    from collections.abc import Iterable

    from werkzeug.wrappers import Request, Response

TOKEN, TICKET, CHECK = "token", "ticket", "check"
_OURS, _ADDRESSED = "same-origin", frozenset({None, "none", "same-origin"})


class MisdirectedError(HTTPException):
    """A request for another host: of a page whose name was made to lead here."""

    code = 421
    description = "This server answers to the address that `rtrace web` printed, and to no other name."


class Guard:
    """Knows the secrets of one server, and the names by which it may be called."""

    def __init__(self, hosts: Iterable[str], port: int) -> None:
        """Make new secrets: they are of this process alone and are written nowhere."""
        self.token = secrets.token_urlsafe(32)
        self._ticket: str | None = None
        self._session = secrets.token_urlsafe(32)
        self._key = secrets.token_bytes(32)
        self._hosts = frozenset(f"{host}:{port}" for host in hosts)
        self._cookie = f"rtrace-{port}"  # browsers give a cookie to every port of a host

    def make_ticket(self) -> str:
        """Return what stands in for the token once.

        It is for the browser's command line, which everybody on the machine can read.
        """
        self._ticket = secrets.token_urlsafe(32)
        return self._ticket

    @property
    def check(self) -> str:
        """What a form of our own pages holds."""
        return hmac.new(self._key, self._session.encode(), hashlib.sha256).hexdigest()

    def check_host(self, request: Request) -> None:
        """Refuse a request for another host. Raises MisdirectedError."""
        if request.headers.get("Host", "").lower() not in self._hosts:
            raise MisdirectedError

    def check_peer(self, request: Request) -> None:
        """Refuse another user's program, whatever it brings. Raises Forbidden.

        Browsers send a cookie to every port of a host: also to a server that somebody else has there.
        """
        if "REMOTE_PORT" in request.environ and not is_own_connection(request.environ):
            raise Forbidden("Only the user who started `rtrace web` is let in.")

    def is_arrival(self, request: Request) -> bool:
        """Whether a request brings the token, or the ticket, which is used up by it."""
        if _equal(request.args.get(TOKEN), self.token):
            return True
        ticket, given = self._ticket, request.args.get(TICKET)
        if ticket is None or not _equal(given, ticket):
            return False
        self._ticket = None
        return is_own_connection(request.environ)

    def admit(self, response: Response) -> None:
        """Let the browser keep what admits it from now on."""
        response.set_cookie(self._cookie, self._session, httponly=True, samesite="Strict")

    def check_admitted(self, request: Request) -> None:
        """Refuse a browser that was not admitted. Raises Forbidden."""
        if not _equal(request.cookies.get(self._cookie), self._session):
            raise Forbidden("Open the address that `rtrace web` printed: it holds what lets you in.")

    def check_form(self, request: Request) -> None:
        """Refuse a form that is not of one of our own pages. Raises Forbidden."""
        origin, site = request.headers.get("Origin"), request.headers.get("Sec-Fetch-Site")
        own = f"http://{request.headers['Host'].lower()}"
        # Without a referrer browsers call the origin of a form "null", and then tell the site apart.
        is_ours = origin == own or (origin in {None, "null"} and site == _OURS)
        if not is_ours or site not in {None, _OURS} or not _equal(request.form.get(CHECK), self.check):
            raise Forbidden("This form is not of a page of this server: reload the page and send it again.")


def was_addressed(request: Request) -> bool:
    """Whether a person typed or opened the address; not so when another page or a file leads to it."""
    return request.headers.get("Sec-Fetch-Site") in _ADDRESSED


def _equal(given: str | None, wanted: str) -> bool:
    return given is not None and hmac.compare_digest(given.encode("utf-8", "replace"), wanted.encode())
