"""What makes a bundle anonymous, as a value: decided before anything is written."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.packages.language.sites import SITE
from rtrace.privacy.anonymous.ids import assign_ids
from rtrace.privacy.anonymous.names import PersonalNames
from rtrace.privacy.anonymous.pseudonyms import Pseudonyms, find_homes, find_pseudonyms
from rtrace.trace.rewriting import is_in_some_path, read_kept_streams, read_paths

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Sequence
    from pathlib import Path

    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.manifest.model import Run


@dataclass(frozen=True, slots=True)
class Anonymity:
    """What is replaced in an anonymous bundle.

    ``ids`` are new ids by old ones, as far as the runs have them. Files that match the patterns ``allowed`` may hold
    names. ``others`` are home folders of people whose names stay. ``modules_change`` is whether a pseudonym changes the
    name of a module of a package. ``streams`` are the files of standard streams by run and descriptor, whose digests
    change.
    """

    pseudonyms: Pseudonyms
    ids: Mapping[int, int] = field(default_factory=dict)
    allowed: tuple[bytes, ...] = ()
    others: tuple[bytes, ...] = ()
    modules_change: bool = False
    streams: Mapping[tuple[str, int], bytes] = field(default_factory=dict)


def plan_anonymity(
    connection: sqlite3.Connection,
    runs: Sequence[Run],
    items: Sequence[Item],
    streams: Path,
    allowed: tuple[bytes, ...] = (),
    people: frozenset[bytes] = frozenset(),
) -> Anonymity:
    """Decide what is replaced; ``streams`` is the folder of what the runs wrote to standard output and error.

    ``people`` are further names of who ran them.
    """
    pseudonyms = find_pseudonyms(runs, partial(is_in_some_path, connection), people)
    names = PersonalNames(pseudonyms)
    homes = {*find_homes(read_paths(connection)), *find_homes(item.entry.path for item in items)}
    folder = os.fsencode(streams)
    debug(
        __name__,
        "%d names get pseudonyms, %d are too short for that; home folders of other people: %d",
        len(pseudonyms.names),
        len(pseudonyms.short),
        len(homes),
    )
    return Anonymity(
        pseudonyms,
        assign_ids(number for run in runs for number in (run.uid, run.gid, *run.groups)),
        allowed,
        tuple(sorted(home for home in homes if names.replace(home) == home)),
        modules_change=any(_changes_module(item, names) for item in items),
        streams={key: os.path.join(folder, os.fsencode(file)) for key, file in read_kept_streams(connection).items()},
    )


def _changes_module(item: Item, names: PersonalNames) -> bool:
    """Whether a pseudonym changes the name of a module of a distribution: then all that imports it changes as well."""
    match = SITE.match(item.entry.path) if item.entry.package is not None else None
    inside = b"" if match is None else item.entry.path[len(match[1]) :]
    return names.replace(inside) != inside
