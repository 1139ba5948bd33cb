"""Blocks as Markdown (CommonMark), with nothing in them that is markup of its own."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.appendix.blocks import MARK, Code, Commands, Heading, Items, Paragraph, Strong, Todo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.appendix.blocks import Block, Span, Spans

_PUNCTUATION = re.compile(r"([\\`*_{}\[\]()#+\-.!|~:@$^=\"'])")
_TICKS = re.compile("`+")


def escape(text: str) -> str:
    """Write plain text so that Markdown shows just that, on one line."""
    flat = " ".join(text.split()).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return _PUNCTUATION.sub(r"\\\1", flat)


def write_markdown(blocks: Iterable[Block], head: str) -> str:
    """Return a document; ``head`` is a comment."""
    comment = head.replace("--", "- -")
    return "\n".join([f"<!-- {comment} -->\n", *map(_write, blocks)])


def _write(block: Block) -> str:
    match block:
        case Heading():
            return f"{'#' * block.level} {escape(block.text)}\n"
        case Paragraph():
            return _spans(block.spans) + "\n"
        case Items():
            return "".join(f"- {_spans(item)}\n" for item in block.items)
        case Commands():
            fence = _fence("\n".join(block.lines), 3)
            return "\n".join([f"{fence}sh", *(" ".join(line.splitlines()) for line in block.lines), fence, ""])


def _fence(text: str, least: int) -> str:
    """Return more backticks than there are in a row in a text."""
    longest = max((len(found[0]) for found in _TICKS.finditer(text)), default=0)
    return "`" * max(least, longest + 1)


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Code():
            text = " ".join(span.text.split())
            fence = _fence(text, 1)
            blank = " " if "`" in text else ""
            return f"{fence}{blank}{text}{blank}{fence}"
        case Todo():
            return f"**{escape(MARK)}:** {escape(span.text)}"
        case Strong():
            return f"**{escape(span.text)}**"
        case str():
            blank = " " if span[:1].isspace() else ""
            return blank + escape(span) + (" " if span.strip() and span[-1:].isspace() else "")
