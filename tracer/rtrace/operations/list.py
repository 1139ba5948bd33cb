"""Choose files of a bundle: by path, package, reason and owner."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fnmatch import translate
from typing import TYPE_CHECKING

from rtrace.files.patterns import Patterns

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.protocol import OpenBundle

UNOWNED = "unowned"


@dataclass(frozen=True, slots=True)
class FileChoice:
    """Which files are wanted: those that fit everything that is given.

    ``patterns`` are glob patterns over absolute paths, as in a manifest's ``include``; a folder stands for all in it.
    ``packages`` and ``reasons`` are glob patterns over the names of packages and the words of reasons, in any case.
    """

    patterns: Sequence[bytes] = ()
    packages: Sequence[str] = ()
    reasons: Sequence[str] = ()
    unowned: bool = False


def list_entries(bundle: OpenBundle, choice: FileChoice) -> Iterator[Entry]:
    """Yield the packed files that are wanted, in the order of their paths. Raises BundleError."""
    patterns = Patterns(choice.patterns) if choice.patterns else None
    packages, reasons = _compile(choice.packages), _compile(choice.reasons)
    for entry in bundle.iterate_entries():
        if choice.unowned and entry.belonging != UNOWNED:
            continue
        if packages is not None and not packages.match(entry.package or ""):
            continue
        if reasons is not None and not reasons.match(entry.reason):
            continue
        if patterns is None or patterns.match(entry.path):
            yield entry


def describe_owner(entry: Entry) -> str:
    """Return whose a file is: a package, ``experiment`` or ``unowned``; and why, if no package lists it."""
    if entry.package and entry.belonging:
        return f"{entry.package} ({entry.belonging})"
    return entry.package or entry.belonging or "-"


def _compile(globs: Sequence[str]) -> re.Pattern[str] | None:
    return re.compile("|".join(map(translate, globs)), re.IGNORECASE) if globs else None
