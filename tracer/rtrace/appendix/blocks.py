"""A document as blocks, before it is LaTeX or Markdown. Every text in them is plain: the writers escape it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

MARK = "TODO(author)"


@dataclass(frozen=True, slots=True)
class Code:
    """A command, a path, a name: shown as it is typed."""

    text: str


@dataclass(frozen=True, slots=True)
class Todo:
    """What only the author knows."""

    text: str


@dataclass(frozen=True, slots=True)
class Strong:
    """Words that stand out."""

    text: str


Span: TypeAlias = str | Code | Todo | Strong
Spans: TypeAlias = tuple[Span, ...]


@dataclass(frozen=True, slots=True)
class Heading:
    """The title of a part; the document's own has level 1."""

    level: int
    text: str


@dataclass(frozen=True, slots=True)
class Paragraph:
    """Sentences."""

    spans: Spans


@dataclass(frozen=True, slots=True)
class Items:
    """A list."""

    items: tuple[Spans, ...]


@dataclass(frozen=True, slots=True)
class Commands:
    """Lines to type, one after the other."""

    lines: tuple[str, ...]


Block: TypeAlias = Heading | Paragraph | Items | Commands


def say(*spans: Span) -> Paragraph:
    """Return a paragraph."""
    return Paragraph(spans)


def find_todos(blocks: Iterable[Block]) -> Iterator[str]:
    """Yield what is left to the author."""
    for block in blocks:
        match block:
            case Paragraph():
                yield from (span.text for span in block.spans if isinstance(span, Todo))
            case Items():
                yield from (span.text for item in block.items for span in item if isinstance(span, Todo))
            case _:
                pass
