"""Inputs and outputs as ReproZip has them: one list, in which neither a name nor a path comes twice."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.manifest.free_names import find_free

if TYPE_CHECKING:
    from rtrace.manifest.model import Manifest


@dataclass(frozen=True, slots=True)
class MergedFile:
    """A file with a name, and the runs that read and wrote it, by their numbers from 0."""

    name: str
    path: bytes
    readers: tuple[int, ...]
    writers: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class MergedNames:
    """All of them. ``renamed`` are those that got another name, as ``old (now new)``."""

    files: tuple[MergedFile, ...]
    renamed: tuple[str, ...]


def merge_names(manifest: Manifest) -> MergedNames:
    """Make one list of the inputs and outputs of a manifest.

    A file that is both is listed once, by its name as an input. A file that no run is said to use is every run's.
    """
    numbers = {run.id: number for number, run in enumerate(manifest.runs)}
    names: dict[bytes, str] = {}
    uses: dict[bytes, tuple[set[int], set[int]]] = {}
    renamed: list[str] = []
    for kind, files in enumerate((manifest.inputs, manifest.outputs)):
        for file in files:
            if file.path.endswith(b"/"):  # a folder, which `reprounzip` could not fetch
                continue
            name = names.get(file.path) or find_free(file.name, names.values())
            if name != file.name:
                renamed.append(f"{file.name} (now {name})")
            names[file.path] = name
            runs = {numbers[run] for run in file.runs if run in numbers} or set(numbers.values())
            uses.setdefault(file.path, (set(), set()))[kind].update(runs)
    found = (MergedFile(names[path], path, tuple(sorted(by[0])), tuple(sorted(by[1]))) for path, by in uses.items())
    return MergedNames(tuple(found), tuple(renamed))
