"""Pictures beside each other with their difference, drawn anew: nothing of a file itself goes into a page."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.exhibits.model import Exhibit, Picture

if TYPE_CHECKING:
    from PIL import Image

_MOST_PIXELS = 50_000_000
_LARGEST = 900
"""Pixels of the longer side of a picture as it is shown."""
_SMALLEST = 120
_QUALITY = 80
_SCALE = 1.25
"""90 pixels an inch."""
_LARGEST_PDF = 256 << 20
_PAGE = re.compile(r"page (\d{1,6})")
_WHITE, _STRONG = (255, 255, 255), (200, 0, 60)
_FAINT = 0.2
_STEPS = 24
"""What a difference of one step in a colour is multiplied with, so that it is seen."""


def draw_pictures(expected: BinaryIO, found: BinaryIO, room: int) -> Exhibit:
    """Return both pictures and where they differ, each of at most a third of so many bytes. Raises what Pillow does."""
    return _show(_read(expected), _read(found), room)


def draw_picture(content: BinaryIO, title: str, room: int) -> Exhibit:
    """Return a picture that the other side has not."""
    picture = _read(content)
    return Exhibit(pictures=(_encode(title, picture, picture.size, room),))


def draw_pages(expected: BinaryIO, found: BinaryIO, place: str, room: int) -> Exhibit:
    """Return a page of two PDF, the one that the place of a difference names. Raises what PDFium does."""
    named = _PAGE.search(place)
    number = int(named[1]) - 1 if named else 0
    old, new = (_render(file, number) for file in (expected, found))
    shown = _show(old, new, room)
    return shown._replace(note="; ".join(filter(None, (f"page {number + 1}", shown.note))))


def _show(old: Image.Image, new: Image.Image, room: int) -> Exhibit:
    shown = [_encode("original", old, old.size, room // 3), _encode("replay", new, new.size, room // 3)]
    if old.size != new.size:
        return Exhibit(pictures=tuple(shown), note="they are not of one size, so there is no picture of the difference")
    shown.append(_encode("difference", _draw_difference(old, new), old.size, room // 3))
    return Exhibit(pictures=tuple(shown), note="in the third picture, what differs is red and the rest faint")


def _read(file: BinaryIO) -> Image.Image:
    """Return a picture on white, in red, green and blue."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    with Image.open(file) as picture:
        if picture.width * picture.height > _MOST_PIXELS:
            raise ValueError("the picture is larger than any poster")
        if picture.mode in {"I", "F", "I;16", "I;16B", "I;16L"}:
            return _spread(picture)
        if picture.mode in {"RGBA", "LA", "PA"} or "transparency" in picture.info:
            upper = picture.convert("RGBA")
            return Image.alpha_composite(Image.new("RGBA", upper.size, (*_WHITE, 255)), upper).convert("RGB")
        return picture.convert("RGB")


def _spread(picture: Image.Image) -> Image.Image:
    """Return a picture of numbers with its smallest one black and its largest one white."""
    numbers = picture.convert("F")
    low, high = numbers.getextrema()
    scale = 255.0 / (float(high) - float(low)) if high != low else 0.0  # type: ignore[arg-type]
    return numbers.point(lambda value: value * scale - float(low) * scale).convert("L").convert("RGB")  # type: ignore[arg-type]


def _draw_difference(old: Image.Image, new: Image.Image) -> Image.Image:
    """Return the first picture faintly, with all pixels that differ in red."""
    from PIL import Image, ImageChops

    bands = ImageChops.difference(old, new).split()
    largest = ImageChops.lighter(ImageChops.lighter(bands[0], bands[1]), bands[2])
    mask = largest.point(lambda value: 0 if value == 0 else min(255, 100 + value * _STEPS))
    faint = Image.blend(Image.new("RGB", old.size, _WHITE), old.convert("L").convert("RGB"), _FAINT)
    return Image.composite(Image.new("RGB", old.size, _STRONG), faint, mask)


def _encode(title: str, picture: Image.Image, size: tuple[int, int], room: int) -> Picture:
    """Return a picture in at most so many bytes: smaller, or as JPEG, where it does not fit. Raises ValueError."""
    longest = _LARGEST
    while longest >= _SMALLEST:
        small = picture
        if max(picture.size) > longest:
            small = picture.copy()
            small.thumbnail((longest, longest))
        for options in ({"format": "PNG", "optimize": True}, {"format": "JPEG", "quality": _QUALITY}):
            content = io.BytesIO()
            small.save(content, **options)  # type: ignore[arg-type]
            if content.tell() <= room:
                return Picture(title, content.getvalue(), *size)
        longest = longest * 2 // 3
    raise ValueError("the picture does not fit the page")


def _render(file: BinaryIO, number: int) -> Image.Image:
    import pypdfium2 as pdfium

    content = file.read(_LARGEST_PDF + 1)
    if len(content) > _LARGEST_PDF:
        raise ValueError("the PDF is too large to be drawn")
    document = pdfium.PdfDocument(content)
    page = document[min(number, len(document) - 1)]
    width, height = page.get_size()
    scale = min(_SCALE, _LARGEST * _SCALE / max(width, height, 1))
    picture: Image.Image = page.render(scale=scale).to_pil().convert("RGB")
    return picture
