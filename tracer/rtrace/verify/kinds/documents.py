"""PDF, compared by the text and the picture of each page."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any, BinaryIO

from rtrace.verify.kinds.contents import find_difference
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule
from rtrace.verify.kinds.text import show_difference

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"%PDF-"
_MOST = 256 << 20
_SCALE = 1.5
"""108 pixels an inch: enough for a thin line to be seen."""
_MOST_PIXELS = 50_000_000
_MADE_ANEW = re.compile(
    rb"/(?:CreationDate|ModDate) ?\([^)]{0,80}\)|/ID ?\[ ?<[0-9A-Fa-f]*> ?<[0-9A-Fa-f]*> ?\]"
    rb"|<xmp:(?:Create|Modify|Metadata)Date>[^<]{0,80}<|uuid:[0-9A-Fa-f-]{36}"
)
"""Dates and identifiers that every program writes into a PDF."""


class Pdf:
    """Compares page by page; dates, identifiers and how the file is built do not count."""

    name = "PDF"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as a PDF does."""
        return _MAGIC in head[:1024]

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the pages. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        contents = [_read(file) for file in (expected, found)]
        if _MADE_ANEW.sub(b"", contents[0]) == _MADE_ANEW.sub(b"", contents[1]):
            findings.ignore("dates and identifiers in the file")
            return findings.conclude()
        try:
            import pypdfium2 as pdfium
        except ImportError:
            raise CannotCompareError(
                "the pages of a PDF are compared by pypdfium2: pip install 'rtrace-repro[compare]'"
            ) from None
        try:
            old, new = (pdfium.PdfDocument(content) for content in contents)
            _compare_pages(old, new, findings)
        except (pdfium.PdfiumError, ValueError, OverflowError) as error:
            raise CannotCompareError(f"it is no PDF that can be read ({error})") from None
        if findings.likeness == "equal":
            findings.ignore("dates, titles, identifiers or layout of the file")
        return findings.conclude()


def _compare_pages(old: Any, new: Any, findings: Findings) -> None:  # noqa: ANN401 -- pdfium has no types
    if len(old) != len(new):
        findings.differ("pages", len(old), len(new))
        return
    for number in range(len(old)):
        place = f"page {number + 1}"
        one, other = old[number], new[number]
        if one.get_size() != other.get_size():
            findings.differ(f"{place}, size", one.get_size(), other.get_size())
            continue
        texts = [page.get_textpage().get_text_range().splitlines() for page in (one, other)]
        for line, (first, second) in enumerate(zip(*texts, strict=False), start=1):
            if first != second:
                findings.differ(f"{place}, line {line}", *show_difference(first, second))
                break
        else:
            if len(texts[0]) != len(texts[1]):
                findings.differ(f"{place}, lines", len(texts[0]), len(texts[1]))
            else:
                _compare_pictures(place, one, other, findings)


def _compare_pictures(place: str, one: Any, other: Any, findings: Findings) -> None:  # noqa: ANN401
    width, height = one.get_size()
    if width * height * _SCALE * _SCALE > _MOST_PIXELS:
        raise CannotCompareError("it has a page that is larger than any poster")
    pictures = [page.render(scale=_SCALE) for page in (one, other)]
    rows = [_list_rows(picture) for picture in pictures]
    for number, (first, second) in enumerate(zip(*rows, strict=False)):
        if first != second:
            at = find_difference(first, second)
            column = at // pictures[0].n_channels
            point = f"{column / _SCALE:.0f},{number / _SCALE:.0f}"
            findings.differ(f"{place}, picture, point {point}", first[at], second[at])
            return


def _list_rows(picture: Any) -> Iterator[bytes]:  # noqa: ANN401
    content, stride = bytes(picture.buffer), picture.stride
    for at in range(0, picture.height * stride, stride):
        yield content[at : at + picture.width * picture.n_channels]


def _read(file: BinaryIO) -> bytes:
    content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise CannotCompareError(f"it is larger than {_MOST >> 20} MiB")
    return content
