"""Names in texts, replaced by their pseudonyms and found again."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.privacy.rules.rule import ANYWHERE, NOTHING, Rule
from rtrace.privacy.searching.matching import Matcher

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.privacy.anonymous.pseudonyms import Pseudonyms
    from rtrace.privacy.searching.matching import Span

_EDGE = 1 << 10
"""Bytes in which two parts of a text overlap: more than a name has."""
_LONG = 6
"""A name of so many bytes is replaced within longer words as well."""
CONNECTION_VARIABLES = (b"SSH_CLIENT", b"SSH_CONNECTION")
"""Variables with the address that somebody logged in from."""
_CONNECTIONS = re.compile(rb"(?:\A|(?<=\0))(" + b"|".join(CONNECTION_VARIABLES) + rb")=[^\0]*")


class PersonalNames:
    """The names of a user and a host, which are looked for in texts."""

    def __init__(self, pseudonyms: Pseudonyms) -> None:
        self._pseudonyms = {
            Rule("name", "a name", ANYWHERE, _make_pattern(name), (name.lower(),), NOTHING, 1): pseudonym
            for name, pseudonym in pseudonyms.names.items()
        }
        self._short = pseudonyms.short
        self._matcher = Matcher(self._pseudonyms)

    def replace(self, text: bytes, *, in_paths: bool = False) -> bytes:
        """Return a text with pseudonyms; with ``in_paths`` only where a name begins a component of a path."""
        spans = self._find(text, in_paths=in_paths)
        if not spans:
            return text
        done, parts = 0, []
        for span in sorted(spans, key=lambda span: (span.begin, -span.end)):
            if span.begin >= done:
                parts += [text[done : span.begin], _in_case(text[span.begin : span.end], self._pseudonyms[span.rule])]
                done = span.end
        return b"".join((*parts, text[done:]))

    def replace_in_parts(self, parts: Iterator[bytes], *, in_paths: bool = False) -> Iterator[bytes]:
        """Yield a text that comes in parts with pseudonyms."""
        for text, begin, end in _overlap(parts):
            yield self.replace(text, in_paths=in_paths)[begin:end]

    def occur_in(self, parts: Iterator[bytes], *, in_paths: bool = False) -> bool:
        """Whether a name occurs in a text that comes in parts."""
        for text, begin, end in _overlap(parts):
            for span in self._find(text, in_paths=in_paths):
                # At an edge it may be part of a longer word; the next text, or the one before, has all of that word.
                if (span.begin or not begin) and (span.end < len(text) or end == len(text)):
                    return True
        return False

    def replace_value(self, value: bytes) -> bytes:
        """Return the pseudonym of a value that is a short name as a whole, else the value."""
        return self._short.get(value, value)

    def replace_hostname(self, hostname: str) -> str:
        """Return the pseudonym of a host whose name is short, else its name."""
        return os.fsdecode(self.replace_value(os.fsencode(hostname)))

    def replace_variable(self, name: bytes, value: bytes | None) -> bytes | None:
        """Return the value of a variable without addresses of logins and short names."""
        return b"redacted" if name in CONNECTION_VARIABLES else value and self.replace_value(value)

    def replace_environment(self, blob: bytes) -> bytes:
        """Return variables, each with a NUL behind it, without addresses of logins and short names."""
        items = (item.partition(b"=") for item in blob.split(b"\0"))
        return _CONNECTIONS.sub(
            rb"\1=redacted", b"\0".join(name + equals + self.replace_value(value) for name, equals, value in items)
        )

    def _find(self, text: bytes, *, in_paths: bool) -> list[Span]:
        spans = self._matcher.find(text, is_head=False)
        return [span for span in spans if text[span.begin - 1 : span.begin] == b"/"] if in_paths else spans


def _overlap(parts: Iterator[bytes]) -> Iterator[tuple[bytes, int, int]]:
    """Yield texts that overlap, each with the range of it that no other text covers."""
    tail, own = b"", 0
    following = next(parts, b"")
    while following:
        text, following = tail + following, next(parts, b"")
        end = len(text) if not following else max(own, len(text) - _EDGE)
        yield text, own, end
        tail = text[max(0, end - _EDGE) :]
        own = end - max(0, end - _EDGE)


def _make_pattern(name: bytes) -> re.Pattern[bytes]:
    """Return the pattern of a name: a short one is a whole word."""
    escaped = re.escape(name)
    if len(name) < _LONG:
        escaped = rb"(?<![A-Za-z0-9])" + escaped + rb"(?![A-Za-z0-9])"
    return re.compile(escaped, re.IGNORECASE)


def _in_case(original: bytes, pseudonym: bytes) -> bytes:
    """Return a pseudonym in capital or small letters, as the name has them."""
    if original.isupper():
        return pseudonym.upper()
    return pseudonym.capitalize() if original[:1].isupper() and not original[1:2].isupper() else pseudonym
