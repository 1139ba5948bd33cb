"""What another tool said, as JSON can hold it, and as a document can: bounded, finite, in text that is text."""

from __future__ import annotations

import math
import re
from datetime import datetime, timedelta, timezone
from typing import TYPE_CHECKING

from rtrace.record.foreign.source.pickles import Node
from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from collections.abc import Iterable

MOST_VALUES = 5_000_000
MOST_CHARACTERS = 1 << 30
_DEEPEST = 100
_NO_BYTES = re.compile("[\ud800-\udc7f\udd00-\udfff]")
_DATE_BYTES = 10
_SETS = {"builtins.set", "builtins.frozenset", "builtins.list", "builtins.tuple", "collections.deque"}
_MAPPINGS = {"builtins.dict", "collections.OrderedDict", "collections.defaultdict"}


class Plain:
    """Turns values into JSON, as many as are allowed in all: a value that is used twice is written twice.

    So a megabyte that a million runs share is a terabyte, and refused.
    """

    def __init__(self, left: int = MOST_VALUES) -> None:
        self._left = left
        self._characters = MOST_CHARACTERS
        self._open: set[int] = set()

    def convert(self, value: object) -> object:
        """Return a value as JSON has it. A node becomes its state, with its name as `type`."""
        self._left -= 1
        if self._left < 0:
            raise Unreadable("it holds too many values")
        if value is None or isinstance(value, (bool, int)):
            return value
        if isinstance(value, str):
            return self._count(clean_text(value))
        if isinstance(value, float):
            return value if math.isfinite(value) else str(value)
        if isinstance(value, (bytes, bytearray)):
            return self._count(bytes(value).decode("utf-8", "surrogateescape"))
        if id(value) in self._open:
            return {"again": _name(value)}
        if len(self._open) > _DEEPEST:
            raise Unreadable("it is nested too deeply")
        self._open.add(id(value))
        try:
            return self._convert_group(value)
        finally:
            self._open.discard(id(value))

    def _count(self, text: str) -> str:
        self._characters -= len(text)
        if self._characters < 0:
            raise Unreadable("it holds too much text, counted wherever it is used")
        return text

    def _convert_group(self, value: object) -> object:
        if isinstance(value, dict):
            return self._convert_pairs(value.items())
        if isinstance(value, (list, tuple)):
            return [self.convert(item) for item in value]
        if not isinstance(value, Node):
            raise Unreadable("it holds a value of an unknown kind")
        when = read_datetime(value)
        if when is not None:
            return when.isoformat(" ")
        if value.name in _SETS:
            arguments = value.arguments if isinstance(value.arguments, tuple) else ()
            given = arguments[0] if arguments and isinstance(arguments[0], (list, tuple)) else ()
            return [self.convert(item) for item in (*given, *value.items)]
        if value.name in _MAPPINGS:
            return self._convert_pairs(value.pairs)
        return self._convert_node(value)

    def _convert_node(self, node: Node) -> dict[str, object]:
        made: dict[str, object] = {"type": clean_text(node.name)}
        if node.arguments not in ((), None):
            made["arguments"] = self.convert(node.arguments)
        if isinstance(node.state, dict):
            made.update(self._convert_pairs(node.state.items()))
        elif node.state is not None:
            made["state"] = self.convert(node.state)
        if node.pairs:
            made["pairs"] = self._convert_pairs(node.pairs)
        if node.items:
            made["items"] = self.convert(node.items)
        return made

    def _convert_pairs(self, pairs: Iterable[tuple[object, object]]) -> dict[str, object]:
        return {self._count(_text(key)): self.convert(item) for key, item in pairs}


def clean_text(text: str) -> str:
    """Return a text without halves of characters that no file's name has, either: each becomes U+FFFD."""
    try:
        text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return _NO_BYTES.sub("\ufffd", text)
    return text


def read_datetime(value: object) -> datetime | None:
    """Return the time that a node stands for; None for everything else. Without a zone it is UTC."""
    if not isinstance(value, Node) or value.name != "datetime.datetime" or not isinstance(value.arguments, tuple):
        return None
    raw = value.arguments[0] if value.arguments else None
    raw = raw.encode("latin-1", "replace") if isinstance(raw, str) else raw  # Python 2
    if not isinstance(raw, bytes) or len(raw) != _DATE_BYTES:
        return None
    zone = _read_zone(value.arguments[1] if len(value.arguments) > 1 else None)
    year, month, micro = raw[0] << 8 | raw[1], raw[2] & 0x7F, int.from_bytes(raw[7:], "big")
    try:
        return datetime(year, month, raw[3], raw[4], raw[5], raw[6], micro, zone)
    except (ValueError, OverflowError):
        return None


def _read_zone(value: object) -> timezone:
    """Return the zone of a time: `timezone(timedelta(days, seconds, microseconds))`, else UTC."""
    if isinstance(value, Node) and value.name == "datetime.timezone" and isinstance(value.arguments, tuple):
        offset = value.arguments[0] if value.arguments else None
        if isinstance(offset, Node) and offset.name == "datetime.timedelta" and isinstance(offset.arguments, tuple):
            try:
                return timezone(timedelta(*(number for number in offset.arguments[:3] if isinstance(number, int))))
            except (ValueError, OverflowError):
                return timezone.utc
    return timezone.utc


def _text(key: object) -> str:
    if isinstance(key, bytes):
        return key.decode("utf-8", "surrogateescape")
    return clean_text(key.name if isinstance(key, Node) else str(key))


def _name(value: object) -> str:
    return value.name if isinstance(value, Node) else type(value).__name__
