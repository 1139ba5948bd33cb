"""What is drawn of two contents, by the kind as which they were compared; in a process of its own, with limits."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.exhibits.cells import draw_tables
from rtrace.verify.exhibits.model import Exhibit
from rtrace.verify.exhibits.pictures import draw_pages, draw_picture, draw_pictures
from rtrace.verify.exhibits.texts import draw_bytes, draw_document, draw_one, draw_texts
from rtrace.verify.kinds.contents import peek
from rtrace.verify.kinds.pictures import find_format
from rtrace.verify.kinds.text import is_text

if TYPE_CHECKING:
    from collections.abc import Callable

_HEAD = 1 << 16
_TEXTS = frozenset({"text", "YAML", "TOML", "XML", "SVG"})
_DOCUMENTS = frozenset({"JSON", "notebook"})


def draw(
    expected: BinaryIO | None, found: BinaryIO | None, kind: str, place: str, room: int, *, alike: bool = False
) -> Exhibit:
    """Return what is shown of two contents whose bytes differ, or of one where the other side has none.

    ``kind`` and ``place`` are those of the judgement; ``room`` is the number of bytes that pictures may take. What
    cannot be drawn as what it is, is drawn as text, and as bytes where it is none; bytes of contents that are
    ``alike`` tell nobody anything.
    """
    if expected is None or found is None:
        content = expected or found
        return Exhibit() if content is None else _draw_alone(content, room, is_expected=found is None)
    for attempt in _choose(kind, place, room):
        try:
            return attempt(expected, found)
        except Exception:  # noqa: BLE001, S112 -- malformed contents break libraries in all ways; the next way is plainer
            continue
        finally:
            expected.seek(0)
            found.seek(0)
    both_texts = is_text(peek(expected, _HEAD)) and is_text(peek(found, _HEAD))
    if both_texts:
        return draw_texts(expected, found)
    return Exhibit() if alike else draw_bytes(expected, found)


def _choose(kind: str, place: str, room: int) -> list[Callable[[BinaryIO, BinaryIO], Exhibit]]:
    """Return ways to draw contents of a kind, the best one first."""
    if kind.endswith("picture"):
        return [lambda one, other: draw_pictures(one, other, room)]
    if kind == "PDF":
        return [lambda one, other: draw_pages(one, other, place, room)]
    if kind == "table":
        return [draw_tables]
    return [draw_document] if kind in _DOCUMENTS else []


def _draw_alone(content: BinaryIO, room: int, *, is_expected: bool) -> Exhibit:
    head = peek(content, _HEAD)
    if find_format(head) is not None:
        try:
            return draw_picture(content, "original" if is_expected else "replay", room)
        except Exception:  # noqa: BLE001 -- what cannot be drawn is not shown
            return Exhibit()
    return draw_one(content, is_expected=is_expected) if is_text(head) else Exhibit()
