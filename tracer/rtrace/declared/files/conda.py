"""environment.yml of conda: packages with versions, and those that pip installs into it.

https://docs.conda.io/projects/conda/en/latest/user-guide/tasks/manage-environments.html
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.files.requirements import add_requirement
from rtrace.declared.files.values import items, mapping, read_yaml, texts
from rtrace.declared.model import MAIN, Declared

if TYPE_CHECKING:
    from rtrace.declared.model import Declarations, Folder

_SPEC = re.compile(r"(?:[^\s:]+::)?([A-Za-z0-9_][A-Za-z0-9_.-]*)\s*(.*)")
_EXACT = re.compile(r"=(?!=)([^=\s]+)=([^=\s]+)")
_PLAIN = re.compile(r"(\S+)\s+\S+")


def read_environment(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what an environment.yml declares. Raises ValueError."""
    dependencies = items(read_yaml(data).get("dependencies"))
    for line in texts(dependencies):
        add_spec(line, name, into)
    for table in dependencies:
        for requirement in texts(mapping(table).get("pip")):
            if not requirement.startswith("-"):
                add_requirement(requirement, name, MAIN, into)


def add_spec(line: str, source: str, into: Declarations) -> None:
    """Add a package as ``conda install`` takes it: ``name``, ``name=1.2``, ``name=1.2=build``, ``name>=1.2,<2``."""
    match = _SPEC.fullmatch(line.strip().partition("[")[0])
    if match is None:
        return
    constraint = match[2].strip()
    exact = _EXACT.fullmatch(constraint)
    if exact is not None:  # with a build: that very version
        constraint = f"=={exact[1]}"
    elif (plain := _PLAIN.fullmatch(constraint)) is not None and constraint[:1].isdigit():
        constraint = f"=={plain[1]}"
    if match[1].lower() != "pip":
        into.items.append(Declared("conda", match[1].lower(), constraint.replace(" ", ""), source, MAIN))
