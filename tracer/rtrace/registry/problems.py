"""What goes wrong with a registry, told in a sentence; whatever it says itself is shown as text of a line."""

from __future__ import annotations

import json
import ssl
from contextlib import contextmanager, suppress
from http.client import HTTPException, HTTPResponse
from socket import gaierror
from typing import TYPE_CHECKING
from urllib.error import URLError

from rtrace.elsewhere.guarding import SILENCE
from rtrace.errors import ElsewhereError, RegistryError
from rtrace.printable import printable_text, shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

_LARGEST_WORDS = 1 << 16


class BrokenOffError(RegistryError):
    """A connection broke, or there was none; the same may work a moment later."""


class RefusedError(RegistryError):
    """The registry answered with a status that is no success; ``status`` is that."""

    def __init__(self, sentence: str, status: int) -> None:
        """Say what it refused."""
        super().__init__(sentence)
        self.status = status


@contextmanager
def explained(host: str) -> Iterator[None]:
    """Turn whatever a connection or an answer raises into a RegistryError that names the host."""
    try:
        yield
    except ElsewhereError as error:
        raise RegistryError(f"{host}: {error}; ask who runs it") from None
    except URLError as error:
        raise _explain(host, error.reason) from None
    except (HTTPException, OSError, ValueError) as error:  # ValueError: a header that is none
        raise _explain(host, error) from None


def _explain(host: str, reason: object) -> RegistryError:
    """Return the error for what a connection failed of."""
    if isinstance(reason, ssl.SSLCertVerificationError):
        return RegistryError(
            f"{host} has a certificate that cannot be trusted ({printable_text(reason.verify_message)}); if it is "
            "right, name the authority that signed it with --ca"
        )
    if isinstance(reason, ssl.SSLEOFError):
        return BrokenOffError(f"{host}: the connection broke; try again")
    if isinstance(reason, ssl.SSLError):
        return RegistryError(f"{host} does not answer with TLS; if that is meant, add --plain-http")
    if isinstance(reason, gaierror):
        return BrokenOffError(f"{host} has no address that this machine knows; check the name and the network")
    if isinstance(reason, TimeoutError):
        return BrokenOffError(f"{host} was silent for {SILENCE} seconds; try again")
    if isinstance(reason, OSError):
        return BrokenOffError(f"{host}: {reason.strerror or 'the connection broke'}; try again")
    words = shorten(printable_text(str(reason))) or "the connection broke"
    return BrokenOffError(f"{host}: {words}; try again")


def refuse(host: str, what: str, answer: HTTPResponse, advice: str = "") -> RefusedError:
    """Return the error for an answer that is no success; ``what`` was wanted. The answer is closed."""
    words = _read_words(answer)
    reason = shorten(printable_text(answer.reason or ""))
    told = f"{answer.status} {reason}".rstrip() + (f", {words}" if words else "")
    return RefusedError(f"{host} does not {what}: {told}{advice or '; ask who runs it'}", answer.status)


def _read_words(answer: HTTPResponse) -> str:
    """Return what a registry says of an error, as the specification has it; nothing of a page for a browser."""
    content = b""
    with suppress(RegistryError), answer, explained(""):
        content = answer.read(_LARGEST_WORDS)
    try:
        first = json.loads(content)["errors"][0]
        code, message = first.get("code"), first.get("message")
    except (ValueError, RecursionError, LookupError, TypeError, AttributeError):
        return ""
    words = [word for word in (code, message) if isinstance(word, str) and word]
    return shorten(printable_text(": ".join(words)))


def read_whole(host: str, answer: HTTPResponse, limit: int, what: str) -> bytes:
    """Return what an answer brings, and close it. Raises RegistryError when it is more than ``limit`` bytes."""
    content = bytearray()
    with answer, explained(host):
        while part := answer.read(min(limit + 1 - len(content), 1 << 16)):
            content += part
            if len(content) > limit:
                raise RegistryError(f"{host} gives {what} of more than {limit} bytes; ask who runs it")
    return bytes(content)
