"""What a mapping or list of a manifest consists of, and by what each part is known in another text of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.manifest.reading.nodes import Mapping, Node, Scalar, Sequence

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

_IDENTITY = ("id", "manager", "rule", "kind", "name", "what")
"""What makes an item of a list the same as before, whatever else is new about it."""


@dataclass(frozen=True, slots=True)
class ChildNode:
    """A pair of a mapping or an item of a list."""

    identity: Hashable
    start: int
    key: Scalar | None
    value: Node


def list_children(node: Mapping | Sequence) -> list[ChildNode]:
    """Return the pairs of a mapping, or the items of a list."""
    if isinstance(node, Mapping):
        return [ChildNode(key.value, key.start, key, value) for key, value in node.pairs]
    return [ChildNode(_identify(item), item.start, None, item) for item in node.items]


def _identify(node: Node) -> Hashable:
    if isinstance(node, Scalar):
        return (node.value, node.binary)
    if isinstance(node, Mapping):
        scalars = {key.value: value.value for key, value in node.pairs if isinstance(value, Scalar)}
        if "place" in scalars:  # of a secret: a person need not say more
            return scalars["place"]
        return tuple((key, scalars[key]) for key in _IDENTITY if key in scalars) or tuple(scalars.items())[:1]
    return len(node.items)


def is_empty(node: Node) -> bool:
    """Whether a node says nothing."""
    match node:
        case Mapping():
            return not node.pairs
        case Sequence():
            return not node.items
        case _:
            return node.plain and not node.value


def goes_without_saying(child: ChildNode) -> bool:
    """Whether a pair says what its absence says, too."""
    value = child.value
    if isinstance(value, Scalar) and value.plain and (child.identity, value.value) == ("pack", "true"):
        return True
    return is_empty(value) or (isinstance(value, Scalar) and value.plain and value.value in {"false", "0"})


def find_scalars(child: ChildNode) -> Iterator[tuple[int, int]]:
    """Yield where the scalars of a child begin and end in the text."""
    if child.key:
        yield child.key.start, child.key.end
    if isinstance(child.value, Scalar):
        yield child.value.start, child.value.end
    else:
        for below in list_children(child.value):
            yield from find_scalars(below)
