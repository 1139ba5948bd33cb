"""Files whose content is left out of a bundle: by their size, or because the manifest says that it is elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING
from urllib.parse import quote_from_bytes

from rtrace.errors import BundleError
from rtrace.files.patterns import Patterns
from rtrace.manifest.model import Elsewhere
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtrace.bundle.writing.bundle_writer import Item


def leave_elsewhere(
    items: Iterable[Item], told: Sequence[Elsewhere], larger_than: int | None
) -> tuple[tuple[Item, ...], dict[bytes, Elsewhere], list[Elsewhere]]:
    """Mark the items whose content is left out: those that are told of, the first that matches, and larger ones.

    Gives all items, by path what is told of those that were marked, and what was told and fits none.
    """
    items = tuple(items)
    if not told and larger_than is None:
        return items, {}, []
    matchers = [(one, Patterns([one.path])) for one in told]
    marked: dict[bytes, Elsewhere] = {}
    used = set()
    found = []
    for item in items:
        path = item.entry.path
        one = next((one for one, matcher in matchers if matcher.match(path)), None) if item.source is not None else None
        if one is not None:
            used.add(one)
            marked[path] = replace(one, path=path, url=_extend(one.url, path))
        elif item.source is not None and larger_than is not None and item.entry.size > larger_than:
            marked[path] = Elsewhere(path)
        found.append(item._replace(entry=item.entry._replace(elsewhere=True)) if path in marked else item)
    return tuple(found), marked, [one for one in told if one not in used]


def tell_elsewhere(
    planned: Mapping[bytes, Elsewhere], written: Mapping[bytes, tuple[int, str]]
) -> tuple[Elsewhere, ...]:
    """Say of each file that was left out what its content is, for the manifest of the bundle.

    Raises BundleError where that is not what the person who edited the manifest said of it.
    """
    for path, (size, sha256) in written.items():
        wanted = planned[path]
        if wanted.size not in {None, size} or wanted.sha256 not in {None, sha256}:
            raise BundleError(
                f"{printable(path)} is not what `elsewhere:` in the manifest says: it has {size} bytes and the SHA-256 "
                f"{sha256}; correct the manifest, or put the right file there"
            )
    return tuple(Elsewhere(path, *written[path], planned[path].url) for path in sorted(written))


def _extend(url: str | None, path: bytes) -> str | None:
    """Give the URL of a file in the folder that a URL stands for."""
    return url + quote_from_bytes(path.rpartition(b"/")[2]) if url is not None and url.endswith("/") else url
