"""Byte strings, text and sizes made fit for a sentence, and for a terminal that obeys what it is sent."""

from __future__ import annotations

import os
import re
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

UNITS = ("B", "KiB", "MiB", "GiB", "TiB")
_FORMULA = ("=", "+", "-", "@", "\uff1d", "\uff0b", "\uff0d", "\uff20")  # full-width ones, too
_TEXT_LIMIT, _PATH_LIMIT, _SHOWN = 80, 4095, 200  # bytes of a text, of a path, and of a longer path in a sentence

# Letters and marks by Unicode's categories, and yet nothing that anybody sees: the fillers of Hangul and Braille, the
# joiner of graphemes, Khmer's inherent vowels, Mongolian and other variation selectors.
_INVISIBLE = "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
# What joins emoji or chooses between two looks of a character is wanted there, and there alone; so is the wide blank.
_PICTURES = "\u2190-\u27ff\u2900-\u2bff\u3030\u303d\u3297\u3299\U0001f000-\U0001faff"
_WANTED = (
    f"(?<=[{_PICTURES}])\ufe0f?\u200d(?=[{_PICTURES}])"
    f"|(?<=[\xa9\xae\u203c\u2049\u2122\u2139{_PICTURES}])[\ufe0e\ufe0f]"
    "|(?<=[#*0-9])\ufe0f(?=\u20e3)"
    "|(?<=[\u3400-\u9fff\U00020000-\U0003ffff])[\U000e0100-\U000e01ef]"
    "|\u3000"
)
_LOW_SURROGATE, _FIRST_BYTE = 0xDC00, 0xDC80


def printable(path: bytes) -> str:
    """Show a byte string in a message: what is not UTF-8 or not printable comes out as a backslash escape."""
    return printable_text(path.decode("utf-8", "surrogateescape"))


def printable_text(text: str) -> str:
    r"""Show text in a message, on one line: what a terminal would obey, or nobody would see, as a backslash escape.

    A byte that is not UTF-8 (a surrogate, as `os.fsdecode` has it) is ``\xff``, a character ``\x1b`` or ``\u202e``.
    What has been made printable stays as it is.
    """
    if text.isprintable() and (text.isascii() or not _compile(_INVISIBLE).search(text)):
        return text
    shown, last = [], 0
    for wanted in _compile(_WANTED).finditer(text):
        shown += [*map(_show, text[last : wanted.start()]), wanted[0]]
        last = wanted.end()
    return "".join([*shown, *map(_show, text[last:])])


def shell_word(word: str | bytes | os.PathLike[str]) -> str:
    r"""Return a path, or any word, as a person can paste it into a shell: quoted where that has to be.

    What cannot be shown is escaped in ``$'...'``, which bash, zsh and ksh read.
    """
    text = word.decode("utf-8", "surrogateescape") if isinstance(word, bytes) else os.fspath(word)
    if printable_text(text) == text:
        import shlex  # few commands tell anything to paste

        return shlex.quote(text)
    escaped = text.replace("\\", r"\\").replace("'", r"\'")
    return f"$'{printable_text(escaped)}'"


@cache
def _compile(pattern: str) -> re.Pattern[str]:
    """Compile a pattern once it is needed: `rtrace --help` needs none."""
    return re.compile(pattern)


def _show(char: str) -> str:
    if char.isprintable() and not _compile(_INVISIBLE).match(char):
        return char
    code = ord(char)
    if _FIRST_BYTE <= code < _FIRST_BYTE + 0x80:
        return f"\\x{code - _LOW_SURROGATE:02x}"
    if code >= 0x80:  # noqa: PLR2004 -- a character, and not the byte of that value
        return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"  # noqa: PLR2004
    return char.encode("unicode_escape").decode("ascii")


def protect_cell(text: str) -> str:
    """Return a text with an apostrophe before it where a spreadsheet would take it for a formula, and carry it out.

    https://owasp.org/www-community/attacks/CSV_Injection
    """
    return f"'{text}" if text.lstrip().startswith(_FORMULA) else text


def format_size(size: float) -> str:
    """Write a number of bytes as a person reads it."""
    for unit in UNITS[:-1]:
        if size < 1024:  # noqa: PLR2004 - the step from one unit to the next
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} {UNITS[-1]}"


def shorten(text: str) -> str:
    """Return a text, shortened if it is longer than any name."""
    return text if len(text) <= _TEXT_LIMIT else f"{text[:_TEXT_LIMIT]}..."


def shorten_path(path: bytes) -> str:
    """Show a path, or the beginning of one that is longer than a path can be."""
    return printable(path) if len(path) <= _PATH_LIMIT else f"{printable(path[:_SHOWN])}..."


def plural(number: int, one: str, many: str = "") -> str:
    """Return the word for a number of things: ``one`` for 1, else ``many`` or ``one`` with an s."""
    return one if number == 1 else many or f"{one}s"


def count(number: int, one: str, many: str = "") -> str:
    """Return a number with the word for so many things: ``1 file``, ``2 files``."""
    return f"{number} {plural(number, one, many)}"


def name_some(names: Sequence[str], shown: int = 5) -> str:
    """Return the first few of a list, and how many more there are."""
    return ", ".join(names[:shown]) + count_more(len(names) - shown)


def count_more(number: int, noun: str = "") -> str:
    """Return the words for so many further things: ` and 2 more lines`, or nothing; ``noun`` is in the singular."""
    if number <= 0:
        return ""
    return f" and {number} more" + (f" {plural(number, noun)}" if noun else "")


def suggest(word: str, known: Iterable[str]) -> str:
    """Return the end of a sentence that names the known words which may have been meant; nothing if there are none."""
    from difflib import get_close_matches

    meant = get_close_matches(word, list(known), n=2)
    return f"; did you mean {' or '.join(meant)}?" if meant else ""
