"""Which files of a tree that is shared each replay gets as its own, so that an overlay is not to be told from a tree.

In an overlay a file becomes another one when it is first opened for writing: who has it open for reading already goes
on reading the old one, its other hard links stay as they were, and it seems to have been changed though nobody wrote.
A folder that was there before cannot be renamed, and the names of new files in it are listed after all others. The
bundle knows what the runs changed: of that a replay gets a copy before it begins, and nothing of this can be seen.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from rtrace.bundle.entry import Entry, FileType, Result
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace_unpackers.files.layout import PROVIDED, Layout, parent_of
from rtrace_unpackers.files.ownership import Ownership
from rtrace_unpackers.isolation.kernel.overlays import HIDING_ALL, OWN_ATTRIBUTES

MOST_LISTED = 64 << 20
"""Bytes that folders may have together which are copied for the order of their names alone."""
MOST_LISTED_FILES = 4000
MOVED = "renamed or linked"
LISTED = frozenset({"listed", "changed"})
"""Why a folder is in a bundle, in the words of `rtrace.trace.treatment`."""
OPAQUE = (HIDING_ALL.encode(), b"y")


@dataclass(frozen=True, slots=True)
class Own:
    """The entries of what each replay gets a copy of.

    ``is_exact`` is unset where a folder is too large to be copied for the order of its names.
    """

    entries: tuple[Entry, ...]
    is_exact: bool = True


class Family:
    """The entries of a layout by what is below them."""

    def __init__(self, layout: Layout) -> None:
        copies = (copy for copies in layout.copies.values() for copy in copies)
        others = (layout.files, copies, layout.placeholders, layout.links, layout.twins, layout.fifos, layout.symlinks)
        self.folders = {entry.path: entry for entry in layout.directories}
        self.others = {entry.path: entry for group in others for entry in group}
        self.children: dict[bytes, list[Entry]] = {}
        for entry in (*layout.directories, *self.others.values()):
            if entry.path != b"/":
                self.children.setdefault(parent_of(entry.path), []).append(entry)

    def below(self, path: bytes) -> Iterator[Entry]:
        """Yield a folder with all that is in it."""
        pending = [self.folders[path]]
        while pending:
            entry = pending.pop()
            yield entry
            pending += self.children.get(entry.path, ())

    def names_of(self, path: bytes) -> frozenset[bytes]:
        """Return all names of a regular file."""
        entry = self.others[path]
        first = entry.link or path
        return frozenset({first, *(other.path for other in self.others.values() if other.link == first)})


def choose_own(layout: Layout, results: Iterable[Result], ownership: Ownership) -> Own | None:
    """Choose what each replay gets a copy of; None where the tree cannot be shared.

    That is so where its files have attributes that an overlay takes for its own, where the runs wrote to a FIFO that
    was there, where most of it would be copied, and where this user may not read what would be.
    """
    family = Family(layout)
    if not any(one.reason for one in family.others.values()):
        return None  # nobody knows what was done with them
    if any(name.startswith(OWN_ATTRIBUTES) for one in list_all(family) for name, _ in one.xattrs):
        return None
    changed = {result.path: result for result in results}
    if any(path in family.others and family.others[path].type is FileType.FIFO for path in changed):
        return None  # a FIFO in an overlay keeps its time when it is written to
    whole = {path for path in changed if is_moved(family.folders.get(path), changed[path])}
    whole |= {path for path, entry in family.folders.items() if entry.reason == MOVED}
    if b"/" in whole:
        return None
    chosen = {entry.path: entry for path in whole for entry in family.below(path)}
    if sum(entry.size for entry in chosen.values()) > max(MOST_LISTED, layout.size // 2):
        return None
    listed = [path for path in list_reordered(family, changed) if path not in chosen]
    room, number = measure(family, listed)
    is_exact = room <= MOST_LISTED and number <= MOST_LISTED_FILES and b"/" not in listed
    if is_exact:
        whole.update(listed)
        chosen |= {entry.path: entry for path in listed for entry in family.below(path)}
    linked = {entry.link for entry in family.others.values() if entry.link is not None}
    wanted = [path for path in (*changed, *chosen) if path in family.others]
    for path in wanted:
        names = family.names_of(path) if path in linked or family.others[path].link is not None else (path,)
        chosen |= {name: family.others[name] for name in names if is_own(family.others[name], in_whole=path in chosen)}
    add_folders(chosen, family)
    if not ownership.keep and not all(is_readable(entry, ownership) for entry in chosen.values()):
        return None
    return Own(tuple(make_own(chosen[path], is_whole=path in whole) for path in sorted(chosen)), is_exact)


def list_all(family: Family) -> Iterator[Entry]:
    """Yield all entries."""
    yield from family.folders.values()
    yield from family.others.values()


def is_moved(folder: Entry | None, result: Result) -> bool:
    """Whether a folder that was there is not there any more, under its name: it may have got another one."""
    return folder is not None and result.type is not FileType.DIRECTORY


def list_reordered(family: Family, changed: Mapping[bytes, Result]) -> Sequence[bytes]:
    """Return the folders that a run listed, with files in them that were there and files that were not."""
    added = {parent_of(path) for path in changed if path not in family.folders and path not in family.others}
    return [
        path
        for path in sorted(added)
        if path in family.folders and family.folders[path].reason in LISTED and family.children.get(path)
    ]


def measure(family: Family, paths: Iterable[bytes]) -> tuple[int, int]:
    """Return the bytes and the number of all that is in folders."""
    found = {entry.path: entry for path in paths for entry in family.below(path)}
    return sum(entry.size for entry in found.values() if not entry.placeholder), len(found)


def is_own(entry: Entry, *, in_whole: bool) -> bool:
    """Whether a file that was changed is copied: symlinks and FIFOs only with the folder that they are in."""
    return in_whole or entry.type is FileType.REGULAR


def add_folders(chosen: dict[bytes, Entry], family: Family) -> None:
    """Add the folders that lead to what was chosen, and those that replays mount over."""
    for path in (*chosen, *PROVIDED, *({SHARED_MEMORY} & set(family.folders)), b"/"):
        at = path
        while at not in chosen or at == path:
            if at in family.folders:
                chosen[at] = family.folders[at]
            if at == b"/":
                break
            at = parent_of(at)


def is_readable(entry: Entry, ownership: Ownership) -> bool:
    """Whether an owner of all files may read a file, or look into a folder."""
    needed = {FileType.REGULAR: 0o400, FileType.DIRECTORY: 0o500}.get(entry.type, 0)
    return ownership.mode_of(entry) & needed == needed


def make_own(entry: Entry, *, is_whole: bool) -> Entry:
    """Return the entry of a copy: with its own content, and for a whole folder, hiding what is below the overlay."""
    xattrs = tuple(sorted((*entry.xattrs, OPAQUE))) if is_whole else entry.xattrs
    return entry._replace(copy_of=None, twin=None, xattrs=xattrs, elsewhere=False)
