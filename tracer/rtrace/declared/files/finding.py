"""Which files of a project declare something, and all that they declare."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.files import conda, npm, pyproject, python_locks, r, requirements, system
from rtrace.declared.model import Declarations
from rtrace.printable import printable_text

if TYPE_CHECKING:
    from rtrace.declared.model import Folder

_READERS = (
    (r"pyproject\.toml", pyproject.read_pyproject),
    (r"uv\.lock", python_locks.read_uv),
    (r"poetry\.lock", python_locks.read_poetry),
    (r"pylock(\.[^.]+)?\.toml", python_locks.read_pylock),
    (r"(.*[-_.])?requirements([-_.].*)?\.(txt|in)|requirements/[^/]+\.(txt|in)", requirements.read_requirements),
    (r"environment\.ya?ml", conda.read_environment),
    (r"renv\.lock", r.read_renv),
    (r"DESCRIPTION", r.read_description),
    (r"package\.json", npm.read_package),
    (r"package-lock\.json|npm-shrinkwrap\.json", npm.read_lock),
    (r"(.*\.)?(Dockerfile|Containerfile)(\..*)?", system.read_dockerfile),
    (r"apt(-packages)?\.txt|Aptfile|apt-requirements\.txt", system.read_apt),
)
_PATTERNS = [(re.compile(pattern), reader) for pattern, reader in reversed(_READERS)]
"""The last one first: a list for apt may have `requirements` in its name."""


def is_declaration(name: str) -> bool:
    """Whether a file of a project, by its name in it, is one that rtrace reads."""
    return any(pattern.fullmatch(name) for pattern, _ in _PATTERNS)


def read_declarations(folder: Folder) -> Declarations:
    """Return all that the files of a project declare; what could not be read is among the problems."""
    found = Declarations()
    for name in folder.list_names():
        reader = next((reader for pattern, reader in _PATTERNS if pattern.fullmatch(name)), None)
        if reader is None or name in found.files:
            continue
        data = folder.read(name)
        if data is None:
            found.problems.append(f"{name} cannot be read")
            continue
        found.files.append(name)
        try:
            reader(name, data, folder, found)
        except ValueError as error:
            found.problems.append(f"{name} is not as it should be ({printable_text(str(error)[:200])})")
    return found
