"""Pictures, compared by their pixels: by Pillow, and without it PNG by what its compression holds."""

from __future__ import annotations

import struct
import zlib
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.kinds.contents import find_difference, peek
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule

if TYPE_CHECKING:
    from types import ModuleType

    from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = {_PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"GIF8": "GIF", b"BM": "BMP"}
_MEANING = {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"acTL", b"fcTL", b"fdAT"}
"""Chunks of a PNG that change what is seen."""
_HEAD = 16
_MOST_PIXELS = 200_000_000
_LONGEST_CHUNK = 1 << 30
_HEADER = struct.Struct(">I4s")


class Picture:
    """Compares pixel by pixel; what is written beside the picture, and how it is compressed, does not count."""

    name = "picture"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as a picture does."""
        return find_format(head) is not None

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare size and pixels. Raises CannotCompareError."""
        form = find_format(peek(expected, _HEAD))
        if form != find_format(peek(found, _HEAD)):
            raise CannotCompareError("the two are pictures of different formats")
        findings = Findings(f"{form} picture", rule)
        if form == "PNG" and _read_png(expected) == _read_png(found):
            findings.ignore("text and times in the file, or compression")
            return findings.conclude()
        try:
            import PIL  # noqa: F401 -- whether it is there
        except ImportError:
            if form == "PNG":
                findings.differ("pixels", "", "")
                findings.note = "where they differ is told with Pillow: pip install 'rtrace-repro[compare]'"
                return findings.conclude()
            raise CannotCompareError(
                f"a {form} picture is compared by Pillow: pip install 'rtrace-repro[compare]'"
            ) from None
        _compare_pixels(expected, found, findings)
        return findings.conclude()


def find_format(head: bytes) -> str | None:
    """Return the format of a picture; None where it is none."""
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return "WebP"
    return next((name for magic, name in _KINDS.items() if head.startswith(magic)), None)


def _compare_pixels(expected: BinaryIO, found: BinaryIO, findings: Findings) -> None:
    from PIL import Image, ImageChops

    Image.MAX_IMAGE_PIXELS = _MOST_PIXELS
    try:
        with Image.open(expected) as old, Image.open(found) as new:
            if (old.size, old.mode) != (new.size, new.mode):
                shown = (f"{one.width} x {one.height} pixels, {one.mode}" for one in (old, new))
                findings.differ("size or colours", *shown)
                return
            frames = getattr(old, "n_frames", 1), getattr(new, "n_frames", 1)
            if frames[0] != frames[1]:
                findings.differ("frames", *frames)
                return
            for frame in range(frames[0]):
                if frames[0] > 1:
                    old.seek(frame)
                    new.seek(frame)
                mode = old.mode if old.mode in {"L", "RGB", "RGBA", "I", "F"} else "RGBA"
                one, other = (picture.convert(mode) for picture in (old, new))
                _compare_frame(one, other, f"frame {frame + 1}, " if frames[0] > 1 else "", findings, ImageChops)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CannotCompareError(f"it is no picture that can be read ({error})") from None
    if findings.likeness == "equal":
        findings.ignore("text and times in the file, or compression")


def _compare_frame(one: Image.Image, other: Image.Image, where: str, findings: Findings, chops: ModuleType) -> None:
    contents = one.tobytes(), other.tobytes()
    if contents[0] == contents[1]:
        return
    at = find_difference(*contents) // (len(contents[0]) // (one.width * one.height))
    point = at % one.width, at // one.width
    if one.mode in {"I", "F"}:
        findings.differ(f"{where}pixel {point[0]},{point[1]}", one.getpixel(point), other.getpixel(point))
        return
    difference = chops.difference(one, other)
    bands = [band.getbbox() for band in difference.split()]
    boxes = [box for box in bands if box is not None]
    box = (min(b[0] for b in boxes), min(b[1] for b in boxes), max(b[2] for b in boxes), max(b[3] for b in boxes))
    changed = difference.crop(box)
    largest = max(high for _, high in _extrema(changed))
    if largest <= findings.rule.absolute:
        findings.likeness = "close" if findings.likeness == "equal" else findings.likeness
        findings.amount = max(findings.amount or 0.0, float(largest))
        return
    place = f"{where}pixels {box[0]},{box[1]} to {box[2] - 1},{box[3] - 1}"
    findings.differ(place, *(f"{picture.getpixel(point)} at {point[0]},{point[1]}" for picture in (one, other)))
    findings.amount = max(findings.amount or 0.0, float(largest))


def _extrema(picture: Image.Image) -> list[tuple[float, float]]:
    found = picture.getextrema()
    return [found] if isinstance(found[0], (int, float)) else list(found)


def _read_png(file: BinaryIO) -> object:
    """Return what of a PNG changes what is seen: its chunks, and what their compression holds."""
    file.seek(len(_PNG))
    chunks: list[tuple[bytes, bytes]] = []
    data = zlib.decompressobj()
    pixels = []
    while header := file.read(_HEADER.size):
        if len(header) < _HEADER.size:
            raise CannotCompareError("it is cut off")
        length, name = _HEADER.unpack(header)
        if length > _LONGEST_CHUNK:
            raise CannotCompareError("it has a chunk that is longer than any")
        content = file.read(length)
        file.seek(4, 1)
        if name == b"IDAT":
            try:
                pixels.append(data.decompress(content, _LONGEST_CHUNK))
            except zlib.error as error:
                raise CannotCompareError(f"it is no intact PNG ({error})") from None
        elif name in _MEANING:
            chunks.append((name, content))
        elif name == b"IEND":
            break
    file.seek(0)
    return chunks, b"".join(pixels)
