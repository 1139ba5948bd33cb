"""Whom the files of a bundle belong to: a package, the experiment, or nobody that is known."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.hierarchy import SYSTEM
from rtrace.manifest.model import Folder
from rtrace.packages.attribution import attribute
from rtrace.packages.model import EDITABLE, Attribution
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Mapping, Sequence

    from rtrace.describe.selection import Choice
    from rtrace.manifest.model import NamedFile, Run

EXPERIMENT = "experiment"
UNOWNED = "unowned"
_EXECUTABLE = 0o111
_METADATA = int(Use.METADATA)
_MOST_FOLDERS = 16
_DEEPEST = 12
_SHARED = re.compile(rb"/|/(?:tmp|var/tmp|home|root|mnt|media|srv|data|scratch|work|opt)|/home/[^/]+")
"""Folders of many things: what lies there need not be a part of the experiment."""


class Experiment(NamedTuple):
    """What belongs to an experiment: all below ``homes``, all but hidden things below ``shared``, and ``files``."""

    homes: tuple[bytes, ...]
    shared: tuple[bytes, ...]
    files: frozenset[bytes]

    def holds(self, path: bytes) -> bool:
        """Whether a path that no package owns is a part of it."""
        if path.startswith(self.homes) or path in self.files:
            return True
        return bool(self.shared) and any(path.startswith(home) and path[len(home)] != ord(".") for home in self.shared)


class Belonging(NamedTuple):
    """A word or two on files by their paths, and by folder how much nobody owns, and how much is the experiment's."""

    words: dict[bytes, str]
    unowned: tuple[Folder, ...]
    experiment: tuple[Folder, ...]


def attribute_choices(choices: Iterable[Choice], runs: Iterable[Run], modules: Collection[bytes]) -> Attribution:
    """Ask the package managers about everything chosen but directories; ``modules`` are those that were loaded.

    What is built or developed where a run works is the experiment, whatever package it says it is.
    """
    runs = tuple(runs)
    files: list[bytes] = []
    targets: dict[bytes, bytes | None] = {}
    executable: set[bytes] = set()
    for choice in choices:
        before = choice.before
        if before.type != "directory":
            files.append(before.path)
            if before.target is not None:
                targets[before.path] = before.target
            if before.mode & _EXECUTABLE or before.use & _METADATA:
                executable.add(before.path)
    found = attribute(files, targets, modules=modules, executable=executable)
    homes = tuple(run.workingdir.rstrip(b"/") + b"/" for run in runs if run.workingdir != b"/")
    for path, owner in [(path, owner) for path, owner in found.owners.items() if path.startswith(homes)]:
        if owner.manager in {"go", "cargo"} or found.reasons.get(path) == EDITABLE:
            del found.owners[path]
            found.reasons.pop(path, None)
    return found


def find_experiment(
    runs: Iterable[Run], named: Iterable[NamedFile], packaged: Collection[bytes], known: Collection[bytes]
) -> Experiment:
    """Return what the experiment is: the working directories, and the folders of inputs, outputs and commands.

    ``named`` are the inputs and outputs, ``packaged`` the paths that packages own, ``known`` all paths of the trace:
    an argument of a command that is one of these, and no package's, is a part of the command.
    """
    runs = tuple(runs)
    files = {file.path for file in named}
    for run in runs:
        arguments = (os.path.normpath(os.path.join(run.workingdir, argument)) for argument in run.argv)
        files.update(path for path in (run.program, *arguments) if path in known and path not in packaged)
    personal = {os.path.dirname(path) for path in files if not path.startswith(SYSTEM)}
    folders = {run.workingdir for run in runs} | {
        folder for folder in personal if os.path.basename(folder) not in {b"bin", b"sbin"}
    }
    own = {value for run in runs for name, value in run.environ if name == b"HOME" and value}
    shared = {folder for folder in folders if folder in own or _SHARED.fullmatch(folder)}
    return Experiment(
        tuple(folder + b"/" for folder in sorted(folders - shared)),
        tuple(run.workingdir + b"/" for run in runs if run.workingdir in shared and run.workingdir != b"/"),
        frozenset(files),
    )


def say_belonging(
    choices: Iterable[Choice], attribution: Attribution, experiment: Experiment, used: Collection[bytes]
) -> Belonging:
    """Label each file: experiment, unowned, or why a package owns it.

    ``used`` are the paths whose package is one of the manifest's.
    """
    owners, reasons = attribution
    words: dict[bytes, str] = {}
    counts: dict[str, dict[bytes, list[int]]] = {EXPERIMENT: {}, UNOWNED: {}}
    folder, is_home = None, False
    for before, _, placeholder in choices:
        path, kind = before.path, before.type
        if kind == "directory":
            continue
        owner = owners.get(path)
        if owner is None:
            previous, folder = folder, path.rpartition(b"/")[0]
            if folder != previous:
                is_home = path.startswith(experiment.homes)
            words[path] = word = EXPERIMENT if is_home or experiment.holds(path) else UNOWNED
            count = counts[word].get(folder)
            if count is None:
                count = counts[word][folder] = [0, 0]
            count[0] += 1
            count[1] += 0 if placeholder or kind != "file" else before.size
        elif path not in used:
            words[path] = f"of {owner.name}, which no run used"
        elif path in reasons:
            words[path] = reasons[path]
    return Belonging(words, fold_folders(counts[UNOWNED]), fold_folders(counts[EXPERIMENT]))


def fold_folders(counts: Mapping[bytes, Sequence[int]]) -> tuple[Folder, ...]:
    """Add up folders (number of files, bytes), as deep as possible with no more of them than fit on a screen."""
    depth = _DEEPEST
    while len(counts) > _MOST_FOLDERS and depth > 1:
        folded: dict[bytes, list[int]] = {}
        for folder, (number, size) in counts.items():
            shorter = folder
            while shorter.count(b"/") > depth:
                shorter = shorter.rpartition(b"/")[0]
            count = folded.setdefault(shorter, [0, 0])
            count[0] += number
            count[1] += size
        counts = folded
        depth -= 1
    return tuple(Folder(folder or b"/", *counts[folder]) for folder in sorted(counts))
