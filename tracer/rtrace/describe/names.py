"""Inputs and outputs: which files a person would name, and the names."""

from __future__ import annotations

import os
import re
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.describe.changing import DAY, find_pattern
from rtrace.describe.internals import Internals, Prefixes
from rtrace.files.hierarchy import BELOW, SEMAPHORE, SYSTEM, is_in_memory
from rtrace.manifest.free_names import FreeNames, find_free
from rtrace.manifest.model import NamedFile
from rtrace.trace import reader
from rtrace.trace.schema import KEPT_INPUT, Use

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rtrace.manifest.model import Run
    from rtrace.trace.reader import After, Before

_PROGRAM_SUFFIXES = frozenset(
    b"py pyc pyo pyi pyd pyx pth ipynb so o a la ko sh bash zsh fish csh awk sed pl pm pod rb gem js mjs cjs ts tsx jsx"
    b" wasm node jl lua tcl r rmd rdb rdx m go rs java class jar kt scala groovy c h cc cpp cxx c++ hh hpp hxx inl cu"
    b" cuh f for f77 f90 f95 f03 f08 mod s asm hs ml mli ex exs erl cs vb php swift mk mak cmake ninja make smk nf wdl"
    b" cwl".split()
)
_PROGRAM_NAMES = frozenset(
    b"makefile gnumakefile cmakelists.txt snakefile rakefile dockerfile meson.build configure pyvenv.cfg pyproject.toml"
    b" setup.cfg package.json package-lock.json".split()
)
_PROGRAM_FOLDERS = (
    b"/site-packages/", b"/dist-packages/", b"/node_modules/", b"/__pycache__/", b"/conda-meta/", b".dist-info/",
    b".egg-info/",
)  # fmt: skip
_HIDDEN = re.compile(rb"/\.[^/]")
_UNNAMEABLE = re.compile(r"[\x00-\x20:/\x7f-\xa0\\\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")

_MOST_FOLDERS = 20
"""Folders that stand for the outputs in them."""
_MOST_NAMES = 100
"""Files that are named as inputs, or as outputs."""

_MOST_LINKS = 40
"""Symlinks that the kernel follows in one path, see path_resolution(7)."""
_READ = int(Use.READ)
_INPUT = int(Use.READ | Use.EXECUTE)
_CONTENT_CHANGED = int(Use.WRITE | Use.TRUNCATE | Use.CREATE)


def name_files(
    connection: sqlite3.Connection,
    world: Sequence[Before],
    runs: Mapping[int, Run],
    packaged: Collection[bytes],
    trace_directory: bytes,
) -> tuple[tuple[NamedFile, ...], tuple[NamedFile, ...]]:
    """Give (inputs, outputs) under names that are unique; one file that is both has one name.

    What one step of the experiment wrote and a later one reads is an intermediate, and no input. A file that lies
    where nobody looks, but that a symlink of the experiment leads to (git-annex, DataLad), has the name of that.
    """
    homes = tuple(run.workingdir.rstrip(b"/") + b"/" for run in runs.values() if run.workingdir != b"/")
    own = trace_directory + b"/"

    def is_personal(path: bytes) -> bool:
        if path in packaged or path.startswith((own, SEMAPHORE)):
            return False
        if is_in_memory(path):
            return True
        if path.startswith(BELOW):
            return False
        if path.startswith(KEPT_INPUT + b"/"):
            return True
        if path.startswith(SYSTEM) and not path.startswith(homes):
            return False
        # A hidden folder on the way to the experiment itself does not make the experiment's files hidden.
        start = max((len(home) - 1 for home in homes if path.startswith(home)), default=0)
        return not _HIDDEN.search(path, start)

    replaced = reader.read_replaced(connection)
    read = [
        before.path
        for before in world
        if before.type == "file"
        and before.use & _INPUT == _READ
        and before.path not in replaced
        and before.path not in packaged
        and not is_program(before.path)
    ]
    left = reader.read_results(connection)
    links = find_links(world, left)
    internals = Internals((before.path for before in world), homes)

    def find_shown(path: bytes) -> bytes | None:
        """Give the path by which a person knows a file; None for one that is nobody's concern."""
        if is_personal(path):
            return path
        if not links or path in packaged or path.startswith(BELOW):
            return None
        link = follow_back(path, links)
        return link if link != path and is_personal(link) and not is_program(link) else None

    shown = {path: known for path in read if (known := find_shown(path)) is not None}
    results = []
    for after in left:
        known = find_shown(after.path)
        if known is not None and not internals.has(known):
            results.append(after)
            shown[after.path] = known
    uses = reader.read_uses(connection, [after.path for after in results])
    outputs, members = fold_shown(_find_outputs(world, results, uses), shown)
    shown.update((folder, folder) for folder in members)
    inputs = limit_shown((path for path in read if path in shown), shown)
    uses.update(reader.read_uses(connection, inputs))
    named = choose_names(sorted({shown[path] for path in (*inputs, *outputs)}))
    names = {path: named[shown[path]] for path in (*inputs, *outputs)}
    for link in sorted({shown[path] for path in names if shown[path] != path} & names.keys()):  # its name is the file's
        names[link] = find_free(f"{names[link]}_link", names.values())

    def with_runs(paths: Iterable[bytes], flags: int) -> tuple[NamedFile, ...]:
        wanted = dict.fromkeys(paths)
        users: dict[bytes, list[str]] = {path: [] for path in wanted}
        for number, run in runs.items():
            for path in wanted:
                if any(uses.get((number, one), 0) & flags for one in members.get(path, (path,))):
                    users[path].append(run.id)
        everyone = tuple(run.id for run in runs.values())
        return tuple(NamedFile(names[path], path, tuple(users[path]) or everyone[-1:]) for path in wanted)

    there = {before.path for before in world if before.type == "directory"} if outputs else set()
    changing = {run.id: (run, reader.read_pids(connection, number)) for number, run in runs.items()} if outputs else {}

    def with_pattern(file: NamedFile) -> NamedFile:
        run, pids = changing[file.runs[-1]]
        if run.started is None:
            return file
        ended = run.finished or run.started + DAY
        return replace(file, pattern=find_pattern(file.path, run.started, ended, pids, find_folder(file.path, there)))

    return with_runs(inputs, _READ), tuple(map(with_pattern, with_runs(outputs, _CONTENT_CHANGED)))


def find_folder(path: bytes, folders: Collection[bytes]) -> bytes:
    """Give the innermost of some folders that a path lies in."""
    folder = path.rpartition(b"/")[0]
    while folder and folder not in folders:
        folder = folder.rpartition(b"/")[0]
    return folder


def find_links(world: Iterable[Before], left: Iterable[After]) -> dict[bytes, bytes]:
    """Say which symlink leads to a path: of those that runs used or left the first by its path, chains followed."""
    targets: dict[bytes, bytes] = {}
    used: set[bytes] = set()
    for before in world:
        if before.target is not None:
            targets[before.path] = before.target
            if before.use:
                used.add(before.path)
    for after in left:
        if after.target is not None:
            targets[after.path] = after.target
            used.add(after.path)
    links: dict[bytes, bytes] = {}
    for link in sorted(used):
        path = link
        for _ in range(_MOST_LINKS):
            if path not in targets:
                links.setdefault(path, link)
                break
            path = os.path.normpath(os.path.join(os.path.dirname(path), targets[path]))
    return links


def follow_back(path: bytes, links: Mapping[bytes, bytes]) -> bytes:
    """Give the path by way of a symlink to a file, or to the innermost folder above it; itself when there is none."""
    place, rest = path, b""
    while place not in links and len(place) > 1:
        place, _, name = place.rpartition(b"/")
        rest = b"/" + name + rest
    return links[place] + rest if place in links else path


def limit_shown(paths: Iterable[bytes], shown: Mapping[bytes, bytes]) -> list[bytes]:
    """Keep the paths whose shown ones are a list short enough for a person to read, sorted."""
    found = sorted(set(paths))
    kept = set(limit(sorted({shown[path] for path in found})))
    return [path for path in found if shown[path] in kept]


def limit(paths: list[bytes]) -> list[bytes]:
    """Keep a list short enough for a person to read: leave out the fullest folders, each as a whole."""
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
    """Make a list short enough for a person to read: the fullest folders stand for their files, with a slash behind.

    Nothing is left out, for the list says what a replay has to give again. Gives it, and the files of each folder.
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


def is_program(path: bytes) -> bool:
    """Tell whether a file is, by its name, part of a program rather than data."""
    name = path.rpartition(b"/")[2].lower()
    stem, dot, suffix = name.rpartition(b".")
    if (dot and suffix in _PROGRAM_SUFFIXES) or name in _PROGRAM_NAMES or b".so." in name:
        return bool(stem) or not dot
    return any(folder in path for folder in _PROGRAM_FOLDERS)


def _find_outputs(
    world: Sequence[Before], results: Sequence[After], uses: Mapping[tuple[int, bytes], int]
) -> Iterable[bytes]:
    """Give the regular files that the last run to touch them left with a content of its own, and symlinks it made."""
    last = {after.path: after for after in results}
    before_it = {before.path: before for before in world if before.path in last}
    for path, after in last.items():
        if after.type not in {"file", "symlink"}:
            continue
        before = before_it.get(path)
        if before is None or before.type is None or (after.type == "symlink" and before.target != after.target):
            yield path
            continue
        same = (before.size, before.mtime_ns, before.inode) == (after.size, after.mtime_ns, after.inode)
        used = uses.get((after.run, path), _CONTENT_CHANGED)
        if not same and used & _CONTENT_CHANGED:
            yield path


def choose_names(paths: Sequence[bytes]) -> dict[bytes, str]:
    """Give each path a name of its own: its last part, the folder before it where that is not unique, or a number."""
    counts: dict[str, int] = {}
    for path in paths:
        name = clean_name(path.rstrip(b"/").rpartition(b"/")[2])
        counts[name] = counts.get(name, 0) + 1
    free = FreeNames()
    names: dict[bytes, str] = {}
    for path in paths:
        folder, _, last = path.rstrip(b"/").rpartition(b"/")
        name = clean_name(last)
        if counts[name] > 1:
            name = f"{clean_name(folder.rpartition(b'/')[2])}_{name}"
        names[path] = free.take(name)
    return names


def clean_name(part: bytes) -> str:
    """Make a name that a person can type as ``FILE:NAME``: no colon, slash, space, control character, no dash first."""
    text = part.decode("utf-8", "replace")
    return _UNNAMEABLE.sub("_", text).lstrip("-") or "file"
