"""pyproject.toml: PEP 621 and PEP 735, and the tables of Poetry and uv.

https://packaging.python.org/en/latest/specifications/pyproject-toml/
https://python-poetry.org/docs/pyproject/
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.files.requirements import add_requirement
from rtrace.declared.files.values import items, mapping, read_toml, text, texts
from rtrace.declared.model import BUILD, CONSTRAINT, DEV, MAIN, Declared
from rtrace.declared.names import INTERPRETER, normalise_python

if TYPE_CHECKING:
    from rtrace.declared.model import Declarations, Folder

_CARET = re.compile(r"([\^~])\s*v?(\d+)(?:\.(\d+))?(?:\.(\d+))?((?:[.-]?[a-z0-9]+)*)")
_PLAIN = re.compile(r"v?\d[\w.+!-]*")
_WILD = re.compile(r"v?(\d+(?:\.\d+)*)\.\*")


def read_pyproject(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a pyproject.toml declares: dependencies, extras, groups, and what building needs. Raises ValueError."""
    document = read_toml(data)
    project = mapping(document.get("project"))
    python = text(project.get("requires-python"))
    if python:
        into.items.append(Declared("python", INTERPRETER, python, name, CONSTRAINT))
    for line in texts(project.get("dependencies")):
        add_requirement(line, name, MAIN, into)
    for extra, lines in mapping(project.get("optional-dependencies")).items():
        for line in texts(lines):
            add_requirement(line, name, f"extra {extra}", into)
    for entries in mapping(document.get("dependency-groups")).values():
        for line in texts(entries):  # a table includes another group, which is read as well
            add_requirement(line, name, DEV, into)
    for line in texts(mapping(document.get("build-system")).get("requires")):
        add_requirement(line, name, BUILD, into)
    tool = mapping(document.get("tool"))
    for line in texts(mapping(tool.get("uv")).get("dev-dependencies")):
        add_requirement(line, name, DEV, into)
    _read_poetry(name, mapping(tool.get("poetry")), into)


def _read_poetry(name: str, poetry: dict[str, object], into: Declarations) -> None:
    tables = [(MAIN, poetry.get("dependencies")), (DEV, poetry.get("dev-dependencies"))]
    for group, table in mapping(poetry.get("group")).items():
        tables.append((MAIN if group == MAIN else DEV, mapping(table).get("dependencies")))
    for group, table in tables:
        for package, wanted in mapping(table).items():
            if package == INTERPRETER:
                into.items.append(Declared("python", INTERPRETER, translate_poetry(text(wanted)), name, CONSTRAINT))
                continue
            choices = items(wanted) or [wanted]
            constraints = [text(mapping(one).get("version")) if isinstance(one, dict) else text(one) for one in choices]
            optional = any(mapping(one).get("optional") is True for one in choices)
            constraint = translate_poetry(constraints[0]) if len(constraints) == 1 else ""
            into.items.append(
                Declared("python", normalise_python(package), constraint, name, "extra" if optional else group)
            )


def translate_poetry(constraint: str) -> str:
    """Return one of Poetry's constraints as specifiers; nothing, which means any version, where it has alternatives."""
    if "||" in constraint or "|" in constraint:
        return ""
    return ",".join(filter(None, (_translate_part(part.strip()) for part in constraint.split(","))))


def _translate_part(part: str) -> str:
    if part in {"", "*"}:
        return ""
    wild = _WILD.fullmatch(part)
    if wild is not None:
        return f"=={wild[1]}.*"
    match = _CARET.fullmatch(part)
    if match is None:
        return f"=={part}" if _PLAIN.fullmatch(part) else part
    numbers = [int(number) for number in match.group(2, 3, 4) if number is not None]
    lowest = ".".join(map(str, numbers)) + match[5]
    if match[1] == "~":
        upper = [numbers[0] + 1] if len(numbers) == 1 else [numbers[0], numbers[1] + 1]
    else:
        place = next((place for place, number in enumerate(numbers) if number), len(numbers) - 1)
        upper = [*numbers[:place], numbers[place] + 1]
    return f">={lowest},<{'.'.join(map(str, upper))}"
