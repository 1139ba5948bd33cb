"""YAML as plain as most files of parameters are, read without PyYAML: to load that takes longer than all else there.

Mappings in mappings, one line a name, with numbers, words, truth values and short texts. Of whatever could mean
anything else, nothing is said here: that is for `rtrace.manifest.reading.values`, and where both read, they agree.
"""

from __future__ import annotations

_MOST_LINES = 1000
_DIGITS = "0123456789"
_LETTERS = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
_NAME = _LETTERS + _DIGITS + "_-"
_PLAIN = _NAME + "./+ "
_QUOTED = _PLAIN + ":,;=()"
_LONGEST_NAME = 100
_LONGEST_NUMBER = 18
_WORDS = {
    "true": True, "True": True, "TRUE": True, "yes": True, "Yes": True, "YES": True, "on": True, "On": True,
    "ON": True, "false": False, "False": False, "FALSE": False, "no": False, "No": False, "NO": False, "off": False,
    "Off": False, "OFF": False, "null": None, "Null": None, "NULL": None,
}  # fmt: skip


class _UnsureError(Exception):
    """This could mean something else than it seems to."""


def read_plain(content: str, *, deepest: int) -> dict[str, object] | None:
    """Return the mapping that a text is; None for all that is not as plain as this, whether it is YAML or not."""
    lines = content.split("\n")
    if len(lines) > _MOST_LINES or not content.isascii():
        return None
    try:
        return _read(lines, deepest)
    except _UnsureError:
        return None


def _read(lines: list[str], deepest: int) -> dict[str, object]:
    root: dict[str, object] = {}
    levels = [(0, root)]
    opened: dict[str, object] | None = root  # a mapping of which nothing was read yet
    for line in lines:
        text = line.lstrip(" ")
        if not text or text[0] == "#":
            _refuse_unlike(text.isprintable() or not text)
            continue
        indent = len(line) - len(text)
        if opened is not None:
            if opened is not root:
                _refuse_unlike(indent > levels[-1][0] and len(levels) < deepest)
                levels.append((indent, opened))
            opened = None
        while len(levels) > 1 and indent < levels[-1][0]:
            levels.pop()
        _refuse_unlike(indent == levels[-1][0])
        name, colon, rest = text.partition(":")
        _refuse_unlike(bool(colon) and _is_of(name, _NAME) and name[0] in _LETTERS and len(name) <= _LONGEST_NAME)
        _refuse_unlike(name.lower() not in _LOWER and rest[:1] in {"", " "} and rest.isprintable())
        value = _cut_comment(rest)
        if value:
            levels[-1][1][name] = _read_value(value)
        else:
            opened = {}
            levels[-1][1][name] = opened
    _refuse_unlike(opened is None)
    return root


def _cut_comment(rest: str) -> str:
    value = rest.partition(" #")[0].strip(" ")
    _refuse_unlike("#" not in value)
    return value


def _read_value(value: str) -> object:
    if value[0] in "\"'":
        _refuse_unlike(len(value) > 1 and value[-1] == value[0] and not value[1:-1].strip(_QUOTED))
        return value[1:-1]
    _refuse_unlike(_is_of(value, _PLAIN))
    if value[0] in _LETTERS or value.startswith(("/", "./")):
        if value.lower() in _LOWER:
            _refuse_unlike(value in _WORDS)
            return _WORDS[value]
        return value
    digits = value.removeprefix("-")
    whole, point, fraction = digits.partition(".")
    _refuse_unlike(whole.isdecimal() and len(value) <= _LONGEST_NUMBER)
    if point:
        _refuse_unlike(not fraction or fraction.isdecimal())
        return float(value)
    _refuse_unlike(whole == "0" or whole[0] != "0")  # in YAML, 010 is eight
    return int(value)


def _is_of(text: str, characters: str) -> bool:
    """Whether a text is not empty, and of no other characters."""
    return bool(text) and not text.strip(characters)


def _refuse_unlike(likely: bool) -> None:  # noqa: FBT001 - said of what is to be so
    if not likely:
        raise _UnsureError


_LOWER = frozenset(word.lower() for word in _WORDS)
