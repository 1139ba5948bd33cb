"""Rules as ``rules.conf`` has them: what its head describes is read here.

Patterns are compiled when they are first tried: compiling all of them takes longer than most searches.
"""

from __future__ import annotations

import re
from itertools import product
from typing import TYPE_CHECKING

from rtrace.privacy.rules.checks import CHECKS
from rtrace.privacy.rules.names import END
from rtrace.privacy.rules.rule import (
    ANYWHERE,
    ARGUMENT,
    BACK,
    FILE,
    GIVEN,
    LINE,
    NOTHING,
    RECORD,
    TYPED,
    VARIABLE,
    WORD,
    Later,
    Rule,
    beside,
    blob,
    named,
    token,
)

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

_PLACES = {
    "anywhere": ANYWHERE,
    "argument": ARGUMENT,
    "file": FILE,
    "given": GIVEN,
    "record": RECORD,
    "typed": TYPED,
    "variable": VARIABLE,
}
_RESTS = {"line": LINE, "none": NOTHING, "word": WORD}
_KEYS = frozenset({
    "what", "token", "blob", "beside", "value", "pattern", "near", "starts", "back", "reach", "where", "name", "path",
    "rest", "check", "loose",
})  # fmt: skip
_SAID = {"yes": True, "no": False}
_REACH = 256
_REFERENCE = re.compile(r"\(\?&([\w-]+)\)")
_PIECE = re.compile(r"\\(?P<escaped>x20|.)|(?P<set>\[[^\]]+\])|\((?P<words>[^()]*)\)|(?P<plain>.)")
_ESCAPED = {"n": "\n", "t": "\t", "0": "\0", "x20": " "}


def read_rules(text: str) -> tuple[Rule, ...]:
    """Return the rules of a text in its order. Raises ValueError where there is a mistake in one."""
    parts = {"end": END.decode()}
    rules = []
    for title, fields in read_sections(text):
        try:
            known = {key: _resolve(value, parts) for key, value in fields.items()}
            if title.startswith("&"):
                parts[title[1:]] = known["is"]
            else:
                rules.append(_make_rule(title, known))
        except (KeyError, TypeError, re.error) as error:
            raise ValueError(f"[{title}]: {error}") from error
    return tuple(rules)


def read_sections(text: str) -> Iterator[tuple[str, dict[str, str]]]:
    """Yield the sections of a text, each with its title and its fields. Raises ValueError."""
    title, key = "", ""
    fields: dict[str, str] = {}
    for number, line in enumerate(text.splitlines(), 1):
        if not line or line.startswith("#"):
            continue
        if line.startswith("["):
            if title:
                yield title, fields
            title, fields, key = line[1:-1], {}, ""
        elif line.startswith(" ") and key:
            fields[key] += (" " if key == "near" else "") + line.strip()
        else:
            key, equals, value = line.partition(" = ")
            if not title or not equals or key in fields:
                raise ValueError(f"line {number} is not understood: {line}")
            fields[key] = value.strip()
    if title:
        yield title, fields


def _resolve(value: str, parts: Mapping[str, str]) -> str:
    """Return a value with what ``(?&name)`` stands for in its place. Raises KeyError."""
    return _REFERENCE.sub(lambda found: f"(?:{parts[found[1]]})", value) if "(?&" in value else value


def _make_rule(title: str, fields: Mapping[str, str]) -> Rule:
    """Return the rule of a section whose references are resolved."""
    if unknown := fields.keys() - _KEYS:
        raise ValueError(f"[{title}] has unknown fields: {', '.join(sorted(unknown))}")
    what = fields["what"]
    needles = tuple(needle for word in fields.get("near", "").split() for needle in expand(word))
    starts = _SAID[fields.get("starts", "yes")]
    if "token" in fields:
        return token(title, what, _encode(fields["token"]), *needles, starts=starts)
    if "blob" in fields:
        return blob(title, what, _encode(fields["blob"]), *needles, starts=starts)
    if "beside" in fields:
        return beside(title, what, _encode(fields["beside"]), _encode(fields["value"]), *needles)
    rest = fields.get("rest", "word")
    return Rule(
        title,
        what,
        _read_where(fields),
        Later(_encode(fields["pattern"])) if "pattern" in fields else None,
        needles,
        _RESTS[rest] if rest in _RESTS else re.compile(_encode(rest)),
        int(fields.get("reach", _REACH)),
        _SAID[fields.get("starts", "no")],
        CHECKS[fields["check"]] if "check" in fields else None,
        _SAID[fields.get("loose", "no")],
        int(fields.get("back", BACK)),
    )


def _read_where(fields: Mapping[str, str]) -> re.Pattern[bytes]:
    """Return the pattern for the places of a rule."""
    if "name" in fields:
        return named(_encode(fields["name"]))
    if "path" in fields:
        return re.compile(_encode(fields["path"]))
    return _PLACES[fields.get("where", "anywhere")]


def _encode(pattern: str) -> bytes:
    return pattern.encode("ascii")


def expand(words: str) -> list[bytes]:
    """Return all words that a pattern of sets and of choices in brackets stands for, in small letters."""
    words = words.replace("(?:", "(")
    choices = []
    for piece in _PIECE.finditer(words):
        if piece["set"]:
            choices.append(re.findall(piece["set"], "".join(map(chr, range(128)))))
        elif piece["words"]:
            choices.append([word.decode() for choice in piece["words"].split("|") for word in expand(choice)])
        else:
            choices.append([_ESCAPED.get(piece["escaped"], piece["escaped"]) if piece["escaped"] else piece["plain"]])
    return ["".join(one).lower().encode("ascii") for one in product(*choices)]
