"""How a content can be shown: text, a table, a picture; all else can only be saved. Told by the bytes."""

from __future__ import annotations

import csv
import io
import re
from dataclasses import dataclass, field
from typing import IO, TYPE_CHECKING

from rtrace.pages.values import shorten_text, show_lines

if TYPE_CHECKING:
    from rtrace.web.content.proof import Proven

MOST_TEXT, MOST_PICTURE = 256 << 10, 32 << 20
MOST_ROWS, MOST_COLUMNS, _MOST_CELL = 200, 40, 200
SVG = "image/svg+xml"
_MAGIC = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
    (b"BM", "image/bmp"),
)
_SVG_START = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*(?:<\?xml[^>]*>\s*)?(?:<!--(?:(?!-->).)*-->\s*|<!DOCTYPE[^>]*>\s*)*<svg[\s>]", re.DOTALL
)
_TABLE_NAMES = {".csv": ",", ".tsv": "\t", ".tab": "\t"}
_TABLE_TYPES = {"text/csv": ",", "text/tab-separated-values": "\t"}


@dataclass(frozen=True, slots=True)
class View:
    """How a content is shown: as ``picture`` of a media type, as rows of a ``table``, as ``text``, or not at all."""

    picture: str | None = None
    table: list[list[str]] = field(default_factory=list)
    text: str = ""
    cut: bool = False


def view(proven: Proven, path: str, media_type: str | None) -> View:
    """Return how a content is shown."""
    head = _read_head(proven.file, MOST_TEXT)
    picture = find_picture(head)
    if picture is not None:
        return View(picture=picture) if proven.size <= MOST_PICTURE else View()
    text = _decode(head, whole=proven.size <= MOST_TEXT)
    if text is None:
        return View()
    cut = proven.size > MOST_TEXT
    delimiter = _TABLE_TYPES.get(media_type or "") or next(
        (one for ending, one in _TABLE_NAMES.items() if path.lower().endswith(ending)), None
    )
    rows = _read_table(text, delimiter) if delimiter else []
    return View(table=rows, cut=cut or len(rows) == MOST_ROWS) if rows else View(text=show_lines(text), cut=cut)


def find_picture(head: bytes) -> str | None:
    """Return the media type of a picture that begins so; None if it is none that browsers show."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "image/webp"
    if _SVG_START.match(head[:4096]):
        return SVG
    return next((media_type for magic, media_type in _MAGIC if head.startswith(magic)), None)


def read_picture_type(proven: Proven) -> str | None:
    """Return the media type of a content that is a picture of a size that is shown; None if it is not."""
    return find_picture(_read_head(proven.file, 4096)) if proven.size <= MOST_PICTURE else None


def _read_head(file: IO[bytes], limit: int) -> bytes:
    head = file.read(limit)
    file.seek(0)
    return head


def _decode(head: bytes, *, whole: bool) -> str | None:
    if b"\0" in head:
        return None
    try:
        return head.decode()
    except UnicodeDecodeError as error:
        if whole or error.start < len(head) - 3:  # a character is cut in two at the end alone
            return None
        return head[: error.start].decode()


def _read_table(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    try:
        for row in csv.reader(io.StringIO(text, newline=""), delimiter=delimiter):
            if row:
                rows.append([shorten_text(cell, _MOST_CELL) for cell in row[:MOST_COLUMNS]])
            if len(rows) == MOST_ROWS:
                break
    except csv.Error:
        return []
    width = max(map(len, rows), default=0)
    return [row + [""] * (width - len(row)) for row in rows] if width > 1 else []
