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
_SHARED = re.compile(rb".*/[^/]+\.so(?:\.[0-9][0-9A-Za-z.]*)?", re.DOTALL)
_PYTHON = rb"(?P<folder>.*/(?:lib(?:64)?/(?:python|pypy)[0-9.]*|site-packages|dist-packages))/(?:lib-dynload/)?"
_MODULES = (
    (
        "Python",
        re.compile(
            _PYTHON + rb"(?!site-packages/|dist-packages/|lib-dynload/)(?:__pycache__/)?"
            rb"(?P<name>[A-Za-z_]\w*)(?:/.*|\.[^/]*)",
            re.DOTALL,
        ),
    ),
    (
        "R",
        re.compile(
            rb"(?P<folder>.*/(?:library|site-library))/(?P<name>[A-Za-z][\w.]*)/(?:R|libs|Meta|help)/.*", re.DOTALL
        ),
    ),
    ("JavaScript", re.compile(rb"(?P<folder>.*/node_modules)/(?P<name>(?:@[^/]+/)?[^/.][^/]*)/.*", re.DOTALL)),
    ("Ruby", re.compile(rb"(?P<folder>.*/gems)/(?P<name>[^/]+?)-[0-9][^/]*/.*", re.DOTALL)),
    ("Julia", re.compile(rb"(?P<folder>.*/\.julia/packages)/(?P<name>[^/]+)/.*", re.DOTALL)),
)


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
        elif _SHARED.fullmatch(path) and len(objects) < MOST_LIBRARIES:
            fact = read_shared_object(to_text(path))
            owner = evidence.owners.get(path)
            if owner is not None:
                fact["version"], fact["package"] = owner.version, evidence.name_owner(path)
            objects.append(fact)
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


def _find_module(evidence: Evidence, path: bytes) -> tuple[str, bytes, LibraryFact] | None:
    """Return the language, the place and the facts of the module that a file is a part of."""
    for language, pattern in _MODULES:
        found = pattern.fullmatch(path)
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
