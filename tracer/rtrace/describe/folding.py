"""Lists of files made short enough for a person to read."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.describe.internals import Prefixes

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_MOST_FOLDERS = 20
"""Folders that stand for the outputs in them."""
_MOST_NAMES = 100
"""Files that are named as inputs, or as outputs."""


def limit_shown(paths: Iterable[bytes], shown: Mapping[bytes, bytes]) -> list[bytes]:
    """Return the paths whose shown ones are a list short enough for a person to read, sorted."""
    found = sorted(set(paths))
    kept = set(limit(sorted({shown[path] for path in found})))
    return [path for path in found if shown[path] in kept]


def limit(paths: list[bytes]) -> list[bytes]:
    """Return a list short enough for a person to read: leave out the fullest folders, each as a whole."""
    if len(paths) <= _MOST_NAMES:
        return paths
    folders: dict[bytes, int] = {}
    for path in paths:
        folder = path.rpartition(b"/")[0]
        folders[folder] = folders.get(folder, 0) + 1
    kept: set[bytes] = set()
    total = 0
    for folder in sorted(folders, key=lambda name: (folders[name], name)):
        total += folders[folder]
        if total > _MOST_NAMES:
            break
        kept.add(folder)
    return [path for path in paths if path.rpartition(b"/")[0] in kept]


def fold_shown(paths: Iterable[bytes], shown: Mapping[bytes, bytes]) -> tuple[list[bytes], dict[bytes, list[bytes]]]:
    """Return a list short enough for a person to read, in which the fullest folders stand for their files.

    Such a folder ends in a slash. Nothing is left out, for the list says what a replay has to give again. Returns it,
    and the files of each folder.
    """
    found = sorted(set(paths))
    kept = frozenset(limit(sorted({shown[path] for path in found})))
    members: dict[bytes, list[bytes]] = {}
    for path in found:
        if shown[path] not in kept:
            members.setdefault(shown[path].rpartition(b"/")[0] + b"/", []).append(path)
    while len(members) > _MOST_FOLDERS:
        deepest = max(folder.count(b"/") for folder in members)
        folded: dict[bytes, list[bytes]] = {}
        for folder, files in members.items():
            above = folder[:-1].rpartition(b"/")[0] + b"/" if folder.count(b"/") == deepest else folder
            folded.setdefault(above, []).extend(files)
        members = folded
    covered = Prefixes(members)
    alone = [path for path in found if covered.find(shown[path]) is None]
    return sorted([*alone, *members]), members
