"""Git's configuration files, read without git: the syntax of git-config(1), and who a person says they are."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from rtrace.files.reading import read_file

LARGEST_CONFIGURATION = 1 << 20
_DEEPEST_INCLUDE = 5
_ESCAPES = {"n": "\n", "t": "\t", "b": "\b", '"': '"', "\\": "\\"}

Settings = dict[str, list[str]]
"""By name: section and name in lower case, with the subsection as it is written between them; the last value counts."""


class Person(NamedTuple):
    """A name and an e-mail address, as commits have them."""

    name: str | None
    email: str | None


def parse_configuration(content: bytes) -> Settings:
    """Return the settings in a configuration file; lines that git would not read are left out.

    Nothing is included that it names.
    """
    settings: Settings = {}
    section: str | None = None
    for line in _join_lines(content.decode("utf-8", "surrogateescape").removeprefix("\ufeff")):
        rest = line.strip()
        if rest.startswith("["):
            section, rest = _read_section(rest)
        if not rest or rest[0] in "#;" or section is None:
            continue
        name, equals, value = rest.partition("=")
        name = name.strip() if equals else name.split("#")[0].split(";")[0].strip()
        if name.replace("-", "").isalnum():
            settings.setdefault(f"{section}.{name.lower()}", []).append(_read_value(value) if equals else "true")
    return settings


def _join_lines(text: str) -> Iterator[str]:
    """Yield the lines, with those joined that end in an odd number of backslashes."""
    joined: list[str] = []
    for ended in text.split("\n"):
        line = ended.removesuffix("\r")
        backslashes = len(line) - len(line.rstrip("\\"))
        if backslashes % 2:
            joined.append(line[:-1])
            continue
        yield "".join([*joined, line])
        joined = []
    if joined:
        yield "".join(joined)


def _read_section(line: str) -> tuple[str | None, str]:
    """Return the name of a section's header with its subsection, and what follows on the line."""
    quoted = escaped = False
    for number, char in enumerate(line):
        if escaped:
            escaped = False
        elif char == "\\":
            escaped = quoted
        elif char == '"':
            quoted = not quoted
        elif char == "]" and not quoted:
            return _name_section(line[1:number]), line[number + 1 :].strip()
    return None, ""


def _name_section(header: str) -> str:
    name, quote, sub = header.partition('"')
    if not quote:
        return name.strip().lower()  # the old `[branch.name]` too
    sub = sub.rstrip().removesuffix('"')
    plain, escaped = [], False
    for char in sub:
        escaped = char == "\\" and not escaped
        if not escaped:
            plain.append(char)
    return f"{name.strip().lower()}.{''.join(plain)}"


def _read_value(written: str) -> str:
    """Return a value without its quotes, escapes, comment and outer blanks."""
    value: list[str] = []
    kept = 0
    quoted = escaped = False
    for char in written.lstrip():
        if escaped:
            value.append(_ESCAPES.get(char, char))
            escaped = False
        elif char == "\\":
            escaped = True
            continue
        elif char == '"':
            quoted = not quoted
        elif char in "#;" and not quoted:
            break
        else:
            value.append(char)
        if quoted or not char.isspace():
            kept = len(value)
    return "".join(value[:kept])


def read_person(environ: Mapping[str, str], home: str | None) -> Person:
    """Return the name and e-mail address of a person's own configuration, or of the environment.

    A repository's settings have no say here: they are whoever's the repository is.
    """
    settings: Settings = {}
    places = ["/etc/gitconfig"]
    if environ.get("GIT_CONFIG_GLOBAL"):
        places.append(environ["GIT_CONFIG_GLOBAL"])
    elif home:
        folder = environ.get("XDG_CONFIG_HOME") or os.path.join(home, ".config")
        places += [os.path.join(folder, "git/config"), os.path.join(home, ".gitconfig")]
    for place in places:
        _add_settings(settings, place, home, _DEEPEST_INCLUDE)
    return Person(
        environ.get("GIT_AUTHOR_NAME") or _last(settings, "user.name"),
        environ.get("GIT_AUTHOR_EMAIL") or _last(settings, "user.email"),
    )


def _add_settings(settings: Settings, path: str, home: str | None, depth: int) -> None:
    """Add what a person's own file says, and the files that it includes."""
    own = parse_configuration(read_file(path, LARGEST_CONFIGURATION))
    for name, values in own.items():
        settings.setdefault(name, []).extend(values)
    for included in own.get("include.path", []) if depth else []:
        whole = os.path.join(home, included[2:]) if home and included.startswith("~/") else included
        _add_settings(settings, os.path.join(os.path.dirname(path), whole), home, depth - 1)


def _last(settings: Settings, name: str) -> str | None:
    values = settings.get(name)
    return (values[-1] or None) if values else None
