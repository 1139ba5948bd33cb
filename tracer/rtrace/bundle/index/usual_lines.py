"""The lines of an index as rtrace writes nearly all of them, read without a parser of JSON: in a third of the time.

What differs from that in any way, if only by a space or an escape, is None here, and left to the parser.
"""

from __future__ import annotations

import re
from sys import intern
from typing import TYPE_CHECKING

from rtrace.bundle.entry import Entry, FileType, Result

if TYPE_CHECKING:
    from collections.abc import Callable

_TEXT = rb'"([^"\\\x00-\x1f]*)"'
_NUMBER = rb"(0|[1-9][0-9]{0,18})"
_SIGNED = rb"(0|-?[1-9][0-9]{0,18})"
_DIGEST = rb'"([0-9a-f]{64})"'
_TYPES = {kind.value.encode(): kind for kind in FileType}
_TYPES_OR_NULL = {b"null": None, **{b'"%b"' % name: kind for name, kind in _TYPES.items()}}
_WORDS_LIMIT = 1 << 14


def _line(*keys: tuple[str, bytes, bool]) -> Callable[[bytes], re.Match[bytes] | None]:
    """Compile a line with keys in this order, each with what its value looks like, and whether it has to be there."""
    pairs = (
        b'(?:"%b":%b,)%b' % (key.encode(), value, b"" if is_needed else b"?") for key, value, is_needed in keys[:-1]
    )
    last, value, _ = keys[-1]
    return re.compile(rb'\{%b"%b":%b\}' % (b"".join(pairs), last.encode(), value)).fullmatch


_match_entry = _line(
    ("belonging", _TEXT, False),
    ("blocks", _NUMBER, False),
    ("copy_of", _TEXT, False),
    ("elsewhere", b"(true)", False),
    ("gid", _NUMBER, True),
    ("link", _TEXT, False),
    ("mode", _NUMBER, True),
    ("mtime_ns", _SIGNED, True),
    ("offset", _NUMBER, False),
    ("package", _TEXT, False),
    ("path", _TEXT, True),
    ("placeholder", b"(true)", False),
    ("reason", _TEXT, False),
    ("sha256", _DIGEST, False),
    ("size", _NUMBER, False),
    ("target", _TEXT, False),
    ("type", _TEXT, True),
    ("uid", _NUMBER, True),
)
_match_result = _line(
    ("mode", _NUMBER, False),
    ("path", _TEXT, True),
    ("run", _TEXT, True),
    ("sha256", _DIGEST, False),
    ("size", _NUMBER, False),
    ("target", _TEXT, False),
    ("type", b"(null|" + b"|".join(b'"%b"' % name for name in _TYPES) + b")", True),
)


class UsualLines:
    """Reads usual lines; texts that many of them have are in memory once."""

    def __init__(self) -> None:
        self._words: dict[bytes, str] = {}

    def read_entry(self, line: bytes) -> Entry | None:
        """Read an entry. Raises UnicodeDecodeError."""
        match = _match_entry(line)
        if match is None:
            return None
        (
            belonging,
            blocks,
            copy_of,
            elsewhere,
            gid,
            link,
            mode,
            mtime_ns,
            offset,
            package,
            path,
            placeholder,
            reason,
            sha256,
            size,
            target,
            kind,
            uid,
        ) = match.groups()
        if kind not in _TYPES:
            return None
        if not line.isascii():
            line.decode()
        word = self._word
        return Entry(
            path,
            _TYPES[kind],
            int(mode),
            int(uid),
            int(gid),
            int(mtime_ns),
            0 if size is None else int(size),
            None if sha256 is None else sha256.decode("ascii"),
            target,
            link,
            placeholder is not None,
            None if offset is None else int(offset),
            None if package is None else word(package),
            "" if reason is None else word(reason),
            copy_of,
            None,
            elsewhere is not None,
            None if belonging is None else word(belonging),
            (),
            None if blocks is None else int(blocks),
        )

    def read_result(self, line: bytes) -> Result | None:
        """Read a result. Raises UnicodeDecodeError."""
        match = _match_result(line)
        if match is None:
            return None
        mode, path, run, sha256, size, target, kind = match.groups()
        if not line.isascii():
            line.decode()
        return Result(
            self._word(run),
            path,
            _TYPES_OR_NULL[kind],
            0 if mode is None else int(mode),
            0 if size is None else int(size),
            None if sha256 is None else sha256.decode("ascii"),
            target,
        )

    def _word(self, content: bytes) -> str:
        word = self._words.get(content)
        if word is None:
            if len(self._words) >= _WORDS_LIMIT:
                self._words.clear()
            word = self._words[content] = intern(content.decode())
        return word
