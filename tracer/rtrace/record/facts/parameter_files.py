"""Files of parameters: YAML, JSON, TOML, INI and lines of `name = value`, as names and values.

Anybody may have written them. More than 1 MiB, more than 10,000 values or a nesting deeper than any person writes are
data, and no parameters; what is malformed is left out. Nothing in a file is ever evaluated.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from rtrace.record.facts.parameters import MOST_VALUES, Value, plain_value, read_word

if TYPE_CHECKING:
    from rtrace.record.document import ParameterFact

LARGEST_FILE = 1 << 20
_DEEPEST = 32
_LONGEST_KEY = 200
_LONGEST_NAME = 1000
_LONGEST_LINE = 64 << 10
_PLAIN_KEY = r"[^.\[\]\"\s]+"
_LINE = r"(?s)([^\s=:#;][^=:#;]{0,200}?)\s*[=:]\s*(.*)"
_KEY = r"(?:export\s+)?[A-Za-z_][\w.\-\[\]]*(?: [\w.\-]+){0,5}"
_COMMENTS = ("#", ";", "//", "!", "%")


class _RefusedError(ValueError):
    """This is not what its ending says, or more than let in."""


def read_parameter_file(path: str | bytes, data: bytes, *, named: bool = False) -> list[ParameterFact]:
    """Return the parameters that a file holds; none where it is no file of parameters.

    Its ending says what it is. ``named`` says that the command line names it: then a text of lines `name = value` is
    one too, whatever its ending.
    """
    source = os.fsdecode(path)
    kind = find_kind(source, named=named)
    if kind is None or len(data) > LARGEST_FILE:
        return []
    try:
        text = data.decode("utf-8-sig")
        facts: list[ParameterFact] = []
        for name, value in _READERS[kind](text):
            if len(facts) == MOST_VALUES:
                return []
            facts.append({"source": source, "type": kind, "name": name[:_LONGEST_NAME], "value": value})
    except (ValueError, RecursionError):  # ValueError: what each of the parsers raises, and what is not UTF-8
        return []
    return facts


def find_kind(path: str, *, named: bool = False) -> str | None:
    """Return what a file's ending says of its form; None where it is no file of parameters."""
    base = os.path.basename(path).lower()
    ending = os.path.splitext(base)[1] or base
    kind = _ENDINGS.get(ending)
    return kind if kind or not named or ending in _NEVER else "key=value"


def _read_yaml(text: str) -> Iterator[tuple[str, Value]]:
    from rtrace.manifest.reading.plain import read_plain

    mapping = read_plain(text, deepest=_DEEPEST)
    if mapping is not None:
        yield from _flatten(mapping)
        return
    from rtrace.manifest.reading.values import read_documents

    documents = read_documents(text, most=4 * MOST_VALUES, deepest=_DEEPEST)
    yield from _flatten(documents[0] if len(documents) == 1 else documents)


def _read_json(text: str) -> Iterator[tuple[str, Value]]:
    import json

    yield from _flatten(json.loads(text, parse_constant=str, parse_int=_read_integer))


def _read_integer(written: str) -> object:
    return read_word(written)


def _read_toml(text: str) -> Iterator[tuple[str, Value]]:
    from rtrace.manifest.reading.toml import read_toml

    if any(line.count(".") > _LONGEST_KEY for line in text.splitlines() if "." in line):
        raise _RefusedError  # keys of so many parts take the square of that long
    yield from _flatten(read_toml(text))


def _read_ini(text: str) -> Iterator[tuple[str, Value]]:
    section = last = ""
    values: dict[str, str] = {}
    for line in _read_lines(text):
        if line[0].isspace() and last:
            values[last] += "\n" + line.strip()
            continue
        stripped = line.strip()
        if stripped.startswith("[") and "]" in stripped:
            section, last = stripped[1 : stripped.rindex("]")].strip()[:_LONGEST_KEY], ""
            continue
        match = re.fullmatch(_LINE, stripped)
        last = _join(_join("", section) if section else "", (match[1] if match else stripped)[:_LONGEST_KEY])
        values[last] = match[2] if match else ""
    yield from ((name, _read_text(value)) for name, value in values.items())


def _read_assignments(text: str) -> Iterator[tuple[str, Value]]:
    """Yield the parameters of lines `name = value`; a text of anything else has none."""
    found = []
    for line in _read_lines(text):
        match = re.fullmatch(_LINE, line.strip())
        if match is None or not re.fullmatch(_KEY, match[1]):
            raise _RefusedError
        found.append((match[1].removeprefix("export ").strip(), _read_text(match[2])))
    yield from found


def _read_lines(text: str) -> Iterator[str]:
    for line in text.splitlines():
        if len(line) > _LONGEST_LINE:
            raise _RefusedError
        if line.strip() and not line.lstrip().startswith(_COMMENTS):
            yield line


def _read_text(written: str) -> Value:
    """Return the value of a text: a comment after it and the quotes around it go, and a number is one."""
    if written[:1] in {'"', "'"}:
        end = written.find(written[0], 1)
        rest = written[end + 1 :].strip()
        if end > 0 and (not rest or rest.startswith(_COMMENTS)):
            return plain_value(written[1:end])
    value = re.split(r"\s[#;]", written, maxsplit=1)[0].strip()
    return read_word(value)


def _flatten(value: object, name: str = "", depth: int = 0) -> Iterator[tuple[str, Value]]:
    """Yield the values in a value, by names such as `a.b[0]`; an empty list or mapping is its own text."""
    if depth > _DEEPEST:
        raise _RefusedError
    if isinstance(value, Mapping) and value:
        for key, item in value.items():
            yield from _flatten(item, _join(name, str(key)), depth + 1)
    elif isinstance(value, Sequence) and not isinstance(value, (str, bytes)) and value:
        for number, item in enumerate(value):
            yield from _flatten(item, f"{name}[{number}]"[:_LONGEST_NAME], depth + 1)
    elif isinstance(value, (Mapping, list, tuple)):
        yield name, "{}" if isinstance(value, Mapping) else "[]"
    else:
        yield name, plain_value(value)


def _join(name: str, key: str) -> str:
    """Return the name of a key in what has a name; a key that could be taken for two is put into quotes."""
    key = key[:_LONGEST_KEY]
    if not key.isidentifier() and not re.fullmatch(_PLAIN_KEY, key):
        escaped = key.replace("\\", "\\\\").replace('"', '\\"')
        return f'{name}["{escaped}"]'[:_LONGEST_NAME]
    return (f"{name}.{key}" if name else key)[:_LONGEST_NAME]


_READERS: Mapping[str, Callable[[str], Iterator[tuple[str, Any]]]] = {
    "yaml": _read_yaml,
    "json": _read_json,
    "toml": _read_toml,
    "ini": _read_ini,
    "key=value": _read_assignments,
}
_ENDINGS = {
    ".yaml": "yaml", ".yml": "yaml", ".json": "json", ".toml": "toml", ".ini": "ini", ".cfg": "ini", ".conf": "ini",
    ".properties": "key=value", ".env": "key=value", ".param": "key=value", ".params": "key=value", ".par": "key=value",
}  # fmt: skip
_NEVER = frozenset({
    ".py", ".r", ".jl", ".m", ".sh", ".bash", ".pl", ".rb", ".js", ".c", ".h", ".cc", ".cpp", ".f90", ".csv", ".tsv",
    ".md", ".rst", ".html", ".xml", ".svg", ".tex", ".makefile", "makefile",
})  # fmt: skip
"""Endings of texts whose lines may look like parameters, and are none."""
