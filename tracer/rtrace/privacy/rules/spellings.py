"""Values that are known to be secret, and how they may be written elsewhere."""

from __future__ import annotations

import base64
import json
import re
from typing import TYPE_CHECKING

from rtrace.privacy.rules.likeness import is_example, is_random
from rtrace.privacy.rules.rule import ANYWHERE, NOTHING, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

KNOWN = "known-secret"
"""The id of the rule for values that are known."""
_TELLING = re.compile(rb"(?=.*[0-9])(?=.*[A-Za-z]).{8,}|.{16,}", re.DOTALL)
_LINE = 24
"""Bytes from which on a line of a key of several lines tells of it."""
_LONGEST = 4096
_SHORTEST_CODED = 8


def find_values(text: bytes) -> Iterator[bytes]:
    """Yield what to look for elsewhere of a secret: values that do not stand there by accident."""
    if b"\n" in text.strip():
        yield from (line for line in map(bytes.strip, text.splitlines()) if len(line) >= _LINE and is_random(line))
        return
    for value in dict.fromkeys((text, *_read_escapes(text))):
        if _TELLING.fullmatch(value) and len(value) <= _LONGEST and value[:1] != b"/" and not is_example(value):
            yield value


def make_known_rule(values: Iterable[bytes]) -> Rule:
    """Return the rule that finds known values in all their spellings."""
    spellings = sorted({spelling for value in values for spelling in spell(value)}, key=lambda one: (-len(one), one))
    pattern = re.compile(b"|".join(map(re.escape, spellings))) if spellings else re.compile(rb"(?!)")
    needles = tuple(dict.fromkeys(spelling.lower() for spelling in spellings))
    return Rule(
        KNOWN, "a secret that also occurs elsewhere", ANYWHERE, pattern, needles, NOTHING, 0, starts=True, loose=True
    )


def spell(value: bytes) -> Iterator[bytes]:
    """Yield the spellings of a value: as it is, for an address, in JSON, in base64 wherever it stands there, wide."""
    from urllib.parse import quote_from_bytes

    yield value
    yield from {quote_from_bytes(value, safe="").encode(), quote_from_bytes(value).encode()}
    text = value.decode("utf-8", "replace")
    if "\ufffd" not in text:
        yield json.dumps(text)[1:-1].encode()
        yield json.dumps(text).encode()[1:-1].replace(b"/", b"\\/")
        yield text.encode("utf-16-le")
        yield text.encode("utf-16-be")
    if len(value) >= _SHORTEST_CODED:
        for before in range(3):
            coded = base64.b64encode(b"\0" * before + value)
            # without the characters that also depend on what stands before and after the value
            core = coded[-(-before * 8 // 6) : (before + len(value)) * 8 // 6]
            yield core
            yield core.translate(bytes.maketrans(b"+/", b"-_"))
        yield value.hex().encode()


def _read_escapes(text: bytes) -> Iterator[bytes]:
    """Yield what a value is that is written as in an address or in JSON."""
    if b"%" in text:
        from urllib.parse import unquote_to_bytes

        yield unquote_to_bytes(text)
    if b"\\" in text:
        try:
            yield str(json.loads(b'"' + text + b'"')).encode("utf-8", "surrogatepass")
        except ValueError:  # it is not JSON
            return
