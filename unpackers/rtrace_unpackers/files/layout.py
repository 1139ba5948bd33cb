"""Sort the entries of a bundle into the steps of unpacking them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain

from rtrace.bundle.counts import Counts
from rtrace.bundle.data.layout import stored_size
from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.proven import ProvenEntries
from rtrace.bundle.reading.validation import validate_entries
from rtrace.errors import BundleError, HostileBundleError
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.printable import printable
from rtrace.progress import Progress

PROVIDED = {b"/dev": 0o755, b"/proc": 0o555, b"/sys": 0o555}
"""What a replay mounts over: the mount points, with the modes they get where the bundle has none of its own."""


@dataclass(frozen=True, slots=True)
class Layout:
    """Entries by the step that makes them, each in the order of paths, so that parents come before their children.

    ``directories`` holds also those that the entries need and the bundle does not list, and the mount points.
    ``twins`` are further hard links to placeholders, with the first one as their ``link``.
    ``copies`` are the files whose content is that of one of ``files``, by its path.
    """

    directories: tuple[Entry, ...]
    files: tuple[Entry, ...]
    placeholders: tuple[Entry, ...]
    links: tuple[Entry, ...]
    fifos: tuple[Entry, ...]
    symlinks: tuple[Entry, ...]
    copies: dict[bytes, tuple[Entry, ...]] = field(default_factory=dict)
    twins: tuple[Entry, ...] = ()

    @property
    def has_shared_memory(self) -> bool:
        """Whether files in /dev/shm are a part of it, so that a replay keeps what it writes there."""
        return any(entry.path == SHARED_MEMORY for entry in self.directories)

    @property
    def count(self) -> int:
        """Number of files that have a content."""
        return len(self.files) + sum(map(len, self.copies.values()))

    @property
    def counts(self) -> Counts:
        """How many entries of each kind it has."""
        return Counts(
            self.count,
            self.size,
            len(self.links) + len(self.symlinks) + len(self.twins),
            len(self.directories),
            len(self.placeholders),
            len(self.fifos),
        )

    @property
    def size(self) -> int:
        """Bytes that all files have together."""
        return sum(entry.size for entry in (*self.files, *chain.from_iterable(self.copies.values())))

    @property
    def room(self) -> int:
        """Bytes that they take on a disk: their size without holes."""
        return sum(stored_size(entry) * (1 + len(self.copies.get(entry.path, ()))) for entry in self.files)


@dataclass(slots=True)
class Shelf:
    """Entries by kind, while they are being sorted."""

    directories: dict[bytes, Entry] = field(default_factory=dict)
    files: list[Entry] = field(default_factory=list)
    placeholders: list[Entry] = field(default_factory=list)
    links: list[Entry] = field(default_factory=list)
    fifos: list[Entry] = field(default_factory=list)
    symlinks: list[Entry] = field(default_factory=list)
    copies: dict[bytes, list[Entry]] = field(default_factory=dict)


def parent_of(path: bytes) -> bytes:
    """Return the path of the directory that holds a path; that of / is /."""
    return path.rpartition(b"/")[0] or b"/"


def name_of(path: bytes) -> bytes:
    """Return the last component of a path."""
    return path.rpartition(b"/")[2]


def plan_layout(entries: Iterable[Entry]) -> Layout:
    """Sort entries into steps, before anything is written. Raises HostileBundleError for what could reach outside."""
    ordered: Sequence[Entry] = entries if isinstance(entries, ProvenEntries) else prove(entries)
    shelf = Shelf()
    for entry in ordered:
        put(entry, shelf)
    for path in (*PROVIDED, SHARED_MEMORY):
        index = bisect_left(ordered, path, key=lambda entry: entry.path)
        place = ordered[index] if index < len(ordered) and ordered[index].path == path else None
        if place is None:
            if path in PROVIDED:
                shelf.directories[path] = make_directory(path, PROVIDED[path], "mount point")
        elif place.type is not FileType.DIRECTORY:
            raise HostileBundleError(f"the bundle holds {printable(path)} as a {place.type.value}; nothing was written")
    for path in (*(entry.path for entry in ordered), *PROVIDED):
        add_ancestors(path, shelf.directories)
    twins = find_twins(shelf)
    return Layout(
        directories=tuple(shelf.directories[path] for path in sorted(shelf.directories)),
        files=tuple(shelf.files),
        placeholders=tuple(shelf.placeholders),
        links=tuple(shelf.links),
        fifos=tuple(shelf.fifos),
        symlinks=tuple(shelf.symlinks),
        copies={path: tuple(copies) for path, copies in shelf.copies.items()},
        twins=twins,
    )


def prove(entries: Iterable[Entry]) -> list[Entry]:
    """Return entries in the order of their paths. Raises HostileBundleError for what could reach outside."""
    ordered = sorted(entries, key=lambda entry: entry.path)
    validate_entries(ordered)
    return ordered


def find_twins(shelf: Shelf) -> tuple[Entry, ...]:
    """Take the further names of placeholders, as links; one whose first name is no placeholder stays a file."""
    first = {entry.path for entry in shelf.placeholders if entry.twin is None}
    twins = tuple(entry._replace(link=entry.twin) for entry in shelf.placeholders if entry.twin in first)
    if twins:
        shelf.placeholders = [entry for entry in shelf.placeholders if entry.twin not in first]
    return twins


def put(entry: Entry, shelf: Shelf) -> None:
    """Put an entry where its kind belongs."""
    match entry.type:
        case FileType.DIRECTORY:
            shelf.directories[entry.path] = entry
        case FileType.SYMLINK:
            shelf.symlinks.append(entry)
        case FileType.FIFO:
            shelf.fifos.append(entry)
        case FileType.REGULAR if entry.link is not None:
            shelf.links.append(entry)
        case FileType.REGULAR if entry.copy_of is not None:
            shelf.copies.setdefault(entry.copy_of, []).append(entry)
        case FileType.REGULAR if entry.placeholder:
            shelf.placeholders.append(entry)
        case FileType.REGULAR:
            shelf.files.append(entry)


def add_ancestors(path: bytes, directories: dict[bytes, Entry]) -> None:
    """Add the directories that a path needs and nobody listed."""
    while path != b"/":
        path = parent_of(path)
        if path in directories:
            return
        directories[path] = make_directory(path, 0o755, "ancestor")


def make_directory(path: bytes, mode: int, reason: str) -> Entry:
    """Return an entry for a directory that the bundle does not list."""
    return Entry(path, FileType.DIRECTORY, mode, 0, 0, 0, reason=reason)


def take_contents(
    layout: Layout, contents: Iterable[tuple[Entry, Iterator[bytes]]], progress: Progress, task: str = "unpacking"
) -> Iterator[tuple[Entry, Iterator[bytes]]]:
    """Yield the files of a layout that have a content, as their contents come, and tell of the task.

    Raises BundleError in the end when the content of one did not come.
    """
    wanted = {entry.path: entry for entry in layout.files}
    progress.start(task, layout.size)
    for named, content in contents:
        entry = wanted.pop(named.path, None)
        if entry is not None:
            yield entry, content
    progress.finish()
    if wanted:
        raise BundleError(f"the bundle lacks the content of {printable(next(iter(wanted)))}")
