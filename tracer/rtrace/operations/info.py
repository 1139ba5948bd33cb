"""Count what a bundle holds."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.bundle.entry import Entry


@dataclass(frozen=True, slots=True)
class Counts:
    """How many entries of each kind a bundle has; sizes are bytes of content, unpacked.

    ``files`` are regular files with their content, ``placeholders`` those without, ``links`` symbolic links and further
    hard links, ``folders`` directories, ``fifos`` named pipes. ``experiment`` are the files of the experiment.
    """

    files: int = 0
    size: int = 0
    links: int = 0
    folders: int = 0
    placeholders: int = 0
    fifos: int = 0
    experiment: int = 0
    experiment_size: int = 0


def count_entries(entries: Iterable[Entry]) -> Counts:
    """Count entries, in one pass over what may be a million of them."""
    files = size = links = folders = placeholders = fifos = experiment = experiment_size = 0
    for entry in entries:
        if entry.type is FileType.DIRECTORY:
            folders += 1
        elif entry.type is FileType.FIFO:
            fifos += 1
        elif entry.type is FileType.SYMLINK or entry.link is not None:
            links += 1
        elif entry.placeholder:
            placeholders += 1
        else:
            files += 1
            size += 0 if entry.elsewhere else entry.size
            if entry.belonging == "experiment":
                experiment += 1
                experiment_size += entry.size
    return Counts(files, size, links, folders, placeholders, fifos, experiment, experiment_size)
