"""YAML as a tree of nodes that know their line and column. The one door to PyYAML.

Much less than YAML is let in, as a manifest may come from anywhere: one document, no anchors and aliases (with which
ten lines can stand for billions), no tags but ``!!binary``, a bounded depth. Scalars stay the strings that they are
written as; what they mean is for the reader of the field to say, so that ``3.10`` and ``no`` in an argv are what was
typed.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import yaml

from rtrace.errors import ManifestError
from rtrace.manifest.reading.mistakes import explain
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Iterator

_DEPTH_LIMIT = 12
_NODES_FREE = 100_000
_NODE_SIZE = 8
_NODES_LIMIT = 750_000
"""Scalars, lists and mappings of any text, one more for so many of its characters, and of any text at most."""
_BINARY = "tag:yaml.org,2002:binary"
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True, slots=True)
class Position:
    """Where something stands: a file's name, and line and column counted from 1."""

    source: str
    line: int
    column: int

    def error(self, problem: str) -> ManifestError:
        """Make the error that names this place."""
        return ManifestError(f"{self.source}, line {self.line}, column {self.column}: {problem}")


@dataclass(frozen=True, slots=True)
class _Node:
    """Where something stands; a million nodes have no `Position` each. The text has it from start to end."""

    source: str
    line: int
    column: int
    start: int
    end: int

    @property
    def place(self) -> Position:
        """Where it stands, for an error."""
        return Position(self.source, self.line, self.column)


@dataclass(frozen=True, slots=True)
class Scalar(_Node):
    """A scalar as it is written, quotes and escapes resolved."""

    value: str
    plain: bool
    binary: bool


@dataclass(frozen=True, slots=True)
class Sequence(_Node):
    """A list; ``flow`` says that it is written in brackets."""

    items: tuple[Node, ...]
    flow: bool


@dataclass(frozen=True, slots=True)
class Mapping(_Node):
    """A mapping, as the pairs in their order; that no key comes twice is for its reader to check."""

    pairs: tuple[tuple[Scalar, Node], ...]
    flow: bool


Node = Scalar | Sequence | Mapping
TOO_DEEP = "this is nested too deeply"


def parse(content: str, source: str, *, surrogates: bool = False) -> Node:
    """Parse YAML; raise ManifestError, with line and column, for what is not YAML or is more than let in.

    Offsets are counted after a byte order mark, if there is one.
    ``surrogates`` lets in escapes of lone surrogates, which libyaml refuses; PyYAML's own parser is 20 times as slow.
    """
    content = content.removeprefix("\ufeff")
    try:
        events = yaml.parse(content, Loader=yaml.SafeLoader if surrogates else LOADER)
        return _Builder(events, source, min(_NODES_LIMIT, _NODES_FREE + len(content) // _NODE_SIZE)).document()
    except yaml.MarkedYAMLError as error:
        line, column, what = explain(content, error)
        if "nesting depth" in (error.problem or ""):  # PyYAML has a limit of its own since 6.0.4
            what = TOO_DEEP
        raise Position(source, line + 1, column + 1).error(what) from None
    except yaml.YAMLError as error:  # a character that YAML forbids
        position = getattr(error, "position", 0)
        before = content[:position]
        column = position - (before.rfind("\n") + 1) + 1
        place = Position(source, before.count("\n") + 1, column)
        raise place.error("this character is not allowed in YAML; write it as an escape in double quotes") from None


class _Builder:
    """Builds nodes from the events of the parser, which arrive in the order of the text."""

    def __init__(self, events: Iterator[Any], source: str, most: int) -> None:
        self._events = events
        self._source = source
        self._left = most

    def document(self) -> Node:
        """Build the one document of a stream."""
        next(self._events)
        first = next(self._events)
        if isinstance(first, yaml.StreamEndEvent):
            raise self._place(first).error("the manifest is empty")
        node = self._node(next(self._events), 0)
        next(self._events)
        after = next(self._events)
        if not isinstance(after, yaml.StreamEndEvent):
            raise self._place(after).error("a manifest is one document; a second one begins here")
        return node

    def _place(self, event: Any) -> Position:  # noqa: ANN401 -- PyYAML's events have no common typed base
        return Position(self._source, event.start_mark.line + 1, event.start_mark.column + 1)

    def _node(self, event: Any, depth: int) -> Node:  # noqa: ANN401
        self._left -= 1
        if self._left < 0:
            raise self._place(event).error("there are more values before this than in any manifest that rtrace writes")
        if isinstance(event, yaml.AliasEvent) or event.anchor is not None:
            raise self._place(event).error(
                "anchors and aliases (& and *) are not allowed; quote the string, or write it out"
            )
        if event.tag is not None and not (event.tag == _BINARY and isinstance(event, yaml.ScalarEvent)):
            raise self._place(event).error(
                f"the tag {shorten(event.tag)!r} is not allowed; the only one is !!binary before a string"
            )
        if depth > _DEPTH_LIMIT:
            raise self._place(event).error(TOO_DEEP)
        mark = event.start_mark
        place = (self._source, mark.line + 1, mark.column + 1, mark.index)
        end: int = event.end_mark.index
        if isinstance(event, yaml.ScalarEvent):
            return Scalar(*place, end, event.value, not event.style, event.tag == _BINARY)
        if isinstance(event, yaml.SequenceStartEvent):
            items = []
            while not isinstance(following := next(self._events), yaml.SequenceEndEvent):
                items.append(self._node(following, depth + 1))
            flow = bool(event.flow_style)
            return Sequence(*place, self._end(following, items[-1:], flow=flow), tuple(items), flow)
        pairs = []
        while not isinstance(following := next(self._events), yaml.MappingEndEvent):
            key = self._node(following, depth + 1)
            if not isinstance(key, Scalar):
                raise key.place.error("a key has to be a string")
            pairs.append((key, self._node(next(self._events), depth + 1)))
        flow = bool(event.flow_style)
        return Mapping(*place, self._end(following, [pair[1] for pair in pairs[-1:]], flow=flow), tuple(pairs), flow)

    def _end(self, event: Any, last: list[Node], *, flow: bool) -> int:  # noqa: ANN401
        """Return where a list or mapping ends; the parser says that a block ends where the next thing begins."""
        end: int = event.end_mark.index if flow or not last else last[0].end
        return end
