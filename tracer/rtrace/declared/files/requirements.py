"""requirements.txt as pip reads it: https://pip.pypa.io/en/stable/reference/requirements-file-format/."""

from __future__ import annotations

import posixpath
import re
from typing import TYPE_CHECKING

from rtrace.declared.files.values import decode
from rtrace.declared.model import CONSTRAINT, DEV, MAIN, Declared
from rtrace.declared.names import normalise_python
from rtrace.declared.pep508 import parse_requirement
from rtrace.printable import count_more

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.declared.model import Declarations, Folder

_CONTINUED = re.compile(r"\\\r?\n")
_COMMENT = re.compile(r"(^|\s+)#.*$", re.MULTILINE)
_HASH = re.compile(r"--hash[= ]\s*sha256:([0-9a-fA-F]{64})")
_OPTION = re.compile(r"\s--?[A-Za-z].*$")
_INCLUDED = re.compile(r"(?:-r|--requirement|-c|--constraint)[= ]?\s*(\S+)")
_EGG = re.compile(r"#egg=([A-Za-z0-9._-]+)")
_DEV_NAME = re.compile(r"dev|test|doc|lint|build|ci\b|check|typing", re.IGNORECASE)
_PIN = re.compile(r"==([^,*\s]+)")
ARCHIVES = (".whl", ".tar.gz", ".zip")
_DEEPEST = 10


def read_requirements(
    name: str, data: bytes, folder: Folder, into: Declarations, depth: int = 0, group: str = ""
) -> None:
    """Add what a requirements file declares, and the files that it includes; its name says whether it is for tests.

    A file of constraints needs nothing, and says which version it has to be. Raises ValueError for a line that is no
    requirement.
    """
    group = group or (DEV if _DEV_NAME.search(posixpath.basename(name)) else MAIN)
    wrong: list[str] = []
    for line in read_lines(data):
        included = _INCLUDED.fullmatch(line)
        if included is not None:
            constraining = CONSTRAINT if line.startswith(("-c", "--constraint")) else ""
            _include(name, included[1], folder, into, depth, constraining)
        elif line.startswith(("-e", "--editable")) or "://" in line.partition(" @ ")[0]:
            egg = _EGG.search(line)
            if egg is not None:
                into.items.append(Declared("python", normalise_python(egg[1]), "", name, group))
        elif not line.startswith(("-", ".", "/")) and (" @ " in line or not line.endswith(ARCHIVES)):
            try:
                add_requirement(line, name, group, into)
            except ValueError as error:  # a line that is none spoils no other
                wrong.append(str(error))
    if wrong:
        raise ValueError(f"{wrong[0]}{count_more(len(wrong) - 1, 'line')}")


def read_lines(data: bytes) -> Iterator[str]:
    """Yield the lines of a requirements file, joined where they go on, without comments."""
    text = _COMMENT.sub("", _CONTINUED.sub(" ", decode(data)))
    yield from (line.strip() for line in text.splitlines() if line.strip())


def add_requirement(line: str, source: str, group: str, into: Declarations) -> None:
    """Add one requirement, and the hashes that are pinned with it. Raises ValueError."""
    hashes = {found.lower() for found in _HASH.findall(line)}
    found = parse_requirement(_OPTION.sub("", line).strip(), _extras(group))
    pin = _PIN.fullmatch(found.constraint)
    if pin is not None and hashes:
        into.hashes.setdefault((found.name, pin[1]), set()).update(hashes)
    if found.applies:
        for extra in found.extras:
            into.require(("python", found.name), ("python", f"{found.name}[{extra}]"))
        into.items.append(Declared("python", found.name, found.constraint, source, group))


def _extras(group: str) -> tuple[str, ...]:
    return ("", group.removeprefix("extra ")) if group.startswith("extra ") else ("",)


def _include(name: str, other: str, folder: Folder, into: Declarations, depth: int, group: str) -> None:
    path = posixpath.normpath(posixpath.join(posixpath.dirname(name), other))
    if depth >= _DEEPEST or path in into.files:
        return
    data = folder.read(path)
    if data is None:
        into.problems.append(f"{name} includes {other}, which is not there")
        return
    into.files.append(path)
    read_requirements(path, data, folder, into, depth + 1, group)
