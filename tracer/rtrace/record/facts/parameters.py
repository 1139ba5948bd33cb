"""The parameters of a run: the command line's words, and files of names and values, as names and values."""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from rtrace.record.document import ParameterFact


Value: TypeAlias = "str | int | float | bool | None"

COMMAND_LINE = "command line"
MOST_VALUES = 10_000
"""Parameters of one source; more of them are data."""
LONGEST_VALUE = 64 << 10
_NUMBER = r"[+-]?(0|[1-9][0-9]*)(\.[0-9]*)?([eE][+-]?[0-9]+)?|[+-]?\.[0-9]+([eE][+-]?[0-9]+)?"
_NAMED = r"(?s)([A-Za-z_][\w.\-\[\]]*)=(.*)"
_OPTION = r"(?s)(--?)([A-Za-z_][^=\s]*)(?:=(.*))?"
_SHORT_NUMBER = r"-([A-Za-z])([+-]?[0-9][0-9.eE+-]*)"
_BEGIN_NUMBERS = frozenset("+-.0123456789")
_LARGEST = (1 << 63) - 1
_LONGEST_NUMBER = 400  # digits: more than those of the largest number with a fraction


def read_command_line(argv: Sequence[str], main: str | None = None) -> list[ParameterFact]:
    """Return the parameters in the words of a command.

    ``main`` is the script that the command runs, as it is spelt there: what stands before it is its interpreter's.
    Read are `--name=value`, `--name value`, `-n value`, `-n3`, `name=value`, and words alone, whose name is `#N` by
    their place in the command. A name that nothing belongs to is true. What a program itself makes of its words,
    nobody else can tell: a switch that stands before a word alone is taken for that word's name.
    """
    first = argv.index(main) + 1 if main in argv else 1
    facts: list[ParameterFact] = [
        {"source": COMMAND_LINE, "type": COMMAND_LINE, "name": name, "value": value}
        for name, value in _read_words(argv, first)
    ]
    return facts[:MOST_VALUES]


def _read_words(argv: Sequence[str], first: int) -> Iterator[tuple[str, Value]]:
    number = first
    only_words = False
    while number < len(argv):
        word = argv[number]
        option = None if only_words or _is_number(word) else _match_option(_OPTION, word)
        short = None if only_words else _match_option(_SHORT_NUMBER, word)
        named = _match_named(word)
        if word == "--" and not only_words:
            only_words = True
        elif short is not None and not _is_number(word) and _is_number(short[2]):
            yield short[1], read_word(short[2])
        elif option is not None and option[3] is not None:
            yield option[2], read_word(option[3])
        elif option is not None:
            following = argv[number + 1] if number + 1 < len(argv) else None
            if following is not None and _is_value(following):
                yield option[2], read_word(following)
                number += 1
            else:
                yield option[2], True
        elif named is not None:
            yield named[1], read_word(named[2])
        else:
            yield f"#{number}", read_word(word)
        number += 1


def _is_value(word: str) -> bool:
    """Whether a word after an option is the option's value: neither an option nor a name with a value."""
    return _is_number(word) or (not (word.startswith("-") and word != "-") and _match_named(word) is None)


def _is_number(word: str) -> bool:
    return word[:1] in _BEGIN_NUMBERS and len(word) <= _LONGEST_NUMBER and re.fullmatch(_NUMBER, word) is not None


def _match_option(pattern: str, word: str) -> re.Match[str] | None:
    return re.fullmatch(pattern, word) if word[:1] == "-" else None


def _match_named(word: str) -> re.Match[str] | None:
    return re.fullmatch(_NAMED, word) if "=" in word else None


def read_word(word: str) -> Value:
    """Return the value of a word: a number where it is written as one, `true` and `false`, else its text."""
    if _is_number(word):
        return plain_value(int(word) if word.lstrip("+-").isdecimal() else float(word), word)
    return {"true": True, "True": True, "false": False, "False": False}.get(word, word[:LONGEST_VALUE])


def plain_value(value: object, written: str | None = None) -> Value:
    """Return a value as a record can hold it: text where it is a date, or a number beyond 64 bits or none at all."""
    if value is None or isinstance(value, (bool, str)):
        return value[:LONGEST_VALUE] if isinstance(value, str) else value
    if isinstance(value, int) and -_LARGEST - 1 <= value <= _LARGEST:
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    if isinstance(value, int) and written is None and value.bit_length() > _LONGEST_NUMBER:
        written = hex(value)  # what Python takes too long to write out in tens
    return (written if written is not None else str(value))[:LONGEST_VALUE]
