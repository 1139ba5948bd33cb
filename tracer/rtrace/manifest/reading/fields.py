"""Typed readings of nodes: each gives the value, or raises ManifestError with line, column and what is wanted there."""

from __future__ import annotations

import re
from base64 import b64decode
from binascii import Error as Base64Error
from difflib import get_close_matches
from itertools import islice
from math import isfinite
from typing import TYPE_CHECKING

from rtrace.manifest.reading.nodes import Mapping, Node, Position, Scalar, Sequence
from rtrace.printable import printable, shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import TypeVar

    T = TypeVar("T")

_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]{0,18})\Z")
_OCTAL = re.compile(r"(?:0o)?[0-7]{1,5}\Z")
_SHOWN = 40
_URL_LIMIT = 8192
_CLOSE_LENGTH, _CLOSE_NUMBER = 100, 1000
_PATH_LIMIT = 4095
_PATTERN_LIMIT = 4 * _PATH_LIMIT
"""Bytes; every one of a path can be a set of its own, but nobody writes that."""
_TYPOGRAPHIC = tuple(quote.encode() for quote in "\u201c\u201d\u201e\u2018\u2019\u00ab")
_DIGEST = re.compile(r"[0-9a-f]{64}\Z")
_URL = re.compile(r"(?:https?://[!-.0-~]|file:///)[!-~]*\Z")


def find_close(name: str, known: Iterable[str]) -> list[str]:
    """Return the known name that is most like another, in a list, if one is; neither of long names nor of many."""
    if len(name) > _CLOSE_LENGTH:
        return []
    few = [other for other in islice(known, _CLOSE_NUMBER) if len(other) <= _CLOSE_LENGTH]
    return get_close_matches(name, few, 1)


class Fields:
    """The pairs of a mapping, taken one by one; what is left over is an unknown key."""

    def __init__(self, node: Node, known: tuple[str, ...], what: str) -> None:
        self.place: Position = node.place
        self._what = what
        self._found: dict[str, Node] = {}
        if not isinstance(node, Mapping):
            raise node.place.error(f"{what} has to be a mapping, with the keys {', '.join(known)}")
        for key, value in node.pairs:
            if key.value not in known:
                close = find_close(key.value, known)
                advice = f"did you mean {close[0]}?" if close else f"known are {', '.join(known)}"
                raise key.place.error(f"{what} has no key {shorten(key.value)!r}; {advice}")
            if key.value in self._found:
                raise key.place.error(f"the key {shorten(key.value)!r} occurs twice")
            self._found[key.value] = value

    def take(self, key: str, read: Callable[[Node], T]) -> T:
        """Read the value of a key that must be there."""
        if key not in self._found:
            raise self.place.error(f"{self._what} lacks the key {key!r}")
        return read(self._found[key])

    def take_or(self, key: str, read: Callable[[Node], T], default: T) -> T:
        """Read the value of a key that may be absent."""
        return read(self._found[key]) if key in self._found else default


def _scalar(node: Node, what: str) -> Scalar:
    if not isinstance(node, Scalar):
        kind = "a list" if isinstance(node, Sequence) else "a mapping"
        raise node.place.error(f"{what} is expected here, not {kind}")
    return node


def _show(scalar: Scalar) -> str:
    """Show what stands in the place of a number or a word; quotes matter there."""
    shown = scalar.value[:_SHOWN]
    return repr(shown) if scalar.plain else f'"{_escape(shown)}" in quotes'


def _escape(text: str) -> str:
    """Show text of the manifest in a message, on one line and without what a terminal would obey."""
    return printable(text.encode("utf-8", "surrogatepass"))


def string(node: Node) -> str:
    """Read text."""
    scalar = _scalar(node, "a string")
    if scalar.binary:
        raise scalar.place.error("text is expected here, not !!binary")
    if scalar.plain and scalar.value in {"", "~"}:
        raise scalar.place.error(
            'a string is expected here; write "" for an empty one, and quote one with a # in front'
        )
    if "\0" in scalar.value:
        raise scalar.place.error("a string may not hold a NUL character")
    return scalar.value


def byte_string(node: Node) -> bytes:
    """Read bytes: text, meaning its UTF-8, or ``!!binary``."""
    scalar = _scalar(node, "a string")
    if not scalar.binary:
        try:
            return string(scalar).encode()
        except UnicodeEncodeError:
            raise scalar.place.error("a surrogate is not a character; use !!binary") from None
    try:
        value = b64decode("".join(scalar.value.split()), validate=True)
    except (Base64Error, ValueError):
        raise scalar.place.error("what follows !!binary is not base64") from None
    if b"\0" in value:
        raise scalar.place.error("a string may not hold a NUL byte")
    return value


def program(node: Node) -> bytes:
    """Read the name of a file to execute: an absolute path, or one from the working directory."""
    value = byte_string(node)
    if not 0 < len(value) <= _PATH_LIMIT:
        raise node.place.error(f"the file of a program is expected here; its path has at most {_PATH_LIMIT} bytes")
    return value


def path(node: Node) -> bytes:
    """Read an absolute path."""
    value = byte_string(node)
    if len(value) > _PATH_LIMIT:
        raise node.place.error(f"a path has at most {_PATH_LIMIT} bytes")
    if not value.startswith(b"/"):
        advice = "; ~ and variables are not replaced" if value.startswith((b"~", b"$")) else ""
        if value.startswith(_TYPOGRAPHIC):
            advice = "; the quotes of YAML are \" and '"
        raise node.place.error(f"a path that begins with / is expected here{advice}")
    return value


def pattern(node: Node) -> bytes:
    """Read a pattern of paths."""
    value = byte_string(node)
    if len(value) > _PATTERN_LIMIT:
        raise node.place.error(f"a pattern has at most {_PATTERN_LIMIT} bytes")
    return value


def absolute_pattern(node: Node) -> bytes:
    """Read a pattern that begins with a slash."""
    return pattern(node) if pattern(node).startswith(b"/") else path(node)


def url(node: Node) -> str:
    """Read the URL of something that can be fetched."""
    value = string(node)
    if len(value) > _URL_LIMIT:
        raise node.place.error(f"a URL has at most {_URL_LIMIT} characters")
    if not _URL.match(value):
        raise node.place.error("a URL that begins with https://, http:// or file:/// is expected here, without spaces")
    return value


def integer(node: Node) -> int:
    """Read a decimal integer."""
    scalar = _scalar(node, "a number")
    if not scalar.plain or scalar.binary or not _INTEGER.match(scalar.value):
        raise scalar.place.error(f"a whole number is expected here, not {_show(scalar)}")
    return int(scalar.value)


def count(node: Node) -> int:
    """Read an integer that is not negative."""
    value = integer(node)
    if value < 0:
        raise node.place.error("a number that is not negative is expected here")
    return value


def octal(node: Node) -> int:
    """Read permission bits in octal digits."""
    scalar = _scalar(node, "a number in octal digits")
    if scalar.binary or not _OCTAL.match(scalar.value) or int(scalar.value, 8) > 0o7777:  # noqa: PLR2004
        raise scalar.place.error('octal digits up to "7777" are expected here')
    return int(scalar.value, 8)


def number(node: Node) -> float:
    """Read a finite number."""
    scalar = _scalar(node, "a number")
    try:
        value = float(scalar.value) if scalar.plain and not scalar.binary and "_" not in scalar.value else None
    except ValueError:
        value = None
    if value is None or not isfinite(value):
        raise scalar.place.error(f"a number is expected here, not {scalar.value[:40]!r}")
    return value


def boolean(node: Node) -> bool:
    """Read true or false."""
    scalar = _scalar(node, "true or false")
    if not scalar.plain or scalar.value not in {"true", "false"}:
        raise scalar.place.error(f"true or false is expected here, not {_show(scalar)}")
    return scalar.value == "true"


def digest(node: Node) -> str:
    """Read a SHA-256."""
    value = string(node)
    if not _DIGEST.match(value):
        raise node.place.error("64 hexadecimal digits in small letters are expected here")
    return value


def _say_how(node: Node) -> str:
    """Return how a list would be written, where another thing is."""
    if isinstance(node, Mapping):
        return "; begin each item with a dash and a space"
    if isinstance(node, Scalar) and node.value.startswith("-"):
        return "; a space is missing after the dash"
    if isinstance(node, Scalar) and node.plain and len(node.value) <= _SHOWN:
        return f": [{_escape(node.value)}]"
    return ", in brackets or an item a line"


def items(read: Callable[[Node], T]) -> Callable[[Node], tuple[T, ...]]:
    """Make the reading of a list from that of an item; a key with nothing after it is an empty list."""

    def read_items(node: Node) -> tuple[T, ...]:
        if isinstance(node, Scalar) and node.plain and not node.value:
            return ()
        if not isinstance(node, Sequence):
            raise node.place.error(f"a list is expected here{_say_how(node)}")
        return tuple(read(item) for item in node.items)

    return read_items
