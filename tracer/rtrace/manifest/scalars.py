"""Scalars of the manifest: how strings and byte strings look in YAML, plain, quoted or as ``!!binary``."""

from __future__ import annotations

import re
from base64 import b64encode

# What nobody can take for anything but a string, in YAML 1.1 or 1.2, in block or flow context.
_PLAIN = re.compile(r"(?:[A-Za-z_]|/|\./|\.\./)[A-Za-z0-9_./+@%-]*\Z")
_WORDS = frozenset({"y", "n", "yes", "no", "on", "off", "true", "false", "null", "nan", "inf"})

# What is written as an escape: quotes and backslashes, what YAML forbids, and what a terminal or editor would act upon
# or hide (line and paragraph separators, direction overrides, the byte order mark). A fixed list: str.isprintable
# differs between Python's versions, and the same trace has to give the same bytes.
_ESCAPED = re.compile('["\\\\\x00-\x1f\x7f-\xa0\xad\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff0-\uffff]')
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r", "\x1b": "\\e"}


def text(value: str) -> str:
    """Write a string, without quotes where nobody can misread it."""
    if _PLAIN.match(value) and value.lower() not in _WORDS:
        return value
    return quoted(value)


def quoted(value: str) -> str:
    """Write a string in double quotes, on one line; a lone surrogate, which YAML cannot hold, as its own escape."""
    if not value.isascii():
        value = value.encode("utf-8", "backslashreplace").decode()
    return f'"{_ESCAPED.sub(_escape, value)}"'


def byte_string(value: bytes) -> str:
    """Write a byte string: as text when it is UTF-8, else as ``!!binary``."""
    try:
        return text(value.decode())
    except UnicodeDecodeError:
        return f'!!binary "{b64encode(value).decode("ascii")}"'


def _escape(match: re.Match[str]) -> str:
    char = match[0]
    short = _SHORT.get(char)
    if short is not None:
        return short
    code = ord(char)
    return f"\\x{code:02x}" if code <= 0xFF else f"\\u{code:04x}"  # noqa: PLR2004 -- the two widths of YAML's escapes
