"""What a person calls something in a registry, as Docker writes it: ``host[:port]/name[:tag][@sha256:digest]``."""

from __future__ import annotations

import re
from dataclasses import dataclass
from ipaddress import ip_address

from rtrace.errors import UsageError
from rtrace.printable import printable_text, shorten

DEFAULT_TAG = "latest"
DIGEST = re.compile(r"sha256:[0-9a-f]{64}\Z")
EXAMPLE = "registry.example.org/ada/study:1.0"
_HOST = re.compile(r"(?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*|\[[0-9a-f:]+\])\Z")
_PART = re.compile(r"[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*\Z")
_TAG = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}\Z")
_PORT = re.compile(r"[0-9]{1,5}\Z")
_LONGEST_NAME, _LONGEST_HOST, _HIGHEST_PORT = 255, 253, 65535
_HUB = frozenset({"docker.io", "index.docker.io"})
_HUB_ANSWERS_AT = "registry-1.docker.io"
HUB_KEY = "https://index.docker.io/v1/"
"""What Docker's own registry is called where credentials are kept."""


@dataclass(frozen=True, slots=True)
class Reference:
    """A place in a registry. ``host`` has the port, if one was named; ``tag`` is None where a digest alone was."""

    host: str
    repository: str
    tag: str | None
    digest: str | None

    @property
    def name(self) -> str:
        """Host and repository."""
        return f"{self.host}/{self.repository}"

    @property
    def wanted(self) -> str:
        """What its manifest is asked for by: the digest, which cannot change, before the tag."""
        return self.digest or self.tag or DEFAULT_TAG

    @property
    def address(self) -> str:
        """Host and port that answer."""
        return _HUB_ANSWERS_AT if self.host in _HUB else self.host

    @property
    def is_local(self) -> bool:
        """Whether its host is this machine, and says so."""
        host = split_host(self.host)[0]
        if host == "localhost" or host.endswith(".localhost"):
            return True
        try:
            return ip_address(host).is_loopback
        except ValueError:
            return False

    def __str__(self) -> str:
        """Return it as a person writes it."""
        tag = "" if self.tag is None else f":{self.tag}"
        digest = "" if self.digest is None else f"@{self.digest}"
        return f"{self.name}{tag}{digest}"

    def by_digest(self, digest: str) -> str:
        """Return the reference that always means the same content."""
        return f"{self.name}@{digest}"


def parse_reference(text: str) -> Reference:
    """Read a reference. Raises UsageError, which says what is wrong with it."""
    rest, at, digest = text.partition("@")
    if at and not DIGEST.match(digest):
        raise _refuse(text, "behind the @ belongs sha256: with 64 hexadecimal digits")
    host, slash, path = rest.partition("/")
    if not slash or not ("." in host or ":" in host or host.lower() == "localhost"):
        raise _refuse(text, "it does not begin with the host of a registry")
    repository, colon, tag = path.partition(":")
    if colon and not _TAG.match(tag):
        raise _refuse(text, "a tag has at most 128 letters, digits, dots, dashes and underscores")
    host = host.lower()
    bare, port = split_host(host)
    if not _HOST.match(f"[{bare}]" if ":" in bare else bare) or len(bare) > _LONGEST_HOST:
        raise _refuse(text, f"{shorten(printable_text(host))} is not a host")
    if port is not None and not (_PORT.match(port) and 0 < int(port) <= _HIGHEST_PORT):
        raise _refuse(text, f"{shorten(printable_text(port))} is not a port")
    if len(repository) > _LONGEST_NAME or not all(map(_PART.match, repository.split("/"))):
        raise _refuse(text, "a name has lower-case letters, digits, and single dots, dashes or underscores in it")
    if host in _HUB and "/" not in repository:
        repository = f"library/{repository}"
    return Reference(host, repository, tag or (None if digest else DEFAULT_TAG), digest or None)


def split_host(host: str) -> tuple[str, str | None]:
    """Return a host without its port and brackets, and the port if there is one."""
    if host.startswith("[") and "]" in host:
        bare, _, rest = host[1:].partition("]")
        return bare, rest[1:] if rest.startswith(":") else rest or None
    bare, colon, port = host.partition(":")
    return bare, port if colon else None


def _refuse(text: str, reason: str) -> UsageError:
    shown = shorten(printable_text(text)) or "an empty word"
    return UsageError(f"{shown} is not a reference: {reason}; write one such as {EXAMPLE}")
