"""Metadata for archives and catalogues: CITATION.cff (1.2.0), codemeta.json (3.0), .zenodo.json.

https://github.com/citation-file-format/citation-file-format/blob/main/schema-guide.md,
https://codemeta.github.io/terms/, https://developers.zenodo.org/#representation
"""

from __future__ import annotations

import html
import json
import time
from typing import TYPE_CHECKING

from rtrace.appendix.blocks import MARK
from rtrace.printable import shell_word

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.appendix.facts import Facts

CODEMETA = "https://w3id.org/codemeta/3.0"
_TITLE = f"{MARK}: the title of the paper's artefact"
_AUTHOR = f"{MARK}: the authors"
_LICENCE = f"{MARK}: the licence"
TODOS = ("the title of the artefact", "the authors, with ORCID", "the licence", "the DOI, once there is one")
"""What only the author knows of these files."""
_KEYWORDS = ("reproducibility", "artefact evaluation", "rtrace")


def _describe(facts: Facts) -> str:
    commands = "; ".join(run.command for run in facts.runs)
    return (
        f"A bundle of rtrace, {facts.bundle}, that holds every program, library and file that the recorded runs used "
        f"({commands}). `rtrace verify {shell_word(facts.bundle)}` replays them and compares every output with the "
        "original's."
    )


def _date(facts: Facts) -> str | None:
    """Return the day on which the last run ended; None for a time that no calendar has."""
    try:
        return None if facts.ended is None else time.strftime("%Y-%m-%d", time.gmtime(facts.ended))
    except (OverflowError, ValueError, OSError):
        return None


def _repository(facts: Facts) -> tuple[str | None, str | None]:
    """Return the address of the source code, if a browser can open it, and the commit."""
    for remote, commit in facts.repositories:
        if remote.startswith(("https://", "http://")) and not any(
            char.isspace() or char in "\"'<>\\" for char in remote
        ):
            return remote, commit or None
    return None, None


def write_citation(facts: Facts) -> str:
    """Return a CITATION.cff."""
    remote, commit = _repository(facts)
    lines = [
        "cff-version: 1.2.0",
        "message: If you use this artefact, please cite it as below.",
        f"title: {_text(_TITLE)}",
        f"abstract: {_text(_describe(facts))}",
        "type: dataset",
        f"# {_LICENCE}, as `license:` and an identifier of SPDX",
        f"# {MARK}: the DOI, as `doi:`",
        "authors:",
        f"  - name: {_text(_AUTHOR)}",
        "keywords:",
        *(f"  - {_text(word)}" for word in _KEYWORDS),
        "identifiers:",
        "  - type: other",
        f"    value: {_text(facts.identity)}",
        "    description: The identity of the bundle, as `rtrace check` says it.",
    ]
    lines += [f"repository-code: {_text(remote)}"] if remote else []
    lines += [f"commit: {_text(commit)}"] if commit else []
    return "\n".join([*lines, ""])


def _text(value: str) -> str:
    """Write a string as YAML: JSON's are YAML's."""
    return json.dumps(value)


def write_codemeta(facts: Facts) -> str:
    """Return a codemeta.json."""
    remote, _ = _repository(facts)
    document: dict[str, object] = {
        "@context": CODEMETA,
        "@type": "SoftwareSourceCode",
        "name": _TITLE,
        "description": _describe(facts),
        "author": [{"@type": "Person", "name": _AUTHOR}],
        "license": _LICENCE,
        "identifier": facts.identity,
        "fileSize": f"{facts.size} B",
        "dateCreated": _date(facts),
        "codeRepository": remote,
        "programmingLanguage": _list(facts.languages),
        "operatingSystem": _list(facts.system),
        "runtimePlatform": _list(facts.compilers),
        "processorRequirements": _list(facts.hardware),
        "memoryRequirements": None if facts.memory is None else f"{facts.memory} B",
        "storageRequirements": f"{facts.disk} B",
        "keywords": list(_KEYWORDS),
        "softwareRequirements": [
            {
                "@type": "SoftwareApplication",
                "name": one.name,
                "version": one.version,
                "identifier": f"{one.manager}:{one.name}",
            }
            for one in facts.packages
        ],
    }
    return json.dumps({key: value for key, value in document.items() if value not in (None, [])}, indent=2) + "\n"


def _list(values: Sequence[str]) -> str | list[str] | None:
    return None if not values else values[0] if len(values) == 1 else list(values)


def write_zenodo(facts: Facts) -> str:
    """Return a .zenodo.json; descriptions are HTML there."""
    notes = f"Identity of the bundle: {facts.identity}. SHA-256 of the file: {facts.sha256}."
    document = {
        "title": _TITLE,
        "upload_type": "dataset",
        "description": f"<p>{html.escape(_describe(facts))}</p>",
        "creators": [{"name": _AUTHOR, "affiliation": MARK}],
        "keywords": list(_KEYWORDS),
        "notes": html.escape(notes),
    }
    return json.dumps(document, indent=2) + "\n"
