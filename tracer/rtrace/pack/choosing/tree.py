"""The entries of a bundle from the chosen files: parent folders added, hard links joined, sources of content found."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from stat import S_IMODE, S_ISDIR
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.validation import NAME_LIMIT, path_problem
from rtrace.bundle.writing.bundle_writer import Item
from rtrace.pack.choosing.links import Links, join_links
from rtrace.trace.schema import MUTATIONS, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtrace.describe.selection import Choice
    from rtrace.files.xattrs import Attributes
    from rtrace.pack.choosing.moved import Location
    from rtrace.trace.reading.reader import Before

_MUTATIONS, _LOOKUP = int(MUTATIONS), int(Use.LOOKUP)
_READ, _FILL = int(Use.READ), int(Use.WRITE | Use.TRUNCATE)
OPEN_FIFO = "FIFO with its other end outside"
"""The reason for an empty file in place of a FIFO: opening one with nobody at its other end would wait for ever."""
_UNUSUAL = frozenset({b"", b"."})
"""How names begin that need a closer look: empty ones, `.` and `..`."""
_TYPES = {kind.value: kind for kind in FileType}


@dataclass(frozen=True, slots=True)
class FileFacts:
    """What is known of files besides what the runs found there, each by path.

    ``packages`` are the names of the owners; ``labels`` say who else a file belongs to, or why a package owns a file
    that it does not list. ``locations`` are the files whose content has moved or got another time. ``attributes`` are
    the extended attributes that files had before a run changed them; others are read now. ``snapshots`` is the folder
    of the copies that the tracer made.
    """

    packages: Mapping[bytes, str] = field(default_factory=dict)
    labels: Mapping[bytes, str] = field(default_factory=dict)
    locations: Mapping[bytes, Location] = field(default_factory=dict)
    attributes: Mapping[bytes, Attributes] = field(default_factory=dict)
    snapshots: bytes = b""


class ItemTree(NamedTuple):
    """Items sorted by path, and the paths that cannot be among them: (path, why)."""

    items: list[Item]
    misplaced: list[tuple[bytes, str]]


def build_tree(choices: Sequence[Choice], directories: Iterable[bytes], facts: FileFacts) -> ItemTree:
    """Return the items of a bundle.

    ``choices`` are sorted by path; ``directories`` are added if they are missing. Every folder above an item is an
    item: if the trace has no state of it, it is looked up now.
    """
    builder = _TreeBuilder(join_links(choices), facts)
    previous: bytes | None = None
    for choice in choices:
        path = choice.before.path
        folder, _, name = path.rpartition(b"/")
        usual = len(path) <= NAME_LIMIT and name[:1] not in _UNUSUAL and b"\0" not in name
        problem = None if usual and folder == previous else path_problem(path)
        if problem is None and choice.before.type == "symlink" and not choice.before.target:
            problem = "a symlink that could not be read"
        if problem is None and folder != previous:
            problem = builder.add_parents(path)
        if problem is not None:
            builder.misplaced.append((path, problem))
            continue
        previous = folder
        builder.add(choice)
    for path in directories:
        if not builder.add_parents(path) and path not in builder.items:
            builder.items[path] = Item(_look_up(path, "working directory"), attributes=None)
    return ItemTree([builder.items[path] for path in sorted(builder.items)], builder.misplaced)


def has_one_end(use: int) -> bool:
    """Whether the runs used one end of a FIFO only; ``use`` is everything that they did with it."""
    return bool(use & _READ) != bool(use & _FILL)


class _TreeBuilder:
    """The items so far, by path."""

    def __init__(self, links: Links, facts: FileFacts) -> None:
        self.items: dict[bytes, Item] = {}
        self.misplaced: list[tuple[bytes, str]] = []
        self._heads, self._twins = links
        self._facts = facts

    def add(self, choice: Choice) -> None:
        """Add the item of a path."""
        path, facts = choice.before.path, self._facts
        item = self._make_item(choice, self._heads.get(path))
        if path in self._twins:
            item = item._replace(entry=item.entry._replace(twin=self._twins[path]))
        if path in facts.attributes and item.entry.link is None:
            item = item._replace(attributes=facts.attributes[path])
        found = facts.locations.get(item.source) if facts.locations and item.source is not None else None
        if found is not None:
            item = item._replace(source=found.source, mtime_ns=found.mtime_ns, ctime_ns=None)
        self.items[path] = item

    def add_parents(self, path: bytes) -> str | None:
        """Add the missing folders above a path; return what is wrong if one of them is not a folder."""
        if path == b"/":
            return None
        parent = path.rpartition(b"/")[0] or b"/"
        item = self.items.get(parent)
        if item is None:
            problem = self.add_parents(parent)
            if problem is not None:
                return problem
            item = self.items[parent] = Item(_look_up(parent, "ancestor"), attributes=None)
        if item.entry.type is not FileType.DIRECTORY:
            return f"before the experiment, {os.fsdecode(parent)!a} was a {item.entry.type.value}"
        return None

    def _make_item(self, choice: Choice, head: Before | None) -> Item:
        """Return the item of a path; ``head`` is the first name of the same file, which holds the content."""
        before, reason, placeholder = choice
        if head is None:
            head = before
        else:
            placeholder = False
        kind = _TYPES[before.type or ""]
        if kind is FileType.FIFO and has_one_end(before.use):
            kind, reason, placeholder = FileType.REGULAR, OPEN_FIFO, True
            head = before._replace(size=0)
        regular = kind is FileType.REGULAR
        link = head.path if regular and head.path != before.path else None
        entry = Entry(
            path=before.path,
            type=kind,
            mode=head.mode,
            uid=head.uid,
            gid=head.gid,
            mtime_ns=head.mtime_ns,
            size=head.size if regular else 0,
            target=before.target if kind is FileType.SYMLINK else None,
            link=link,
            placeholder=placeholder,
            package=self._facts.packages.get(before.path),
            reason=reason,
            belonging=self._facts.labels.get(before.path),
            blocks=before.blocks if placeholder and regular and before.use & _LOOKUP else None,
        )
        if not regular or link is not None or placeholder:
            return Item(entry, attributes=None if link is None else ())
        linked = before.links > 1
        if head.snapshot is not None:
            return Item(entry, os.path.join(self._facts.snapshots, os.fsencode(head.snapshot)), linked)
        untouched = head.links == 1 and head.problem is None and not head.use & _MUTATIONS
        return Item(entry, head.path, linked, attributes=None, ctime_ns=head.ctime_ns if untouched else None)


def _look_up(path: bytes, reason: str) -> Entry:
    """Return the entry of a folder as it is now; an ordinary one if it is gone.

    The trace has no time of it, and packing itself may change it (the bundle may be written there): the time is 0.
    """
    try:
        state = os.lstat(path)
    except OSError:
        state = None
    if state is None or not S_ISDIR(state.st_mode):
        return Entry(path, FileType.DIRECTORY, mode=0o755, uid=0, gid=0, mtime_ns=0, reason=reason)
    mode = S_IMODE(state.st_mode)
    return Entry(path, FileType.DIRECTORY, mode=mode, uid=state.st_uid, gid=state.st_gid, mtime_ns=0, reason=reason)
