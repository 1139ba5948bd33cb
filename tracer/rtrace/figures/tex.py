r"""What LaTeX has to know of the figures in a paper: ``rtrace-figures.tex``, which ``rtrace.sty`` reads.

A line for each ``RUN?FILE`` of the paper: ``\rtracefigure{RUN?FILE}{ID}{MD5,MD5}{SHA256,SHA256}{LINK}``.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from importlib.resources import files
from urllib.parse import quote

SIDE_FILE, STYLE = "rtrace-figures.tex", "rtrace.sty"
# The options may have braces with brackets in them; what stands behind % on its line is a comment.
_INCLUDED = re.compile(
    r"\\rtraceincludegraphics\s*(?:\[(?:[^\]\[{}]|\{[^{}]*\})*\])?\s*\{\s*([^{}\\%#~^\s?]*)\?([^{}\\%#~^?]+?)\s*\}"
)
_COMMENT = re.compile(r"(?<!\\)((?:\\\\)*)%.*")
_URL_SAFE = "%:/?#&=@!*'(),;+-._"


@dataclass(frozen=True, slots=True)
class Reference:
    """A figure as a paper names it: the run, and the file as ``includegraphics`` has it."""

    run: str
    file: str

    @property
    def name(self) -> str:
        """Both as they stand in the paper."""
        return f"{self.run}?{self.file}"


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a reference: the run's id, the digests of the file as the run made it and stamped, a link."""

    reference: Reference
    run: str
    md5: tuple[str, ...]
    sha256: tuple[str, ...]
    link: str | None


def find_references(text: str) -> Iterator[Reference]:
    """Yield the figures that a LaTeX source includes by their runs; what is commented out is not included."""
    plain = "\n".join(_COMMENT.sub(r"\1", line) for line in text.splitlines())
    for match in _INCLUDED.finditer(plain):
        yield Reference(match[1], match[2])


def write_side_file(entries: Iterable[Known]) -> str:
    """Return the text of a side file. What comes out of records is digits, or a link without anything TeX obeys."""
    lines = [
        rf"\rtracefigure{{{one.reference.name}}}{{{one.run}}}{{{','.join(one.md5)}}}{{{','.join(one.sha256)}}}"
        rf"{{{quote_link(one.link)}}}"
        for one in sorted(entries, key=lambda one: one.reference.name)
    ]
    return "\n".join(["% Written by `rtrace figure --tex`, and read by rtrace.sty: do not edit.", *lines, ""])


def quote_link(link: str | None) -> str:
    """Return a link with nothing in it that TeX obeys; nothing for what is no link."""
    if link is None or not link.startswith(("http://", "https://")):
        return ""
    quoted = quote(link, safe=_URL_SAFE, errors="replace").replace("~", "%7E")
    return quoted.replace("%", r"\%").replace("#", r"\#")


def read_style() -> bytes:
    """Return the LaTeX package."""
    return files("rtrace.figures").joinpath(STYLE).read_bytes()
