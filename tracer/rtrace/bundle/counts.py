"""How many entries of each kind a bundle has: one noun for each, wherever they are counted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.printable import count

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.bundle.entry import Entry


@dataclass(slots=True)
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

    def add(self, entry: Entry) -> None:
        """Count an entry."""
        if entry.type is FileType.DIRECTORY:
            self.folders += 1
        elif entry.type is FileType.FIFO:
            self.fifos += 1
        elif entry.type is FileType.SYMLINK or entry.link is not None:
            self.links += 1
        elif entry.placeholder:
            self.placeholders += 1
        else:
            self.files += 1
            self.size += 0 if entry.elsewhere else entry.size
            if entry.belonging == "experiment":
                self.experiment += 1
                self.experiment_size += entry.size

    @property
    def text(self) -> str:
        """The numbers for a person: ``3 files, 1 link, 2 folders``; of what there is none, nothing is said."""
        kinds = (
            (self.links, "link"),
            (self.folders, "folder"),
            (self.placeholders, "placeholder"),
            (self.fifos, "FIFO"),
        )
        return ", ".join([count(self.files, "file"), *(count(number, noun) for number, noun in kinds if number)])


def count_entries(entries: Iterable[Entry]) -> Counts:
    """Count entries, in one pass over what may be a million of them."""
    counts = Counts()
    for entry in entries:
        counts.add(entry)
    return counts
