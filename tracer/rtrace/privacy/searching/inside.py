"""Search what is packed in a file for secrets."""

from __future__ import annotations

import io
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from rtrace.privacy.searching.containers import Budget, PartsReader, UnsearchedError, find_kind
from rtrace.privacy.searching.findings import ContainerFindings, InContainer
from rtrace.privacy.searching.packed_files import DAMAGE, open_members

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rtrace.privacy.searching.findings import InFile

    Find = Callable[[bytes, Iterable[bytes]], Iterator[InFile]]

_DEEPEST = 4
"""How many containers within each other are opened."""


def search_container(path: bytes, file: BinaryIO, head: bytes, find: Find, most: int) -> ContainerFindings | None:
    """Search what is packed in a file, which is at its beginning; ``head`` is how it begins.

    ``find`` looks at a member by its path and its content. After ``most`` secrets no more are looked for. Return None
    for a file that is no container, though it may begin like one.
    """
    kind = find_kind(path, head)
    if kind is None:
        return None
    found: list[InContainer] = []
    unsearched, seen = None, False
    try:
        for inside in _search(kind, path, file, find, Budget(), 1):
            seen = True
            if inside is not None:
                found.append(inside)
                if len(found) > most:
                    break
    except UnsearchedError as error:
        unsearched, seen = str(error), True
    except DAMAGE:
        unsearched = "it is damaged"
    return ContainerFindings(tuple(found), unsearched) if seen else None


def _search(
    kind: str, path: bytes, file: BinaryIO, find: Find, budget: Budget, depth: int
) -> Iterator[InContainer | None]:
    """Yield the secrets in a container, and None for each member that was seen."""
    troubles: list[Exception] = []
    for name, content in open_members(kind, file, budget):
        parts = _until_trouble(content, troubles)
        inner = path + b"/" + name if name else _strip(path)
        shown = name or inner.rpartition(b"/")[2]
        head = next(parts, b"")
        if not troubles:
            yield None
        if name:
            in_name = list(find(b"", [name]))
            yield from (InContainer(one.rule, _cross_out(name, in_name), one.value) for one in in_name)
            shown = _cross_out(name, in_name)
        nested = find_kind(inner, head)
        if nested is None or nested == "zlib":
            if head:
                yield from (InContainer(one.rule, shown, one.value) for one in find(inner, chain([head], parts)))
        elif depth >= _DEEPEST:
            troubles.append(UnsearchedError("too much is packed in each other in it"))
        else:
            reader = cast("BinaryIO", io.BufferedReader(PartsReader(chain([head], parts))))
            try:
                for inside in _search(nested, inner, reader, find, budget, depth + 1):
                    yield inside and inside._replace(member=shown + b"/" + inside.member if name else inside.member)
            except (UnsearchedError, *DAMAGE) as error:
                troubles.append(error)
        if budget.is_spent:
            break
    if troubles:
        raise troubles[0]


def _until_trouble(parts: Iterator[bytes], troubles: list[Exception]) -> Iterator[bytes]:
    """Yield the parts of a content as far as they can be read, and note why not all of them can."""
    try:
        yield from parts
    except (UnsearchedError, *DAMAGE) as error:
        troubles.append(error)


def _cross_out(name: bytes, found: Iterable[InFile]) -> bytes:
    """Return a name without the secrets in it."""
    shown = bytearray(name)
    for one in found:
        shown[one.begin : one.end] = b"x" * (one.end - one.begin)
    return bytes(shown)


def _strip(path: bytes) -> bytes:
    """Return the path of what is compressed in a file."""
    stem, dot, ending = path.rpartition(b".")
    return stem if dot and ending in _ENDINGS else path


_ENDINGS = frozenset(b"gz bz2 xz zst lzma z Z zlib".split())
