"""Bytes from a URL: http, https or file, as many as are wanted, resumed where a connection broke.

The URL comes out of a bundle, which may be hostile: no other schemes, no redirection to them, no more bytes than
announced, no device file, no answer that never comes.
"""

from __future__ import annotations

import os
import time
from http.client import HTTPException, HTTPResponse
from stat import S_ISREG
from typing import TYPE_CHECKING
from urllib.error import HTTPError, URLError
from urllib.parse import unquote_to_bytes, urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from rtrace import __version__
from rtrace.errors import ElsewhereError

if TYPE_CHECKING:
    from collections.abc import Iterator

_COPY = 1 << 20
_TIMEOUT = 60
"""Seconds that a server may be silent."""
_ATTEMPTS = 20
_PAUSE = 0.5
"""Seconds before a broken transfer is resumed."""
_PARTIAL, _RANGE_NOT_SATISFIABLE = 206, 416


def fetch(url: str, size: int) -> Iterator[bytes]:
    """Give what is at a URL, at most one byte more than ``size``, by which it is known to be too long.

    A transfer that breaks off is resumed where it was, as long as each attempt brings something. Raises
    ElsewhereError with the reason alone.
    """
    if urlsplit(url).scheme == "file":
        yield from _read_file(url, size)
        return
    opener = _make_opener()
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
            raise ElsewhereError(f"the server says {error.code} {error.reason}") from None
        except URLError as error:
            reason = str(getattr(error.reason, "strerror", None) or error.reason)
        except TimeoutError:
            reason = f"the server was silent for {_TIMEOUT} seconds"
        except (HTTPException, OSError, ValueError) as error:  # ValueError: an address that is none
            reason = str(getattr(error, "strerror", None) or error or "the connection broke")
        if done == before:
            break
        time.sleep(_PAUSE)
    raise ElsewhereError(reason)


def _make_opener() -> OpenerDirector:
    """Make what asks over HTTP and nothing else; the proxies are those of the environment."""
    opener = OpenerDirector()
    for handler in (
        ProxyHandler,
        HTTPHandler,
        HTTPSHandler,
        HTTPRedirectHandler,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
    ):
        opener.add_handler(handler())
    return opener


def _ask(opener: OpenerDirector, url: str, start: int, validator: str | None) -> HTTPResponse:
    """Ask for what is at a URL from an offset on."""
    headers = {"User-Agent": f"rtrace/{__version__}", "Accept-Encoding": "identity"}
    if start:
        headers["Range"] = f"bytes={start}-"
        if validator is not None:
            headers["If-Range"] = validator
    request = Request(url, headers=headers)  # noqa: S310 -- the opener has no handlers but those for HTTP
    answer = opener.open(request, timeout=_TIMEOUT)
    if not isinstance(answer, HTTPResponse):
        raise ElsewhereError("it leads to what is neither http nor https")
    return answer


def _continue(answer: HTTPResponse, done: int, size: int) -> Iterator[bytes]:
    """Give the parts of an answer that were not there before; a server that knows no ranges begins anew."""
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


def _read_file(url: str, size: int) -> Iterator[bytes]:
    parts = urlsplit(url)
    if parts.netloc not in {"", "localhost"}:
        raise ElsewhereError(f"a file: URL cannot name another machine, {parts.netloc}")
    flags = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)
    try:
        descriptor = os.open(unquote_to_bytes(parts.path), flags)
        with os.fdopen(descriptor, "rb", buffering=0) as file:
            if not S_ISREG(os.fstat(descriptor).st_mode):
                raise ElsewhereError("it is no regular file")
            done = 0
            while done <= size and (part := file.read(min(size + 1 - done, _COPY))):
                done += len(part)
                yield part
    except OSError as error:
        raise ElsewhereError(error.strerror or str(error)) from None
