"""The patterns of a manifest's ``exclude`` and ``include``.

``?`` stands for a byte and ``*`` for any number of them within a name, ``**`` crosses slashes, ``[a-z]`` and ``[!a-z]``
are sets, a backslash takes the meaning of the next byte. A pattern without a slash at its beginning may begin at any
folder. What matches stands for all that lies below it.

A pattern may come with a bundle, and then it is whatever its author wanted: matching takes time that is linear in the
length of the path. The module re tries every way in which wildcards can share a path between them, so it gets only
patterns in which there is one way (`Expression`); the others are run as an automaton (`Automaton`).
"""

from __future__ import annotations

import re
from enum import Enum
from itertools import chain, groupby
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOKEN = re.compile(rb"\*\*/?|\*|\?|\[[!^]?\]?[^\]/]{0,512}\]|\\.|.", re.DOTALL)
_SPECIAL = re.compile(rb"[*?\[\\]")
_SLASH = frozenset(b"/")
_NAME = frozenset(range(256)) - _SLASH


class Wildcard(Enum):
    """What stands for any number of bytes: within a name, of all kinds, or none or those up to a slash."""

    WITHIN = "*"
    ACROSS = "**"
    FOLDERS = "**/"


Token = Wildcard | frozenset[int]
"""A wildcard, or the bytes one of which has to come."""
_WILDCARDS = {wildcard.value.encode(): wildcard for wildcard in Wildcard}


class Patterns:
    """Some patterns, compiled."""

    def __init__(self, patterns: Iterable[bytes]) -> None:
        expressions = []
        self._automata = []
        for number, pattern in enumerate(patterns):
            tokens, is_open = parse(pattern)
            if has_one_way(tokens):
                end = b"" if is_open else b"(?:/|\\Z)"
                expressions.append(b"".join(translate(tokens, b"p%d_" % number)) + end)
            else:
                self._automata.append(Automaton(tokens, is_open=is_open))
        self._expression = re.compile(b"(?s:" + b"|".join(expressions) + b")") if expressions else None

    def match(self, path: bytes) -> bool:
        """Whether a pattern matches an absolute path, or a folder that the path lies in."""
        if self._expression is not None and self._expression.match(path) is not None:
            return True
        return bool(self._automata) and any(automaton.match(path) for automaton in self._automata)


def fixed_beginning(pattern: bytes) -> bytes:
    """Return the folder below which everything lies that an absolute pattern can match, or the path that it is."""
    special = _SPECIAL.search(pattern)
    if special is None:
        return pattern.rstrip(b"/") or b"/"
    return pattern[: special.start()].rpartition(b"/")[0] or b"/"


def parse(pattern: bytes) -> tuple[tuple[Token, ...], bool]:
    """Return the tokens of a pattern, and whether what they match may go on in any way."""
    if not pattern.startswith(b"/"):
        pattern = b"/**/" + pattern
    found = chain.from_iterable(map(_read_token, _TOKEN.findall(pattern.rstrip(b"/"))))
    tokens = list(_simplify(found))
    is_open = bool(tokens) and tokens[-1] in {Wildcard.WITHIN, Wildcard.ACROSS}
    return tuple(tokens[:-1] if is_open else tokens), is_open


def _read_token(token: bytes) -> Iterable[Token]:
    if token in _WILDCARDS:
        return (_WILDCARDS[token],)
    if token == b"?":
        return (_NAME,)
    if token.startswith(b"[") and len(token) > 1:
        content = token[2:-1] if token[1:2] in {b"!", b"^"} else token[1:-1]
        return (_read_set(content, negated=token[1:2] in {b"!", b"^"}),) if content else map(_read_byte, token)
    return (_read_byte(token[-1]),)


def _read_byte(byte: int) -> Token:
    return frozenset({byte})


def _read_set(content: bytes, *, negated: bool) -> frozenset[int]:
    """Read what is in the brackets of a set. A range that runs backwards holds nothing, as in a shell."""
    found: set[int] = set()
    for first, last, single in re.findall(rb"(?s)(.)-(.)|(.)", content):
        found.update(single or range(first[0], last[0] + 1))
    return _NAME - found if negated else frozenset(found - _SLASH)


def _simplify(tokens: Iterable[Token]) -> Iterator[Token]:
    """Leave out wildcards that add nothing to the one before."""
    before: Token | None = None
    for token in tokens:
        if isinstance(token, Wildcard) and isinstance(before, Wildcard):
            if Wildcard.ACROSS in {before, token} or (before, token) == (Wildcard.FOLDERS, Wildcard.WITHIN):
                before = Wildcard.ACROSS
                continue
            if before is token:
                continue
        if before is not None:
            yield before
        before = token
    if before is not None:
        yield before


def has_one_way(tokens: tuple[Token, ...]) -> bool:
    """Whether wildcards cannot share a path between them: ``**`` alone, or none or one ``**/`` before a name."""
    wildcards = [token for token in tokens if isinstance(token, Wildcard)]
    if Wildcard.ACROSS in wildcards:
        return len(wildcards) == 1
    if Wildcard.FOLDERS not in wildcards:
        return True
    return wildcards.count(Wildcard.FOLDERS) == 1 and tokens[tokens.index(Wildcard.FOLDERS) - 1] == _SLASH


def translate(tokens: tuple[Token, ...], group: bytes) -> Iterator[bytes]:
    """Write tokens that have one way as a regular expression, whose groups begin with a name.

    Of several wildcards in a name, the bytes after all but the last one are taken where they come first, for good: a
    look-ahead is not gone back into.
    """
    place = 0
    while place < len(tokens):
        token = tokens[place]
        following = place + 1
        if token is Wildcard.WITHIN:
            while following < len(tokens) and tokens[following] not in {Wildcard.WITHIN, Wildcard.FOLDERS, _SLASH}:
                following += 1
            content = b"".join(_translate_token(other) for other in tokens[place + 1 : following])
            if following < len(tokens) and tokens[following] is Wildcard.WITHIN:
                name = group + b"%d" % place
                yield b"(?=(?P<%b>[^/]*?%b))(?P=%b)" % (name, content, name)
            else:
                yield b"[^/]*" + content
        else:
            yield _translate_token(token)
        place = following


def _translate_token(token: Token) -> bytes:
    if isinstance(token, Wildcard):
        return b"(?:.*/)?" if token is Wildcard.FOLDERS else b".*"
    if len(token) == 1:
        return re.escape(bytes(token))
    if token == _NAME:
        return b"[^/]"
    return b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(token)) + b"]" if token else b"(?!)"


def _bytes_of(token: Token) -> bytes:
    """Return the bytes one of which has to come; nothing for a wildcard."""
    return b"" if isinstance(token, Wildcard) else bytes(token)


class Automaton:
    """A pattern as a set of places in it, a bit each, which every byte of a path moves on."""

    def __init__(self, tokens: tuple[Token, ...], *, is_open: bool) -> None:
        self._is_open = is_open
        self._moving = [0] * 256
        self._staying = [0] * 256
        self._skipped = self._twice = 0
        place = 0
        for token in tokens:
            bit = 1 << place
            if isinstance(token, frozenset):
                for byte in token:
                    self._moving[byte] |= bit
            else:
                self._skipped |= bit
                if token is Wildcard.FOLDERS:  # two places: before it, from where it may be left out, and in it
                    self._twice |= bit
                    place += 1
                    bit <<= 1
                    self._moving[b"/"[0]] |= bit
                for byte in _NAME if token is Wildcard.WITHIN else range(256):
                    self._staying[byte] |= bit
            place += 1
        self._end = 1 << place
        self._first = self._close(1)
        runs = (list(run) for single, run in groupby(tokens, lambda token: len(_bytes_of(token)) == 1) if single)
        self._needed = max((b"".join(map(_bytes_of, run)) for run in runs), key=len, default=b"")

    def match(self, path: bytes) -> bool:
        """Whether the pattern matches a path, or a folder that it lies in."""
        if self._needed not in path:  # the usual end
            return False
        moving, staying, end = self._moving, self._staying, self._end
        places = self._first
        for byte in path:
            if places & end and (self._is_open or byte == b"/"[0]):
                return True
            places = self._close((places & moving[byte]) << 1 | places & staying[byte])
            if not places:
                return False
        return bool(places & end)

    def _close(self, places: int) -> int:
        """Add the places behind wildcards that stand for nothing; no more than two of these follow each other."""
        for _ in range(2):
            skipping = places & self._skipped
            places |= skipping << 1 | (skipping & self._twice) << 2
        return places
