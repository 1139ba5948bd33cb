"""The entries of a bundle from what was selected: folders completed, hard links joined, sources of content found."""

from __future__ import annotations

import os
from stat import S_IMODE, S_ISDIR
from typing import TYPE_CHECKING, NamedTuple

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.reading.validation import NAME_LIMIT, path_problem
from rtrace.bundle.writing.bundle_writer import Item
from rtrace.trace.schema import MUTATIONS, Use

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtrace.describe.selection import Choice
    from rtrace.files.xattrs import Attributes
    from rtrace.pack.moved import Whereabout
    from rtrace.trace.reader import Before

_MUTATIONS, _LOOKUP = int(MUTATIONS), int(Use.LOOKUP)
_READ, _FILL = int(Use.READ), int(Use.WRITE | Use.TRUNCATE)
OPEN_FIFO = "FIFO with its other end outside"
"""The reason why an empty file stands for a FIFO: who opens that without anybody at its other end waits for ever."""
_UNUSUAL = frozenset({b"", b"."})
"""How names begin that could stand for another."""
_TYPES = {kind.value: kind for kind in FileType}


class Tree(NamedTuple):
    """Items sorted by path, and the paths that found no place among them: (path, why)."""

    items: list[Item]
    misplaced: list[tuple[bytes, str]]


def build_tree(
    choices: Sequence[Choice],
    directories: Iterable[bytes],
    packages: Mapping[bytes, str],
    belonging: Mapping[bytes, str],
    snapshots: bytes,
    whereabouts: Mapping[bytes, Whereabout],
    noted: Mapping[bytes, Attributes],
) -> Tree:
    """Make the items of a bundle.

    ``choices`` are sorted by path; ``directories`` are needed besides; ``packages`` names the owners of paths,
    ``belonging`` says of paths whose they are without a package, or why a package's; ``snapshots`` is the folder of the
    copies; ``whereabouts`` tells of the files whose content is elsewhere, or has another time than the trace noted;
    ``noted`` of the extended attributes that files had before a run changed them: those of others are as they are now.
    Every ancestor of an item is an item: what the trace does not tell of it is looked up now.
    """
    links, twins = _join_links(choices)
    tree: dict[bytes, Item] = {}
    misplaced: list[tuple[bytes, str]] = []
    previous: bytes | None = None
    for choice in choices:
        path = choice.before.path
        folder, _, name = path.rpartition(b"/")
        usual = len(path) <= NAME_LIMIT and name[:1] not in _UNUSUAL and b"\0" not in name
        problem = None if usual and folder == previous else path_problem(path)
        if problem is None and choice.before.type == "symlink" and not choice.before.target:
            problem = "a symlink that could not be read"
        if problem is None and folder != previous:
            problem = _put_ancestors(tree, path)
        if problem is not None:
            misplaced.append((path, problem))
            continue
        previous = folder
        head = links.get(path) if links else None
        item = _make_item(choice, head, packages.get(path), belonging.get(path), snapshots)
        if twins and path in twins:
            item = item._replace(entry=item.entry._replace(twin=twins[path]))
        if noted and path in noted and item.entry.link is None:
            item = item._replace(attributes=noted[path])
        found = whereabouts.get(item.source) if whereabouts and item.source is not None else None
        if found is not None:
            item = item._replace(source=found.source, mtime_ns=found.mtime_ns, ctime_ns=None)
        tree[path] = item
    for path in directories:
        if not _put_ancestors(tree, path) and path not in tree:
            tree[path] = Item(_look_up(path, "working directory"), attributes=None)
    return Tree([tree[path] for path in sorted(tree)], misplaced)


def _make_item(
    choice: Choice, head: Before | None, package: str | None, belonging: str | None, snapshots: bytes
) -> Item:
    """Make one item; ``head`` is the first name of the same file, which holds the content; None if it has no other."""
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
        before.path,
        kind,
        head.mode,
        head.uid,
        head.gid,
        head.mtime_ns,
        head.size if regular else 0,
        None,
        before.target if kind is FileType.SYMLINK else None,
        link,
        placeholder,
        None,
        package,
        reason,
        belonging=belonging,
        blocks=before.blocks if placeholder and regular and before.use & _LOOKUP else None,
    )
    if not regular or link is not None or placeholder:
        return Item(entry, attributes=None if link is None else ())
    if head.snapshot is not None:
        return Item(entry, os.path.join(snapshots, os.fsencode(head.snapshot)), before.links > 1)
    untouched = head.links == 1 and head.problem is None and not head.use & _MUTATIONS
    return Item(entry, head.path, before.links > 1, attributes=None, ctime_ns=head.ctime_ns if untouched else None)


def has_one_end(use: int) -> bool:
    """Tell whether the runs had one end of a FIFO only, from all that they did with it."""
    return bool(use & _READ) != bool(use & _FILL)


def _put_ancestors(tree: dict[bytes, Item], path: bytes) -> str | None:
    """Give every ancestor of a path its item; say what is wrong when one of them is no directory."""
    if path == b"/":
        return None
    ancestor = path.rpartition(b"/")[0] or b"/"
    item = tree.get(ancestor)
    if item is None:
        problem = _put_ancestors(tree, ancestor)
        if problem is not None:
            return problem
        item = tree[ancestor] = Item(_look_up(ancestor, "ancestor"), attributes=None)
    if item.entry.type is not FileType.DIRECTORY:
        return f"before the experiment, {os.fsdecode(ancestor)!a} was a {item.entry.type.value}"
    return None


def _look_up(path: bytes, reason: str) -> Entry:
    """Make the entry of a directory as it is now; as an ordinary one when it is gone.

    Its time is no fact of the trace, and packing itself may change it (the bundle may be written there): it is 0.
    """
    try:
        state = os.lstat(path)
    except OSError:
        state = None
    if state is None or not S_ISDIR(state.st_mode):
        return Entry(path, FileType.DIRECTORY, 0o755, 0, 0, 0, reason=reason)
    mode = S_IMODE(state.st_mode)
    return Entry(path, FileType.DIRECTORY, mode, state.st_uid, state.st_gid, 0, reason=reason)


def _join_links(choices: Iterable[Choice]) -> tuple[dict[bytes, Before], dict[bytes, bytes]]:
    """Find the hard links among regular files: give the first one's state for each of them.

    Of those of which no content is needed, give for each further name the first one.

    Two paths are one file when one run found them with the same inode, or two runs did and nothing else had changed.
    The state is that of the member which a run met first: a later one may have been changed through another name.
    """
    groups: dict[tuple[int, int], list[Choice]] = {}
    for choice in choices:
        before = choice.before
        if before.type == "file" and before.links > 1:
            groups.setdefault((before.device, before.inode), []).append(choice)
    heads: dict[bytes, Before] = {}
    twins: dict[bytes, bytes] = {}
    for group in groups.values():
        if len(group) > 1:
            for family in _families(group):
                if all(choice.placeholder for choice in family):
                    first, *others = sorted(choice.before.path for choice in family)
                    twins.update(dict.fromkeys(others, first))
                else:
                    _choose_head(family, heads)
    return heads, twins


def _families(group: list[Choice]) -> list[list[Choice]]:
    """Split the paths that had one inode number into those that were one file."""
    families: list[list[Choice]] = []
    for choice in sorted(group, key=lambda member: (member.before.run, member.before.time)):
        before = choice.before
        for family in families:
            first = family[0].before
            if before.run == first.run or (before.size, before.mtime_ns) == (first.size, first.mtime_ns):
                family.append(choice)
                break
        else:
            families.append([choice])
    return families


def _choose_head(family: list[Choice], heads: dict[bytes, Before]) -> None:
    """Point the members of a family at the one that holds the content: the first by path."""
    snapshot = next((choice.before.snapshot for choice in family if choice.before.snapshot is not None), None)
    holder = min(choice.before.path for choice in family)
    head = family[0].before._replace(path=holder, snapshot=snapshot)
    heads.update((choice.before.path, head) for choice in family)
