"""Asking a registry: over TLS unless a person or a name of this machine says otherwise, with what it wants to see.

    request ──> 401? ──> credentials, or a token that the realm gives for them ──> the same request again
            ──> redirection? ──> where the guard allows, without the secret on another origin, five at most

See the OCI distribution specification, and RFC 6750 and Docker's token authentication for what comes with 401.
"""

from __future__ import annotations

import json
import ssl
from dataclasses import dataclass
from http.client import HTTPResponse
from typing import TYPE_CHECKING
from urllib.error import URLError
from urllib.parse import urlencode, urljoin, urlsplit
from urllib.request import OpenerDirector, ProxyHandler, Request

from rtrace import __version__
from rtrace.debugging import debug
from rtrace.elsewhere.guarding import SILENCE, PlainHandler, TlsHandler
from rtrace.errors import ElsewhereError, RegistryError, UsageError
from rtrace.registry.challenge import Challenge, read_challenges
from rtrace.registry.credentials import Credential, find_credential
from rtrace.registry.guard import RegistryGuard, find_origin, refuse_url
from rtrace.registry.problems import explained, read_whole, refuse
from rtrace.registry.reference import split_host

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from pathlib import Path

    from rtrace.registry.reference import Reference

MOST_REDIRECTIONS = 5
_REDIRECTIONS = frozenset({301, 302, 303, 307, 308})
UNAUTHORISED = 401
_LARGEST_TOKEN_ANSWER = 1 << 18
_LONGEST_TOKEN = 1 << 15
_CLIENT = "rtrace"


@dataclass(frozen=True, slots=True)
class Manner:
    """How a person wants a registry to be asked: without TLS, or trusting one authority more."""

    plain_http: bool = False
    ca: Path | None = None


USUAL = Manner()


class Client:
    """Asks one registry about one repository; ``guard`` has the time that is left for all of it."""

    def __init__(self, reference: Reference, manner: Manner = USUAL, *, to_push: bool = False) -> None:
        """Find out whether to ask with TLS. Raises UsageError for an authority that cannot be read."""
        self.reference = reference
        self.host = reference.host
        self.guard = RegistryGuard(split_host(reference.address)[0])
        self._scope = f"repository:{reference.repository}:{'pull,push' if to_push else 'pull'}"
        self._authorization: str | None = None
        self._credential: Credential | None = None
        self._base = self._find_base(manner)
        is_tls = self._base.startswith("https:")
        self._opener = _make_opener(self.guard, make_context(manner.ca) if is_tls else None)

    def locate(self, path: str) -> str:
        """Return the URL of something in the repository: ``manifests/TAG``, ``blobs/DIGEST``."""
        return f"{self._base}/v2/{self.reference.repository}/{path}"

    def ask(
        self,
        method: str,
        url: str,
        headers: Mapping[str, str] | None = None,
        body: Callable[[], Iterator[bytes]] | None = None,
        *,
        follow: bool = False,
    ) -> HTTPResponse:
        """Send a request and return the answer, whatever its status; who asks closes it.

        A body is made anew for each time that it is sent; ``headers`` tell its length. Raises RegistryError.
        """
        for _ in range(MOST_REDIRECTIONS + 1):
            answer = self._ask_authorised(method, url, headers or {}, body)
            if not follow or answer.status not in _REDIRECTIONS:
                return answer
            before, url = url, self.resolve(url, answer)
            debug(__name__, "%s: %d leads to %s", urlsplit(before).path, answer.status, find_origin(url))
        raise RegistryError(f"{self.host} redirects more than {MOST_REDIRECTIONS} times; ask who runs it")

    def resolve(self, url: str, answer: HTTPResponse) -> str:
        """Return where an answer leads, and close it. Raises RegistryError for where nobody goes."""
        with answer, explained(self.host):
            place = answer.headers.get("Location") or ""
            new = urljoin(url, place)
            if not place or not new.isascii() or not new.isprintable() or " " in new:
                raise ElsewhereError("the registry sends rtrace on to what is no URL")
            refuse_url(new, url)
            return new

    def _ask_authorised(
        self, method: str, url: str, headers: Mapping[str, str], body: Callable[[], Iterator[bytes]] | None
    ) -> HTTPResponse:
        """Send a request once, or a second time with what the registry wants to see."""
        is_own = find_origin(url) == find_origin(self._base)
        answer = self._send(method, url, self._add_secret(headers, is_own=is_own), body)
        if answer.status != UNAUTHORISED or not is_own:
            return answer
        wanted = read_challenges(answer.headers.get_all("WWW-Authenticate") or [])
        answer.close()
        self._authorise(wanted)
        answer = self._send(method, url, self._add_secret(headers, is_own=is_own), body)
        if answer.status == UNAUTHORISED:
            raise refuse(self.host, f"let you at {self.reference.repository}", answer, self._advise())
        return answer

    def _add_secret(self, headers: Mapping[str, str], *, is_own: bool) -> dict[str, str]:
        """Return the headers with the secret, where they go to the registry itself."""
        return {**headers, **({"Authorization": self._authorization} if self._authorization and is_own else {})}

    def _advise(self) -> str:
        """Return the end of a sentence on what to do about refused credentials."""
        if self._credential is None:
            return f"; log in with `docker login {self.host}` or `podman login {self.host}`"
        return f"; the credentials that are kept for {self.host} do not allow it: log in anew"

    def _send(
        self, method: str, url: str, headers: Mapping[str, str], body: Callable[[], Iterator[bytes]] | None
    ) -> HTTPResponse:
        """Send one request."""
        own = {"User-Agent": f"rtrace/{__version__}", "Accept-Encoding": "identity"}
        with explained(self.host):
            self.guard.wait()
            request = Request(  # noqa: S310 -- the opener has no handlers but those for HTTP
                url, data=None if body is None else body(), headers={**own, **headers}, method=method
            )
            answer = self._opener.open(request, timeout=SILENCE)
            if not isinstance(answer, HTTPResponse):
                raise ElsewhereError("it leads to what is neither http nor https")
        debug(__name__, "%s %s: %d", method, urlsplit(url).path, answer.status)
        return answer

    def _authorise(self, wanted: list[Challenge]) -> None:
        """Make the header that a registry wants to see. Raises RegistryError."""
        if self._credential is None:
            self._credential = find_credential(self.reference)
        credential = self._credential
        bearer = next((one for one in wanted if one.scheme == "bearer" and one.realm), None)
        if bearer is not None:
            self._authorization = f"Bearer {self._fetch_token(bearer, credential)}"
        elif any(one.scheme == "basic" for one in wanted) and credential is not None and not credential.token:
            self._authorization = credential.basic()
        elif credential is None:
            raise RegistryError(f"{self.host} wants to know who you are{self._advise()}")
        else:
            raise RegistryError(f"{self.host} wants credentials of a kind that rtrace does not know; ask who runs it")

    def _fetch_token(self, challenge: Challenge, credential: Credential | None) -> str:
        """Return a token for the repository: of this person, or of anybody where there are no credentials."""
        with explained(self.host):
            refuse_url(challenge.realm, self._base)
            realm, own = find_origin(challenge.realm), find_origin(self._base)
            if realm[0] != "https" and realm[:2] != own[:2]:
                raise ElsewhereError("the registry has its tokens made by another server, without TLS")
        fields = {"service": challenge.service, "scope": self._scope}
        headers = {"Accept": "application/json"}
        if credential is not None and credential.token:
            form = {**fields, "client_id": _CLIENT, "grant_type": "refresh_token", "refresh_token": credential.token}
            body = urlencode(form).encode("ascii")
            headers |= {"Content-Type": "application/x-www-form-urlencoded", "Content-Length": str(len(body))}
            answer = self._send("POST", challenge.realm, headers, lambda: iter((body,)))
        else:
            if credential is not None:
                headers["Authorization"] = credential.basic()
            sign = "&" if urlsplit(challenge.realm).query else "?"
            answer = self._send("GET", f"{challenge.realm}{sign}{urlencode(fields)}", headers, None)
        if answer.status != 200:  # noqa: PLR2004 -- HTTP's
            raise refuse(self.host, f"let you at {self.reference.repository}", answer, self._advise())
        return self._read_token(read_whole(self.host, answer, _LARGEST_TOKEN_ANSWER, "a token"))

    def _read_token(self, content: bytes) -> str:
        """Return the token of an answer. Raises RegistryError when there is none."""
        try:
            found = json.loads(content)
        except (ValueError, RecursionError):
            found = None
        token = (found.get("token") or found.get("access_token")) if isinstance(found, dict) else None
        if not isinstance(token, str) or not 0 < len(token) <= _LONGEST_TOKEN or not _is_one_word(token):
            raise RegistryError(f"{self.host} gives a token that is none; ask who runs it")
        return token

    def _find_base(self, manner: Manner) -> str:
        """Return scheme and host: on this machine, http where nothing answers with TLS."""
        address = self.reference.address
        if manner.plain_http:
            return f"http://{address}"
        if self.reference.is_local and manner.ca is None and not self._speaks_tls(f"https://{address}/v2/"):
            return f"http://{address}"
        return f"https://{address}"

    def _speaks_tls(self, url: str) -> bool:
        """Whether a server on this machine answers with TLS; no certificate is trusted, and nothing is said."""
        opener = _make_opener(self.guard, ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT))
        try:
            opener.open(Request(url, method="HEAD"), timeout=SILENCE).close()  # noqa: S310 -- as above
        except URLError as error:
            if isinstance(error.reason, ssl.SSLCertVerificationError):
                return True
            if isinstance(error.reason, (ssl.SSLError, ConnectionResetError)):
                return False
            with explained(self.host):
                raise
        except (OSError, ValueError, ElsewhereError):  # what is wrong is told by the first real question
            return True
        return True


def make_context(ca: Path | None) -> ssl.SSLContext:
    """Return how certificates are judged: by the authorities of this machine (SSL_CERT_FILE), and by one more."""
    context = ssl.create_default_context()
    if ca is not None:
        try:
            context.load_verify_locations(cafile=ca)
        except ssl.SSLError:
            raise UsageError(f"{ca} has no certificate in it; name a file of certificates in PEM with --ca") from None
        except OSError as error:
            raise UsageError(
                f"cannot read {ca}: {error.strerror}; name a file of certificates in PEM with --ca"
            ) from None
    return context


def _make_opener(guard: RegistryGuard, context: ssl.SSLContext | None) -> OpenerDirector:
    """Make what asks over HTTP and follows nothing by itself; the proxies are those of the environment.

    Without a ``context`` certificates are judged as this machine does, once one has to be.
    """
    opener = OpenerDirector()
    for handler in (ProxyHandler(), PlainHandler(guard), TlsHandler(guard, context)):
        opener.add_handler(handler)
    return opener


def _is_one_word(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
