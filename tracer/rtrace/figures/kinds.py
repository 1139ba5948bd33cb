"""Which format a figure is in, by its content, and its stamp in it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rtrace.figures import eps, jpeg, pdf, png, svg
from rtrace.figures.stamp import Stamp, UnfitError, read_stamp, write_stamp


@dataclass(frozen=True)
class Kind:
    """A format: its name, whether a file is one, and how a stamp comes out and in."""

    name: str
    recognise: Callable[[bytes], bool]
    split: Callable[[bytes], tuple[bytes, bytes | None]]
    join: Callable[[bytes, bytes], bytes]


def _begins(signature: bytes) -> Callable[[bytes], bool]:
    return lambda data: data.startswith(signature)


KINDS = (
    Kind("PNG", _begins(png.SIGNATURE), png.split, png.join),
    Kind("PDF", _begins(pdf.SIGNATURE), pdf.split, pdf.join),
    Kind("JPEG", _begins(jpeg.SIGNATURE), jpeg.split, jpeg.join),
    Kind("EPS", _begins(eps.SIGNATURE), eps.split, eps.join),
    Kind("SVG", svg.recognise, svg.split, svg.join),
)
_PACKED = {b"\x1f\x8b": "it is compressed with gzip; uncompress it", b"\xc5\xd0\xd3\xc6": "it is an EPS with a preview"}


@dataclass(frozen=True)
class Figure:
    """A figure that was read: its format, its bytes without the stamp, and the stamp as it stands there."""

    kind: Kind
    plain: bytes
    payload: bytes | None

    @property
    def stamp(self) -> Stamp | None:
        """The stamp. Raises UnfitError for one that is damaged."""
        return None if self.payload is None else read_stamp(self.payload)


def read_figure(data: bytes) -> Figure:
    """Return a figure with its stamp taken out. Raises UnfitError."""
    kind = next((kind for kind in KINDS if kind.recognise(data)), None)
    if kind is None:
        names = ", ".join(kind.name for kind in KINDS)
        raise UnfitError(_PACKED.get(data[:2]) or _PACKED.get(data[:4]) or f"it is none of {names}")
    return Figure(kind, *kind.split(data))


def write_figure(figure: Figure, stamp: Stamp) -> bytes:
    """Return a figure's bytes with a stamp. Raises UnfitError, also where the format could not give it back."""
    payload = write_stamp(stamp)
    data = figure.kind.join(figure.plain, payload)
    if figure.kind.split(data) != (figure.plain, payload):
        raise UnfitError(f"this {figure.kind.name} is built in a way that would not give the stamp back")
    return data
