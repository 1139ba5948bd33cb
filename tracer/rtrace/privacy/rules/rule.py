"""What a rule is, and the parts that rules are made of."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from rtrace.privacy.rules.likeness import is_random, is_real

Check = Callable[["re.Match[bytes]", bytes], bool]
"""Whether a match and the value in it are a secret, asked of what a pattern has found."""

BACK = 160
"""How many bytes before a needle a match may begin, unless a rule says otherwise."""
NOTHING = re.compile(b"")
LINE = re.compile(rb"[^\r\n\0]{0,16384}")
WORD = re.compile(rb"[^\s\0\"'`\\]{0,16384}")

ANYWHERE = re.compile(rb"")
VARIABLE = re.compile(rb"\Avariable\Z")
ARGUMENT = re.compile(rb"\Aargument\Z")
FILE = re.compile(rb"\Afile ")
RECORD = re.compile(rb"\Arecord\Z")
GIVEN = re.compile(rb"\A(?:variable|argument)\Z")
TYPED = re.compile(rb"\A(?:argument\Z|file )")


class Later:
    """A pattern that is compiled when it is first tried."""

    __slots__ = ("_pattern", "_source")

    def __init__(self, source: bytes) -> None:
        self._source = source
        self._pattern: re.Pattern[bytes] | None = None

    def match(self, text: bytes, begin: int, end: int) -> re.Match[bytes] | None:
        """Try it at a place in a text, as a compiled pattern does."""
        return self.compile().match(text, begin, end)

    def finditer(self, text: bytes, begin: int, end: int) -> Iterator[re.Match[bytes]]:
        """Try it everywhere in a part of a text, as a compiled pattern does."""
        return self.compile().finditer(text, begin, end)

    @property
    def is_compiled(self) -> bool:
        """Whether it was tried."""
        return self._pattern is not None

    def compile(self) -> re.Pattern[bytes]:
        """Return the pattern, compiled once."""
        if self._pattern is None:
            self._pattern = re.compile(self._source)
        return self._pattern


@dataclass(frozen=True, slots=True, eq=False)
class Rule:
    """One kind of secret.

    ``where`` is searched for in the label of a place: ``variable``, ``argument``, or ``file`` and the path after a
    space. ``pattern`` is searched for in the text there: ``NAME=value``, arguments with a NUL between them, a file's
    content. Where it is None, a file is a secret by its name, whatever it holds. The secret itself begins where the
    group ``value`` does, or the match where there is none; it goes on after that as far as ``rest`` matches.

    ``needles`` are words in small letters; everything that the pattern can match contains one of them, at most ``back``
    bytes from where the match begins; a rule without them is for files that are small, and tried on all of their
    beginning. ``reach`` is how many bytes after a needle a match may need. ``starts``: every match begins with a
    needle, so that the pattern is tried there alone. ``check`` has the last word on a match. ``loose``: the rule goes
    by names and contexts, so that another rule that finds the same knows better, and that only values that look
    random count in binary files. ``shape`` is the pattern of a token without what may stand around it.
    ``skips`` says of needles how many of their bytes the pattern leaves out.
    """

    id: str
    what: str
    where: re.Pattern[bytes]
    pattern: re.Pattern[bytes] | Later | None = field(repr=False)
    needles: tuple[bytes, ...] = field(default=(), repr=False)
    rest: re.Pattern[bytes] = WORD
    reach: int = 256
    starts: bool = False
    check: Check | None = None
    loose: bool = False
    back: int = BACK
    shape: bytes = b""
    skips: Mapping[bytes, int] = field(default_factory=dict, repr=False)


def named(names: bytes) -> re.Pattern[bytes]:
    """Match files whose path ends in a slash and one of these names."""
    return re.compile(rb"/(?:" + names + rb")\Z")


def token(
    id: str,  # noqa: A002 -- as in Rule
    what: str,
    shape: bytes,
    *needles: bytes,
    reach: int = 640,
    starts: bool = True,
) -> Rule:
    """Return the rule for a token that its shape gives away, where it stands as a whole word."""
    pattern = Later(rb"(?<![A-Za-z0-9])(?:" + shape + rb")(?![A-Za-z0-9])")
    return Rule(id, what, ANYWHERE, pattern, needles, NOTHING, reach, starts, is_real_value, shape=shape)


def blob(id: str, what: str, shape: bytes, *needles: bytes, starts: bool = True) -> Rule:  # noqa: A002 -- as in Rule
    """Return the rule for a token that might also be a piece of base64: it stands apart from all that could go on."""
    pattern = Later(rb"(?<![\w+/.-])(?:" + shape + rb")(?![\w+/=-])")
    return Rule(id, what, ANYWHERE, pattern, needles, NOTHING, 640, starts, is_random_value)


def beside(id: str, what: str, name: bytes, value: bytes, *needles: bytes) -> Rule:  # noqa: A002 -- as in Rule
    """Return the rule for a value whose shape is common, so that the name before it must give it away."""
    pattern = Later(
        rb"(?i:" + name + rb")[\w.-]{0,32}[\"'\]\\]{0,4}\s{0,4}(?:[:=]|:=|=>|<-|,|>)\s{0,4}[\"'\\]{0,3}"
        rb"(?P<value>" + value + rb")(?![\w-])"
    )
    return Rule(id, what, ANYWHERE, pattern, needles, NOTHING, starts=True, check=is_real_value)


def is_real_value(_match: re.Match[bytes], value: bytes) -> bool:
    """Whether a value is no example; a check for rules that know the shape."""
    return is_real(value)


def is_random_value(_match: re.Match[bytes], value: bytes) -> bool:
    """Whether a value looks as if made by chance."""
    return is_random(value)
