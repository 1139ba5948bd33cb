"""What the programs of a run loaded: shared objects, modules of languages, and the packages that all of it is from."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.path_text import to_text
from rtrace.record.facts.libraries import read_shared_object
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from rtrace.record.document import LibraryFact, PackageFact
    from rtrace.record.taking.evidence import Evidence

MOST_LIBRARIES = 2000
MOST_PACKAGES = 5000
_LOADED = int(Use.READ | Use.EXECUTE)
_SUFFIX = b".so"
_PYTHON = rb"(?P<folder>.*/(?:lib(?:64)?/(?:python|pypy)[0-9.]*|site-packages|dist-packages))/(?:lib-dynload/)?"
_MODULES = (
    (
        "Python",
        (b"/python", b"/pypy", b"-packages/"),
        _PYTHON + rb"(?!site-packages/|dist-packages/|lib-dynload/)(?:__pycache__/)?"
        rb"(?P<name>[A-Za-z_]\w*)(?:/.*|\.[^/]*)",
    ),
    (
        "R",
        (b"library/",),
        rb"(?P<folder>.*/(?:library|site-library))/(?P<name>[A-Za-z][\w.]*)/(?:R|libs|Meta|help)/.*",
    ),
    ("JavaScript", (b"/node_modules/",), rb"(?P<folder>.*/node_modules)/(?P<name>(?:@[^/]+/)?[^/.][^/]*)/.*"),
    ("Ruby", (b"/gems/",), rb"(?P<folder>.*/gems)/(?P<name>[^/]+?)-[0-9][^/]*/.*"),
    ("Julia", (b"/.julia/packages/",), rb"(?P<folder>.*/\.julia/packages)/(?P<name>[^/]+)/.*"),
)
"""Languages, each with what stands in the path of every module, and a pattern, which is compiled when one has that."""


def describe_libraries(evidence: Evidence) -> list[LibraryFact]:
    """Return the shared objects and the top-level modules that a run loaded, each with its package's version."""
    objects: list[LibraryFact] = []
    modules: dict[tuple[str, bytes], LibraryFact] = {}
    for path, file in evidence.found.items():
        if file.type != "file" or not file.use & _LOADED or file.own:
            continue
        module = _find_module(evidence, path)
        if module is not None:
            language, place, fact = module
            known = modules.setdefault((language, place), fact)
            if known["version"] is None:
                known["version"], known["package"] = fact["version"], fact["package"]
        elif len(objects) < MOST_LIBRARIES and is_shared_object(path.rpartition(b"/")[2]):
            owner = evidence.owners.get(path)
            version = None if owner is None else owner.version
            objects.append(read_shared_object(to_text(path), package=evidence.name_owner(path), version=version))
    return [*objects, *modules.values()][:MOST_LIBRARIES]


def describe_packages(evidence: Evidence) -> list[PackageFact]:
    """Return the packages of which a run used files, sorted."""
    used = {owner for path in evidence.found if (owner := evidence.owners.get(path)) is not None}
    return [
        {
            "kind": owner.manager,
            "name": owner.name,
            "version": owner.version or None,
            "architecture": owner.architecture or None,
            "origin": owner.origin or None,
        }
        for owner in sorted(used)[:MOST_PACKAGES]
    ]


def is_shared_object(name: bytes) -> bool:
    """Whether a file's name is that of a shared object, with its version or without: libz.so.1.2.13."""
    place = name.find(_SUFFIX, 1)
    while place > 0:
        version = name[place + len(_SUFFIX) :]
        if not version or (version[:1] == b"." and version[1:2].isdigit() and version.replace(b".", b"").isalnum()):
            return True
        place = name.find(_SUFFIX, place + 1)
    return False


def _find_module(evidence: Evidence, path: bytes) -> tuple[str, bytes, LibraryFact] | None:
    """Return the language, the place and the facts of the module that a file is a part of."""
    for language, signs, pattern in _MODULES:
        found = re.fullmatch(pattern, path, re.DOTALL) if any(sign in path for sign in signs) else None
        if found is None:
            continue
        name = found["name"].partition(b".")[0] if language == "Python" else found["name"]
        if language == "Python" and name.startswith(b"__"):
            return None
        place = found["folder"] + b"/" + name
        owner = evidence.owners.get(path)
        fact: LibraryFact = {
            "name": to_text(name),
            "path": to_text(place if os.path.isdir(place) else path),
            "version": None if owner is None else owner.version,
            "build_id": None,
            "language": language,
            "package": evidence.name_owner(path),
        }
        return language, place, fact
    return None
