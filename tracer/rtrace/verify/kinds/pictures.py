"""Pictures, compared by their pixels: by Pillow, and without it PNG by what its compression holds."""

from __future__ import annotations

import struct
import zlib
from array import array
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from rtrace.verify.kinds.contents import find_difference, peek
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule

if TYPE_CHECKING:
    from PIL import Image

_PNG = b"\x89PNG\r\n\x1a\n"
_KINDS = {_PNG: "PNG", b"\xff\xd8\xff": "JPEG", b"II*\0": "TIFF", b"MM\0*": "TIFF", b"GIF8": "GIF", b"BM": "BMP"}
_MEANING = {b"IHDR", b"PLTE", b"tRNS", b"gAMA", b"cHRM", b"sRGB", b"iCCP", b"sBIT", b"bKGD", b"acTL", b"fcTL", b"fdAT"}
"""Chunks of a PNG that change what is seen."""
_BESIDES = ("colour profile", "gamma", "orientation", "time that the frame is shown", "repetitions")
_ORIENTATION, _BITS = 274, 258
"""Tags of Exif and TIFF: how a picture is turned, and the bits of each colour."""
_SINGLE = {"1", "L", "P", "I", "F", "I;16", "I;16B", "I;16L", "I;16N"}
_CHANNELS = {2: 3, 4: 2, 6: 4}
"""Channels of a PNG by its colour type, where there are several."""
_MOST_DEEP = 32 << 20
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
        pngs = [_read_png(file) for file in (expected, found)] if form == "PNG" else []
        if pngs and pngs[0] == pngs[1]:
            findings.ignore("text, times and resolution in the file, or compression")
            return findings.conclude()
        if pngs and all(png.is_deep for png in pngs):
            _compare_deep(pngs[0], pngs[1], findings)
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
    from PIL import Image

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
                where = f"frame {frame + 1}, " if frames[0] > 1 else ""
                for what, one, other in zip(_BESIDES, *map(_list_besides, (old, new)), strict=True):
                    if one != other:
                        findings.differ(f"{where}{what}", *map(_show_besides, (one, other)))
                _compare_frame(_convert(old), _convert(new), where, findings)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise CannotCompareError(f"it is no picture that can be read ({error})") from None
    if findings.likeness == "equal":
        findings.ignore("text, times and resolution in the file, or compression")


def _list_besides(picture: Image.Image) -> tuple[object, ...]:
    """Return what changes how a picture is shown, besides its pixels, in the order of the words for it."""
    info = picture.info
    try:
        turned = picture.getexif().get(_ORIENTATION, 1)
    except (SyntaxError, ValueError, struct.error):  # Exif that is none turns nothing
        turned = 1
    return info.get("icc_profile"), info.get("gamma"), turned, info.get("duration"), info.get("loop")


def _show_besides(value: object) -> str:
    return f"{len(value)} bytes" if isinstance(value, bytes) else str(value)


def _convert(picture: Image.Image) -> Image.Image:
    """Return a picture whose bytes are its pixels. Raises CannotCompareError where Pillow has rounded them."""
    bits = getattr(picture, "tag_v2", {}).get(_BITS, (8,))
    if picture.mode not in _SINGLE and max(bits if isinstance(bits, tuple) else (bits,)) > 8:  # noqa: PLR2004
        raise CannotCompareError("it has colours of more than 8 bits each, which Pillow rounds")
    if picture.mode in {"P", "PA", "LA", "La", "RGBa"} or "transparency" in picture.info:
        return picture.convert("RGBA")
    if picture.mode.startswith("I;16"):
        return picture.convert("I")
    return picture.convert("L" if picture.mode == "1" else picture.mode)


def _compare_frame(one: Image.Image, other: Image.Image, where: str, findings: Findings) -> None:
    from PIL import ImageChops

    contents = one.tobytes(), other.tobytes()
    if contents[0] == contents[1]:
        return
    if one.mode in {"I", "F"}:
        values = (array("i" if one.mode == "I" else "f", content) for content in contents)
        for number, (first, second) in enumerate(zip(*values, strict=True)):
            if first != second:
                findings.number(f"{where}pixel {number % one.width},{number // one.width}", first, second)
        return
    at = find_difference(*contents) // (len(contents[0]) // (one.width * one.height))
    point = at % one.width, at // one.width
    difference = ImageChops.difference(one, other)
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


class Png(NamedTuple):
    """What of a PNG changes what is seen: its header, chunks besides, and what their compression holds."""

    header: bytes
    chunks: tuple[tuple[bytes, bytes], ...]
    rows: bytes

    @property
    def is_deep(self) -> bool:
        """Whether it has colours of 16 bits each."""
        return len(self.header) == 13 and self.header[8] == 16 and self.header[9] in _CHANNELS  # noqa: PLR2004


def _compare_deep(old: Png, new: Png, findings: Findings) -> None:
    """Compare pictures with colours of 16 bits each, which Pillow rounds to 8."""
    if old.header[:12] != new.header[:12]:
        findings.differ("size or colours", old.header.hex(), new.header.hex())
        return
    width, height = struct.unpack(">II", old.header[:8])
    channels = _CHANNELS[old.header[9]]
    if old.header[12] or new.header[12] or len(old.rows) > _MOST_DEEP:
        raise CannotCompareError("it has 16 bits for each colour, and is large, or interlaced")
    rows = [_unfilter(png.rows, width * channels * 2, channels * 2) for png in (old, new)]
    if old.chunks != new.chunks:
        findings.differ("colours or animation", *(f"{len(png.chunks)} chunks besides" for png in (old, new)))
    pairs = zip(*(struct.iter_unpack(">H", content) for content in rows), strict=True)
    for number, ((first,), (second,)) in enumerate(pairs):
        if first != second:
            pixel = number // channels
            place = f"pixel {pixel % width},{pixel // width}, channel {number % channels + 1}"
            findings.number(place, float(first), float(second))
    if height * width * channels * 2 != len(rows[0]):
        raise CannotCompareError("it is no intact PNG")
    if findings.likeness == "equal":
        findings.ignore("text, times and resolution in the file, or compression")


def _unfilter(content: bytes, width: int, pixel: int) -> bytes:
    """Return the bytes of the rows of a PNG as they were before they were filtered (PNG, section 9)."""
    before, found = bytearray(width), bytearray()
    if len(content) % (width + 1):
        raise CannotCompareError("it is no intact PNG")
    for start in range(0, len(content), width + 1):
        kind, row = content[start], bytearray(content[start + 1 : start + 1 + width])
        for at in range(width if kind else 0):
            left = row[at - pixel] if at >= pixel else 0
            above, corner = before[at], before[at - pixel] if at >= pixel else 0
            if kind == 4:  # noqa: PLR2004 -- Paeth
                guess = left + above - corner
                distances = abs(guess - left), abs(guess - above), abs(guess - corner)
                added = (left, above, corner)[distances.index(min(distances))]
            else:
                added = {1: left, 2: above, 3: (left + above) // 2}[kind]
            row[at] = (row[at] + added) & 0xFF
        found += row
        before = row
    return bytes(found)


def _read_png(file: BinaryIO) -> Png:
    """Return what of a PNG changes what is seen. Raises CannotCompareError."""
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
                if data.unconsumed_tail:
                    raise CannotCompareError("more comes out of it than of any picture")
            except zlib.error as error:
                raise CannotCompareError(f"it is no intact PNG ({error})") from None
        elif name in _MEANING:
            chunks.append((name, content))
        elif name == b"IEND":
            break
    file.seek(0)
    header = next((content for name, content in chunks if name == b"IHDR"), b"")
    return Png(header, tuple(one for one in chunks if one[0] != b"IHDR"), b"".join(pixels))
