"""Python's literals as data: what `repr` wrote of dictionaries, lists, texts and numbers. Nothing is evaluated."""

from __future__ import annotations

import ast
import re

from rtrace.record.foreign.source.problem import Unreadable

MOST_CHARACTERS = 8 << 20
_DEEPEST = 50
_LONGEST_NUMBER = 40
_TOKEN = re.compile(
    r"""\s*(?:(?P<string>[rRbBuU]{0,2}(?:'(?:[^'\\\n]|\\.)*'|"(?:[^"\\\n]|\\.)*"))"""
    r"""|(?P<number>[+-]?(?:\d[\d_]*\.?\d*|\.\d+)(?:[eE][+-]?\d+)?)"""
    r"""|(?P<word>[A-Za-z_]\w*)|(?P<sign>[\[\](){}:,]))""",
    re.DOTALL,
)
_WORDS: dict[str, object] = {"None": None, "True": True, "False": False, "nan": "nan", "inf": "inf", "null": None}
_CLOSING = {"[": "]", "(": ")", "{": "}"}


def read_literal(text: str) -> object:
    """Return the value that a text stands for. Raises Unreadable when it is none."""
    if len(text) > MOST_CHARACTERS:
        raise Unreadable("a value in it is too long")
    reader = _Reader(text)
    value = reader.read(0)
    if text[reader.place :].strip():
        raise Unreadable("a value in it is followed by something else")
    return value


class _Reader:
    """Goes through a text token by token."""

    def __init__(self, text: str) -> None:
        self._text = text
        self.place = 0

    def read(self, depth: int) -> object:
        """Return the value at this place."""
        if depth > _DEEPEST:
            raise Unreadable("a value in it is nested too deeply")
        kind, token = self._take()
        if kind == "string":
            parts = [_read_string(token)]
            while self._see() == "string":
                parts.append(_read_string(self._take()[1]))
            return "".join(parts)
        if kind == "number":
            return _read_number(token)
        if kind == "word" and token in _WORDS:
            return _WORDS[token]
        if kind == "word":
            raise Unreadable(f"a value in it calls {token[:40]}")
        if token not in _CLOSING:
            raise Unreadable(f"a value in it has {token} where a value should be")
        return self._read_group(token, depth)

    def _read_group(self, opening: str, depth: int) -> object:
        """Return what is between two brackets: a dictionary when its first item has a colon."""
        closing = _CLOSING[opening]
        items: list[object] = []
        pairs: dict[str, object] = {}
        while not self._skip(closing):
            item = self.read(depth + 1)
            if opening == "{" and self._skip(":"):
                pairs[item if isinstance(item, str) else repr(item)] = self.read(depth + 1)
            else:
                items.append(item)
            if not self._skip(","):
                if not self._skip(closing):
                    raise Unreadable(f"a value in it lacks {closing}")
                break
        if items and pairs:
            raise Unreadable("a value in it is half a dictionary")
        return pairs if pairs or (opening == "{" and not items) else items

    def _take(self) -> tuple[str, str]:
        match = _TOKEN.match(self._text, self.place)
        if match is None or match.lastgroup is None:
            raise Unreadable("a value in it is not as Python writes it")
        self.place = match.end()
        return match.lastgroup, match[match.lastgroup]

    def _see(self) -> str | None:
        match = _TOKEN.match(self._text, self.place)
        return None if match is None else match.lastgroup

    def _skip(self, sign: str) -> bool:
        match = _TOKEN.match(self._text, self.place)
        if match is None or match["sign"] != sign:
            return False
        self.place = match.end()
        return True


def _read_string(token: str) -> str:
    try:
        value = ast.literal_eval(token)  # one token, which the pattern knows to be a string
    except (ValueError, SyntaxError):
        raise Unreadable("a text in it is not as Python writes it") from None
    return value.decode("utf-8", "surrogateescape") if isinstance(value, bytes) else str(value)


def _read_number(token: str) -> object:
    if len(token) > _LONGEST_NUMBER:
        return token
    try:
        return int(token)
    except ValueError:
        try:
            return float(token)
        except ValueError:
            return token
