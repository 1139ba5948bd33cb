"""Files whose content is left out of a bundle: large ones, and those that the manifest says are elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import quote_from_bytes

from rtrace.errors import BundleError
from rtrace.files.patterns import Patterns
from rtrace.manifest.model import Elsewhere
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from rtrace.bundle.writing.bundle_writer import Item


class LeftElsewhere(NamedTuple):
    """Items, some without content: ``places`` says by path where it is, ``unused`` are rules that match nothing."""

    items: tuple[Item, ...]
    places: dict[bytes, Elsewhere]
    unused: list[Elsewhere]


def leave_elsewhere(items: Iterable[Item], rules: Sequence[Elsewhere], larger_than: int | None) -> LeftElsewhere:
    """Mark items that a rule of `elsewhere:` matches (the first one wins), or that are larger than ``larger_than``."""
    items = tuple(items)
    if not rules and larger_than is None:
        return LeftElsewhere(items, {}, [])
    matchers = [(rule, Patterns([rule.path])) for rule in rules]
    places: dict[bytes, Elsewhere] = {}
    used = set()
    marked = []
    for item in items:
        path = item.entry.path
        rule = None
        if item.source is not None:
            rule = next((rule for rule, matcher in matchers if matcher.match(path)), None)
        if rule is not None:
            used.add(rule)
            places[path] = replace(rule, path=path, url=_extend(rule.url, path))
        elif item.source is not None and larger_than is not None and item.entry.size > larger_than:
            places[path] = Elsewhere(path)
        marked.append(item._replace(entry=item.entry._replace(elsewhere=True)) if path in places else item)
    return LeftElsewhere(tuple(marked), places, [rule for rule in rules if rule not in used])


def describe_elsewhere(
    planned: Mapping[bytes, Elsewhere], written: Mapping[bytes, tuple[int, str]]
) -> tuple[Elsewhere, ...]:
    """Return size and digest of each file that was left out, for the manifest of the bundle.

    Raises BundleError if these are not what the edited manifest says.
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
    """Return the URL of a file, also where the given one, with a slash at its end, is that of its folder."""
    return url + quote_from_bytes(path.rpartition(b"/")[2]) if url is not None and url.endswith("/") else url
