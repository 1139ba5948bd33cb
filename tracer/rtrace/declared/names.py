"""One name for one package, however a file or a package manager writes it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.model import Used

if TYPE_CHECKING:
    from rtrace.declared.model import Ecosystem

_SEPARATORS = re.compile(r"[-_.]+")
_DEBIAN_PYTHON = re.compile(r"python3-([a-z0-9][a-z0-9.+-]*)")
_DEBIAN_INTERPRETER = re.compile(r"python3\.\d+-minimal")
_DEBIAN_R = re.compile(r"r-(?:cran|bioc)-([a-z0-9][a-z0-9.+-]*)")
_EPOCH = re.compile(r"^\d+:")
_ADDED = re.compile(r"(?:[+~](?:dfsg|ds|repack|git)[^-]*)?-[^-]*$")
_ECOSYSTEMS: dict[str, Ecosystem] = {
    "python": "python",
    "conda": "conda",
    "R": "R",
    "npm": "npm",
    "dpkg": "dpkg",
    "rpm": "rpm",
    "apk": "apk",
}
INTERPRETER = "python"
"""What Python itself is called among distributions of Python: it is never declared as one."""
SYSTEMS = frozenset({"dpkg", "rpm", "apk"})
INSTALLERS = frozenset({INTERPRETER, "pip", "setuptools", "wheel", "uv", "virtualenv", "npm", "corepack", "renv"})
"""What is there so that others can be installed and run: nobody has to declare it."""


def normalise_python(name: str) -> str:
    """Return the name of a Python distribution as PEP 503 has it."""
    return _SEPARATORS.sub("-", name).lower()


def normalise(ecosystem: Ecosystem, name: str) -> str:
    """Return the one name of a package."""
    if ecosystem == "python":
        return normalise_python(name)
    if ecosystem == "conda":
        return name.lower()
    return name


def find_used(manager: str, shown: str, version: str, origin: str = "") -> list[Used]:
    """Return what a package of a manager is in the ecosystems that rtrace compares; nothing for another manager's.

    A package of Debian that brings a Python distribution or a package of R is that one, too, and so is one of conda.
    """
    ecosystem = _ECOSYSTEMS.get(manager)
    name, nested, _place = shown.partition(" in ")  # of several in several folders
    if ecosystem is None or version in {"develop", "unknown"} or (nested and name == "environment"):
        return []
    if nested and name == "venv":  # its version is that of the interpreter
        return [Used("python", INTERPRETER, version, manager, INTERPRETER)]
    if ecosystem == "dpkg":
        name = name.partition(":")[0]
    build = ""
    if ecosystem == "conda":
        version, _, build = version.partition("-")
    found = [Used(ecosystem, normalise(ecosystem, name), version, manager, name, origin, build)]
    if ecosystem == "conda":
        found.append(Used("python", normalise_python(name), version, manager, name))
    if ecosystem == "dpkg":
        upstream = _ADDED.sub("", _EPOCH.sub("", version))
        if _DEBIAN_INTERPRETER.fullmatch(name):
            found.append(Used("python", INTERPRETER, upstream, manager, name))
        for pattern, other in ((_DEBIAN_PYTHON, "python"), (_DEBIAN_R, "R")):
            match = pattern.fullmatch(name)
            if match is not None:
                found.append(Used(other, match[1], upstream, manager, name))  # type: ignore[arg-type]
    return found
