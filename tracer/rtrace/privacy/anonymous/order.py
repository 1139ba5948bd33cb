"""The order of items under pseudonyms."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from rtrace.bundle.writing.bundle_writer import Item


def sort_items(items: Sequence[Item], replace: Callable[[bytes], bytes]) -> tuple[Item, ...]:
    """Sort items by the paths that ``replace`` gives them; the first of several hard links holds the content."""
    by_path = {item.entry.path: item for item in items}
    groups: dict[bytes, list[bytes]] = {}
    for item in items:
        if item.entry.link is not None:
            groups.setdefault(item.entry.link, []).append(item.entry.path)
    for holder, links in groups.items():
        first = min((holder, *links), key=replace)
        if first != holder:
            _move_content(by_path, first, (holder, *links))
    return tuple(by_path[path] for path in sorted(by_path, key=replace))


def has_own_time(item: Item) -> bool:
    """Whether the time of an item's content is that of its entry; see `Item`."""
    return item.mtime_ns is None and item.source == item.entry.path


def _move_content(by_path: dict[bytes, Item], first: bytes, names: tuple[bytes, ...]) -> None:
    """Have one of several hard links hold the content, which the first of ``names`` has held so far."""
    holder = by_path[names[0]]
    mtime_ns = holder.entry.mtime_ns if has_own_time(holder) else holder.mtime_ns
    for path in names:
        entry = by_path[path].entry._replace(link=None if path == first else first)
        by_path[path] = (
            holder._replace(entry=entry, mtime_ns=mtime_ns)
            if path == first
            else by_path[path]._replace(entry=entry, source=None)
        )
