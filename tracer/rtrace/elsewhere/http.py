"""Bytes from a URL: http or https, as many as are wanted, resumed where a connection broke.

The URL comes out of a bundle, which may be hostile, and so may be its server: no other schemes, no redirection to them
or into a network that the bundle did not name, no more bytes than announced, no answer that never ends.
"""

from __future__ import annotations

import time
from http.client import HTTPException, HTTPResponse
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import HTTPDefaultErrorHandler, HTTPErrorProcessor, OpenerDirector, ProxyHandler, Request

from rtrace import __version__
from rtrace.debugging import debug
from rtrace.elsewhere.guarding import SILENCE, Guard, PlainHandler, RedirectHandler, TlsHandler
from rtrace.errors import ElsewhereError
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_COPY = 1 << 20
_ATTEMPTS = 20
_PAUSE = 0.5
"""Seconds before a broken transfer is resumed."""
_PARTIAL, _RANGE_NOT_SATISFIABLE = 206, 416
TIME_FREE = 300.0
SLOWEST = 64 << 10
"""Seconds that all content of a bundle may take to come, and bytes of it that have to come in each further one."""


class Fetcher:
    """Fetches what a bundle leaves elsewhere, all of it in a time that its size allows.

    ``urls`` are those of the bundle, whose hosts may be in any network; ``size`` is that of all that may be fetched.
    """

    def __init__(self, urls: Iterable[str], size: int) -> None:
        hosts = frozenset(urlsplit(url).hostname or "" for url in urls)
        self._guard = Guard(hosts, TIME_FREE + size / SLOWEST)

    def fetch(self, url: str, size: int) -> Iterator[bytes]:
        """Yield what is at a URL, at most one byte more than ``size``, by which it is known to be too long.

        A transfer that breaks off is resumed where it was, as long as each attempt brings something. Raises
        ElsewhereError with the reason alone.
        """
        refuse_odd(url)
        opener = _make_opener(self._guard)
        done = 0
        validator: str | None = None
        for _ in range(_ATTEMPTS):
            before = done
            try:
                with _ask(opener, url, done, validator) as answer:
                    if not done:
                        if answer.length not in {None, size}:
                            raise ElsewhereError(f"it has {answer.length} bytes instead of {size}")
                        validator = answer.headers.get("ETag")
                        validator = None if validator is None or validator.startswith("W/") else validator
                    for part in _continue(answer, done, size):
                        done += len(part)
                        yield part
                if done >= size:
                    return
                reason = f"it ended after {done} of {size} bytes"
            except HTTPError as error:
                error.close()
                if error.code == _RANGE_NOT_SATISFIABLE and done:
                    break
                raise ElsewhereError(f"the server says {error.code} {shorten(str(error.reason))}") from None
            except URLError as error:
                reason = str(getattr(error.reason, "strerror", None) or error.reason)
            except TimeoutError:
                reason = f"the server was silent for {SILENCE} seconds"
            except (HTTPException, OSError, ValueError) as error:  # ValueError: not an address
                reason = str(getattr(error, "strerror", None) or error or "the connection broke")
            debug(__name__, "%s: %d of %d bytes are here, %s", url, done, size, reason)
            if done == before:
                break
            time.sleep(_PAUSE)
        raise ElsewhereError(shorten(reason))


def refuse_odd(url: str) -> None:
    """Raise ElsewhereError for a URL that is not fetched whoever wants it."""
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"}:
        raise ElsewhereError("only http and https are asked over a network")
    if parts.username is not None or parts.password is not None:
        raise ElsewhereError("its URL has a user name or a password in it, which rtrace sends to nobody")


def _make_opener(guard: Guard) -> OpenerDirector:
    """Make what asks over HTTP and nothing else; the proxies are those of the environment."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler(),
        PlainHandler(guard),
        TlsHandler(guard),
        RedirectHandler(guard),
        HTTPDefaultErrorHandler(),
        HTTPErrorProcessor(),
    ):
        opener.add_handler(handler)
    return opener


def _ask(opener: OpenerDirector, url: str, start: int, validator: str | None) -> HTTPResponse:
    """Ask for what is at a URL from an offset on."""
    headers = {"User-Agent": f"rtrace/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator is not None:
            headers["If-Range"] = validator
    request = Request(url, headers=headers)  # noqa: S310 -- the opener has no handlers but those for HTTP
    answer = opener.open(request, timeout=SILENCE)
    if not isinstance(answer, HTTPResponse):
        raise ElsewhereError("it leads to what is neither http nor https")
    return answer


def _continue(answer: HTTPResponse, done: int, size: int) -> Iterator[bytes]:
    """Yield the parts of an answer that were not there before; a server that knows no ranges begins anew."""
    skipped = done if answer.status != _PARTIAL else 0
    if answer.status == _PARTIAL and not answer.headers.get("Content-Range", "").startswith(f"bytes {done}-"):
        raise ElsewhereError("the server gave another part of it than was asked for")
    while skipped:
        part = answer.read(min(skipped, _COPY))
        if not part:
            return
        skipped -= len(part)
    while done <= size:
        part = answer.read(min(size + 1 - done, _COPY))
        if not part:
            return
        done += len(part)
        yield part
