"""What installed packages say of themselves: which others they need. Each reads one file of metadata.

https://packaging.python.org/en/latest/specifications/core-metadata/ and deb-control(5).
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.files.r import list_needed
from rtrace.declared.files.values import decode, mapping, read_json, text, texts
from rtrace.declared.names import normalise_python
from rtrace.declared.pep508 import parse_requirement

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.declared.model import Key

_MOST_EXTRAS = 200
MOST_WORK = 200_000
"""Needs of packages that are read: a bundle is a stranger's, and each takes some ten microseconds."""
_SEPARATORS = re.compile(r"[-_.]+")
_DEBIAN_FIELDS = ("Depends", "Pre-Depends", "Recommends")
_DEBIAN_NAME = re.compile(r"\s*([a-z0-9][a-z0-9+.-]*)")
_BASIC = frozenset({"required", "important", "standard"})
"""Priorities of packages that a system of Debian has before anybody installs anything."""
_R_NAME = re.compile(r"^Package:\s*(\S+)", re.MULTILINE)

Requires = dict["Key", "set[Key]"]


def read_metadata(data: bytes, into: Requires) -> int:
    """Add what a Python distribution's METADATA says that it and each of its extras need; return how many were read."""
    head = decode(data).partition("\n\n")[0]
    fields = [line.partition(": ")[::2] for line in head.splitlines()]
    name = next((normalise_python(value.strip()) for field, value in fields if field == "Name"), None)
    if name is None:
        return 0
    extras = [normalise_python(value.strip()) for field, value in fields if field == "Provides-Extra"][:_MOST_EXTRAS]
    into.setdefault(("python", name), set())
    work = 0
    for line in (value for field, value in fields if field == "Requires-Dist"):
        asking = ["", *(extra for extra in extras if extra in _SEPARATORS.sub("-", line).lower())]
        for extra in asking:
            work += 1
            if work > MOST_WORK:
                return work
            try:
                needed = parse_requirement(line, (extra,))
            except ValueError:
                break
            if needed.applies:
                key: Key = ("python", f"{name}[{extra}]" if extra else name)
                others = [needed.name, *(f"{needed.name}[{other}]" for other in needed.extras)]
                into.setdefault(key, set()).update(("python", other) for other in others)
    return work


def read_r(data: bytes, into: Requires) -> int:
    """Add what the DESCRIPTION of an installed package of R says; return how many packages it needs."""
    content = decode(data)
    name = _R_NAME.search(content)
    needed = list_needed(content) if name is not None else []
    if name is not None:
        into.setdefault(("R", name[1]), set()).update(("R", other) for other, _ in needed)
    return len(needed)


def read_npm(data: bytes, into: Requires) -> int:
    """Add what the package.json of an installed package of npm says; return how many it needs. Raises ValueError."""
    document = read_json(data)
    name = text(document.get("name"))
    for field in ("dependencies", "optionalDependencies", "peerDependencies"):
        into.setdefault(("npm", name), set()).update(("npm", other) for other in mapping(document.get(field)))
    return len(into["npm", name])


def read_conda(data: bytes, into: Requires) -> int:
    """Add what a file of conda-meta says; return how many packages it needs. Raises ValueError."""
    document = read_json(data)
    needed = {("conda", line.split()[0].lower()) for line in texts(document.get("depends")) if line.strip()}
    into.setdefault(("conda", text(document.get("name")).lower()), set()).update(needed)  # type: ignore[arg-type]
    return len(needed)


def read_dpkg(data: bytes, into: Requires) -> int:
    """Add what the status file of dpkg says; return how many packages it has.

    What every system has, the package without a name needs.
    """
    for paragraph in decode(data).split("\n\n"):
        fields = dict(line.partition(": ")[::2] for line in paragraph.splitlines() if line[:1].isalpha())
        name = fields.get("Package", "")
        if fields.get("Priority") in _BASIC or fields.get("Essential") == "yes":
            into.setdefault(("dpkg", ""), set()).add(("dpkg", name))
        needed = into.setdefault(("dpkg", name), set())
        for field in _DEBIAN_FIELDS:
            for choice in re.split("[,|]", fields.get(field, "")):
                match = _DEBIAN_NAME.match(choice)
                if match is not None:
                    needed.add(("dpkg", match[1]))
    return len(into)


KINDS: tuple[tuple[re.Pattern[bytes], Callable[[bytes, Requires], int]], ...] = (
    (re.compile(rb".*/(?:site|dist)-packages/[^/]+\.dist-info/METADATA"), read_metadata),
    (re.compile(rb".*/node_modules/(?:@[^/]+/)?[^/@]+/package\.json"), read_npm),
    (re.compile(rb".*/conda-meta/[^/]+\.json"), read_conda),
    (re.compile(rb".*/[^/]*library/(?:[^/]+/)*[A-Za-z][A-Za-z0-9.]*/DESCRIPTION"), read_r),
    (re.compile(rb"/var/lib/dpkg/status"), read_dpkg),
)
"""What files of metadata are called, and what reads them."""
