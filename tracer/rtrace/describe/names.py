"""Inputs and outputs: which files a person would name, and the names."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from rtrace.describe.changing import DAY, find_pattern
from rtrace.describe.concern import Concern
from rtrace.describe.folding import fold_shown, limit_shown
from rtrace.describe.internals import Internals
from rtrace.describe.program_files import is_program
from rtrace.manifest.free_names import FreeNames, find_free
from rtrace.manifest.model import NamedFile
from rtrace.trace.reading import reader
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    import sqlite3
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

    from rtrace.manifest.model import Run
    from rtrace.trace.reading.reader import After, Before

_UNNAMEABLE = re.compile(r"[\x00-\x20:/\x7f-\xa0\\\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+")

_READ = int(Use.READ)
_INPUT = int(Use.READ | Use.EXECUTE)
_CONTENT_CHANGED = int(Use.WRITE | Use.TRUNCATE | Use.CREATE)


class ChosenFiles(NamedTuple):
    """Inputs and outputs by their paths: how a person knows each, who used it, and what a folder stands for.

    ``uses`` are the flags of every use, by run number and path, ``members`` the outputs in each folder of the list.
    ``concern`` says what is a person's.
    """

    inputs: list[bytes]
    outputs: list[bytes]
    shown: dict[bytes, bytes]
    uses: dict[tuple[int, bytes], int]
    members: dict[bytes, list[bytes]]
    concern: Concern


def name_files(
    connection: sqlite3.Connection, world: Sequence[Before], runs: Mapping[int, Run], files: ChosenFiles
) -> tuple[tuple[NamedFile, ...], tuple[NamedFile, ...]]:
    """Return inputs and outputs under names that are unique; one file that is both has one name.

    What one step of the experiment wrote and a later one reads is an intermediate, not an input.
    """
    names = choose_shown_names(files)
    inputs = [make_named(path, names[path], runs, files, _READ) for path in dict.fromkeys(files.inputs)]
    outputs = [make_named(path, names[path], runs, files, _CONTENT_CHANGED) for path in dict.fromkeys(files.outputs)]
    return tuple(inputs), tuple(add_patterns(connection, outputs, world, runs))


def find_files(
    connection: sqlite3.Connection,
    world: Sequence[Before],
    homes: tuple[bytes, ...],
    packaged: Collection[bytes],
    trace_directory: bytes,
) -> ChosenFiles:
    """Return the files that a person would name."""
    left = reader.read_results(connection)
    concern = Concern(homes, packaged, trace_directory, world, left)
    internals = Internals((before.path for before in world), homes)
    read = find_read(world, packaged, reader.read_replaced(connection))
    shown = {path: known for path in read if (known := concern.find_shown(path)) is not None}
    results = []
    for after in left:
        known = concern.find_shown(after.path)
        if known is not None and not internals.has(known):
            results.append(after)
            shown[after.path] = known
    uses = reader.read_uses(connection, [after.path for after in results])
    outputs, members = fold_shown(find_outputs(world, results, uses), shown)
    shown.update((folder, folder) for folder in members)
    inputs = limit_shown((path for path in read if path in shown), shown)
    uses.update(reader.read_uses(connection, inputs))
    return ChosenFiles(inputs, outputs, shown, uses, members, concern)


def find_read(world: Iterable[Before], packaged: Collection[bytes], replaced: Collection[bytes]) -> list[bytes]:
    """Return the files that were read, and no programs; not those that the experiment had replaced before."""
    return [
        before.path
        for before in world
        if before.type == "file"
        and before.use & _INPUT == _READ
        and before.path not in replaced
        and before.path not in packaged
        and not is_program(before.path)
    ]


def choose_shown_names(files: ChosenFiles) -> dict[bytes, str]:
    """Return a name for each input and output: that of the path by which a person knows it."""
    paths, shown = (*files.inputs, *files.outputs), files.shown
    named = choose_names(sorted({shown[path] for path in paths}))
    names = {path: named[shown[path]] for path in paths}
    for link in sorted({shown[path] for path in names if shown[path] != path} & names.keys()):  # its name is the file's
        names[link] = find_free(f"{names[link]}_link", names.values())
    return names


def make_named(path: bytes, name: str, runs: Mapping[int, Run], files: ChosenFiles, flags: int) -> NamedFile:
    """Return a named file with the runs that used it in a way; with the last run where none did."""
    parts = files.members.get(path, (path,))
    users = [run.id for number, run in runs.items() if any(files.uses.get((number, one), 0) & flags for one in parts)]
    return NamedFile(name, path, tuple(users) or tuple(run.id for run in runs.values())[-1:])


def add_patterns(
    connection: sqlite3.Connection, outputs: Sequence[NamedFile], world: Iterable[Before], runs: Mapping[int, Run]
) -> Iterator[NamedFile]:
    """Yield outputs with the pattern of their names, where these change with the time or the process."""
    if not outputs:
        return
    folders = {before.path for before in world if before.type == "directory"}
    changing = {run.id: (run, reader.read_pids(connection, number)) for number, run in runs.items()}
    for file in outputs:
        run, pids = changing[file.runs[-1]]
        if run.started is None:
            yield file
            continue
        ended = run.finished or run.started + DAY
        found = find_pattern(file.path, run.started, ended, pids, find_folder(file.path, folders))
        yield replace(file, pattern=found)


def find_folder(path: bytes, folders: Collection[bytes]) -> bytes:
    """Return the innermost of some folders that a path lies in."""
    folder = path.rpartition(b"/")[0]
    while folder and folder not in folders:
        folder = folder.rpartition(b"/")[0]
    return folder


def find_outputs(
    world: Sequence[Before], results: Sequence[After], uses: Mapping[tuple[int, bytes], int]
) -> Iterable[bytes]:
    """Yield the regular files whose last run left content of its own in them, and the symlinks that it made."""
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
    """Return a name for each path: its last part, with the folder before it or a number where that is not unique."""
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
    """Return a name that a person can type as ``FILE:NAME``: no colon, slash, space or control character."""
    text = part.decode("utf-8", "replace")
    return _UNNAMEABLE.sub("_", text).lstrip("-") or "file"
