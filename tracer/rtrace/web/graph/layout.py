"""Where it stands: inputs on the left, processes in the middle, outputs on the right, other runs above and below."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.web.graph.model import Graph, Node

HEIGHT, GAP, MARGIN = 28, 10, 16
_STEP, _CHARACTER, _PADDING = 20, 7.3, 20
_WIDTHS, _ARROWS = (120, 350), 110


@dataclass(frozen=True, slots=True)
class Box:
    """A node in its place."""

    node: Node
    x: int
    y: int
    width: int


@dataclass(frozen=True, slots=True)
class Arrow:
    """A line from one box to another, as the data of an SVG path."""

    look: str
    source: str
    target: str
    path: str


@dataclass(frozen=True, slots=True)
class Drawing:
    """Boxes and arrows, and the size of it all."""

    width: int
    height: int
    boxes: list[Box]
    arrows: list[Arrow]


def lay_out(graph: Graph) -> Drawing:
    """Return the drawing of a graph."""
    columns = (graph.inputs, graph.processes, graph.outputs)
    rows = max(len(column) for column in columns)
    widths = [_measure(column) for column in columns]
    widths[1] = max(widths[1], _measure([*graph.before, *graph.after]))
    lefts = [MARGIN, 0, 0]
    lefts[1] = MARGIN + (widths[0] + _ARROWS if graph.inputs else 0)
    lefts[2] = lefts[1] + widths[1] + _ARROWS
    top = MARGIN + (_tall(len(graph.before)) + 2 * GAP if graph.before else 0)
    boxes = [*_stack(graph.before, lefts[1], MARGIN, widths[1])]
    for column, left, width in zip(columns, lefts, widths, strict=True):
        boxes += _stack(column, left, top + (_tall(rows) - _tall(len(column))) // 2, width)
    bottom = top + _tall(rows) + 2 * GAP
    boxes += _stack(graph.after, lefts[1], bottom, widths[1])
    height = bottom + _tall(len(graph.after)) + MARGIN
    width = (lefts[2] + widths[2] if graph.outputs else lefts[1] + widths[1]) + MARGIN
    place = {box.node.id: box for box in boxes}
    arrows = [
        Arrow(look, source, target, _draw_line(place[source], place[target], look))
        for (source, target), look in graph.arrows.items()
    ]
    return Drawing(width, height, boxes, arrows)


def _measure(nodes: Sequence[Node]) -> int:
    """Return the width in which the longest label of a column has room."""
    longest = max((len(node.label) * _CHARACTER + node.depth * _STEP for node in nodes), default=0)
    return int(min(max(longest + _PADDING, _WIDTHS[0]), _WIDTHS[1] + 8 * _STEP))


def _tall(number: int) -> int:
    return number * (HEIGHT + GAP) - GAP if number else 0


def _stack(nodes: Sequence[Node], left: int, top: int, width: int) -> list[Box]:
    return [
        Box(node, left + node.depth * _STEP, top + number * (HEIGHT + GAP), width - node.depth * _STEP)
        for number, node in enumerate(nodes)
    ]


def _draw_line(source: Box, target: Box, look: str) -> str:
    if look == "child":  # down from below the parent's left corner, and to the right
        x, y = source.x + _STEP // 2, source.y + HEIGHT
        return f"M{x} {y}V{target.y + HEIGHT // 2}H{target.x}"
    if look == "run":
        middle = source.x + source.width // 2
        return f"M{middle} {source.y + HEIGHT}L{target.x + target.width // 2} {target.y}"
    y1, y2 = source.y + HEIGHT // 2, target.y + HEIGHT // 2
    if source.x > target.x:  # back from what one process wrote to another one that read it, a little below
        x1, y1, x2, y2 = source.x, y1 + HEIGHT // 4, target.x + target.width, y2 + HEIGHT // 4
        bend = -_ARROWS // 2
    else:
        x1, x2 = source.x + source.width, target.x
        bend = max(_ARROWS // 2, (x2 - x1) // 2)
    return f"M{x1} {y1}C{x1 + bend} {y1} {x2 - bend} {y2} {x2} {y2}"
