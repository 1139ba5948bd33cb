"""How a registry says what it wants to see: the header WWW-Authenticate, RFC 9110."""

from __future__ import annotations

import re
from dataclasses import dataclass

_LONGEST = 8192
_SCHEME = re.compile(r"\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)(?:\s+|\Z)(?!=)")
_PARAMETER = re.compile(r'\s*,?\s*([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s,"]+))')


@dataclass(frozen=True, slots=True)
class Challenge:
    """What is wanted: ``basic``, or a ``bearer`` token that the realm gives for the service."""

    scheme: str
    realm: str = ""
    service: str = ""


def read_challenges(headers: list[str]) -> list[Challenge]:
    """Return what the headers ask for, in their order; what cannot be read is left out."""
    found = []
    for header in headers:
        text, place = header[:_LONGEST], 0
        while match := _SCHEME.match(text, place):
            place = match.end()
            parameters = {}
            while one := _PARAMETER.match(text, place):
                quoted = one[2]
                parameters[one[1].lower()] = one[3] if quoted is None else re.sub(r"\\(.)", r"\1", quoted)
                place = one.end()
            found.append(Challenge(match[1].lower(), parameters.get("realm", ""), parameters.get("service", "")))
    return found
