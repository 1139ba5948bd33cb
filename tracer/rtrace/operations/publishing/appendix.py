"""`rtrace appendix`: what a committee and an archive ask for besides a bundle, written from it."""

from __future__ import annotations

import os
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace import __version__
from rtrace.appendix.blocks import find_todos
from rtrace.appendix.facts import gather_facts
from rtrace.appendix.latex import write_latex
from rtrace.appendix.markdown import write_markdown
from rtrace.appendix.metadata import TODOS, write_citation, write_codemeta, write_zenodo
from rtrace.appendix.venues import VENUES, write_readme
from rtrace.bundle.counts import Counts
from rtrace.errors import UsageError
from rtrace.files.incomplete import Incomplete
from rtrace.files.reading import hash_file
from rtrace.opening import open_bundle
from rtrace.record.bundled import read_bundled

if TYPE_CHECKING:
    from rtrace.appendix.facts import Facts
    from rtrace.appendix.venues import Venue

PARTS = ("appendix", "readme", "citation", "codemeta", "zenodo")
_FILES = {"readme": "README.md", "citation": "CITATION.cff", "codemeta": "codemeta.json", "zenodo": ".zenodo.json"}
METADATA = frozenset({"citation", "codemeta", "zenodo"})


@dataclass(frozen=True, slots=True)
class Written:
    """The texts by the names of their files, what is left to the author, and the identity of the bundle."""

    texts: Mapping[str, str]
    todos: tuple[str, ...]
    identity: str


def write_appendix(bundle: Path, venue: str, chosen: Collection[str]) -> Written:
    """Return the chosen parts for a venue (a key of `VENUES`); nothing is written yet.

    Raises BundleError, and UsageError for a file that cannot be read.
    """
    facts = read_facts(bundle)
    texts: dict[str, str] = {}
    todos: list[str] = []
    for part in PARTS:
        if part in chosen:
            name, text, left = _write_part(part, facts, VENUES[venue])
            texts[name] = text
            todos += left
    return Written(texts, tuple(dict.fromkeys(todos)), facts.identity)


def read_facts(bundle: Path) -> Facts:
    """Return what a bundle knows. Raises BundleError."""
    with open_bundle(bundle) as opened:
        counts = Counts()
        for entry in opened.iterate_entries():
            counts.add(entry)
        records = read_bundled(opened)
        digest = hash_file(os.fsencode(bundle))
        if digest is None:
            raise UsageError(f"{bundle} cannot be read any more; name a file that stays")
        return gather_facts(opened, records, digest.hex(), bundle.stat().st_size, counts.size)


def _write_part(part: str, facts: Facts, venue: Venue) -> tuple[str, str, list[str]]:
    """Return the name of a part's file, its text, and what is left to the author."""
    if part in METADATA:
        writer = {"citation": write_citation, "codemeta": write_codemeta, "zenodo": write_zenodo}[part]
        return _FILES[part], writer(facts), list(TODOS)
    head = f"Written by rtrace {__version__} from the bundle {facts.bundle}, {facts.identity}."
    blocks = list(write_readme(facts) if part == "readme" else venue.write(facts))
    is_latex = part == "appendix" and venue.latex
    text = (write_latex if is_latex else write_markdown)(blocks, head)
    return (venue.file if part == "appendix" else _FILES[part]), text, list(find_todos(blocks))


def save(written: Written, place: Path, *, force: bool) -> list[Path]:
    """Write one text as a file, or several into a folder, which is made; return the files.

    None is written where one is there already, unless with ``force``. Raises UsageError and BundleError.
    """
    if len(written.texts) == 1 and not place.is_dir():
        targets = [place]
    else:
        targets = [place / name for name in written.texts]
        if place.exists() and not place.is_dir():
            raise UsageError(f"{place} is a file, and {len(targets)} files are written; name a folder with -o")
    taken = [target for target in targets if os.path.lexists(target)]
    if taken and not force:
        raise UsageError(f"{taken[0]} exists already; name another place with -o, or replace it with --force")
    try:
        targets[0].parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UsageError(f"cannot make {targets[0].parent}: {error.strerror}; name another place with -o") from None
    for target, text in zip(targets, written.texts.values(), strict=True):
        with Incomplete(target, replace=force) as incomplete:
            whole = incomplete.folder / "whole"
            whole.write_text(text, encoding="utf-8", errors="backslashreplace", newline="\n")
            incomplete.give_name(whole)
    return targets
