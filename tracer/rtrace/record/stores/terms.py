"""The words that are searched for."""

from __future__ import annotations

import re
from typing import NamedTuple

_TERM = re.compile(r'"([^"]*)"|(\S+)')
_WORD = re.compile(r"[^\W_]+")


class Term(NamedTuple):
    """Words that stand together in a text, or are all in a run's paths; the last may be a beginning (``plot*``)."""

    words: tuple[str, ...]
    is_beginning: bool


def read_terms(text: str) -> list[Term]:
    """Return the terms of a search: words, and phrases in double quotes; what holds no letter or digit is left out."""
    terms = []
    for quoted, plain in _TERM.findall(text):
        written = quoted or plain
        words = tuple(_WORD.findall(written.lower()))
        if words:
            terms.append(Term(words, is_beginning=not quoted and plain.endswith("*")))
    return terms
