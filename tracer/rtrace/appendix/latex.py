r"""Blocks as LaTeX, for any engine and document class.

Nothing that a bundle says is a command: every character with a meaning for TeX is written by a macro of LaTeX's kernel,
and what pdfTeX has no letter for by its number, as ``[U+4E2D]``.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.appendix.blocks import MARK, Code, Commands, Heading, Items, Paragraph, Strong, Todo

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.appendix.blocks import Block, Span, Spans

_MACROS = {
    "\\": r"\textbackslash{}",
    "{": r"\{",
    "}": r"\}",
    "$": r"\$",
    "&": r"\&",
    "#": r"\#",
    "_": r"\_",
    "%": r"\%",
    "^": r"\textasciicircum{}",
    "~": r"\textasciitilde{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "|": r"\textbar{}",
    '"': r"\char34{}",
    "'": r"\char39{}",
    "`": r"\char96{}",
    "[": "{[}",
    "]": "{]}",
    "\u2013": r"\textendash{}",
    "\u2014": r"\textemdash{}",
    "\u2019": r"\textquoteright{}",
    "\u2018": r"\textquoteleft{}",
    "\u201c": r"\textquotedblleft{}",
    "\u201d": r"\textquotedblright{}",
    "\u2026": r"\ldots{}",
}  # fmt: skip
_LETTERS = frozenset("ÀÁÂÃÄÅÆÇÈÉÊËÌÍÎÏÑÒÓÔÕÖØÙÚÛÜÝàáâãäåæçèéêëìíîïñòóôõöøùúûüýÿßŒœŠšŽžŁł")
"""What pdfTeX writes with any of the usual fonts."""
_LIGATURE = re.compile(r"([-,])(?=\1)")
"""Two of these in a row would be another character."""
_COMMANDS = {1: "section", 2: "subsection", 3: "subsubsection"}


def escape(text: str) -> str:
    """Write plain text so that LaTeX sets just that, on one line."""
    flat = " ".join(text.split())
    return _LIGATURE.sub(r"\1{}", "".join(map(_escape, flat)))


def _escape(char: str) -> str:
    if char in _MACROS:
        return _MACROS[char]
    if char in _LETTERS or (char.isascii() and char.isprintable()):
        return char
    return f"{{[}}U+{ord(char):04X}{{]}}"


def write_latex(blocks: Iterable[Block], head: str) -> str:
    """Return a file that a document reads as a part of it; ``head`` is a comment, a line each."""
    parts = ["".join(f"% {line}\n" for line in head.splitlines())]
    parts += map(_write, blocks)
    return "\n".join(parts)


def _write(block: Block) -> str:
    match block:
        case Heading():
            return f"\\{_COMMANDS.get(block.level, 'paragraph')}{{{escape(block.text)}}}\n"
        case Paragraph():
            return _spans(block.spans) + "\n"
        case Items():
            items = "".join(f"  \\item {{}}{_spans(item)}\n" for item in block.items)
            return f"\\begin{{itemize}}\n{items}\\end{{itemize}}\n" if items else ""
        case Commands():
            lines = "\\\\{}\n".join(_typed(line) for line in block.lines)
            return f"\\begin{{quote}}\\ttfamily\\raggedright\n{lines}\n\\end{{quote}}\n"


def _spans(spans: Spans) -> str:
    return "".join(map(_span, spans))


def _span(span: Span) -> str:
    match span:
        case Code():
            return f"\\texttt{{{_typed(span.text)}}}"
        case Todo():
            return f"\\textbf{{{MARK}: {escape(span.text)}}}"
        case Strong():
            return f"\\textbf{{{escape(span.text)}}}"
        case str():
            blank = " " if span[:1].isspace() else ""
            return blank + escape(span) + (" " if span.strip() and span[-1:].isspace() else "")


def _typed(text: str) -> str:
    """Write what is typed: blanks stay, and paths may break behind a slash."""
    return "\\ ".join(escape(word).replace("/", "/\\allowbreak{}") for word in text.split(" "))
