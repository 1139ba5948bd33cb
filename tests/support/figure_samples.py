"""Figures of every format that takes a stamp, made by hand, as small as they can be."""

from __future__ import annotations

import hashlib
import struct
import zlib
from collections.abc import Sequence

from rtrace.figures.stamp import Stamp
from rtrace.record.document import FileFact, Record
from rtrace.record.empty import empty_record

SVG = b"""<?xml version="1.0" encoding="UTF-8"?>
<!-- a > b -->
<svg xmlns="http://www.w3.org/2000/svg" aria-label="1 > 0" viewBox="0 0 9 9"><metadata>mine</metadata>
<path d="M0 0L9 9"/></svg>
"""
EPS = b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n0 0 moveto 9 9 lineto stroke\n%%EOF\n"


def make_chunk(kind: bytes, data: bytes) -> bytes:
    """Return a chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def make_png(colour: int = 0) -> bytes:
    """Return a PNG of one grey pixel."""
    header = struct.pack(">IIBBBBB", 1, 1, 8, 0, 0, 0, 0)
    chunks = (
        (b"IHDR", header),
        (b"tEXt", b"Software\0mine"),
        (b"IDAT", zlib.compress(bytes([0, colour]))),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(make_chunk(*chunk) for chunk in chunks)


def make_jpeg() -> bytes:
    """Return what has the segments of a JPEG, if no picture."""
    segments = ((0xE0, b"JFIF\0\1\1\0\0\1\0\1\0\0"), (0xE1, b"Exif\0\0"), (0xDB, bytes(65)), (0xDA, bytes(10)))
    body = b"".join(struct.pack(">BBH", 0xFF, kind, len(data) + 2) + data for kind, data in segments)
    return b"\xff\xd8" + body + b"\1\2\3\xff\xd9"


def make_pdf(information: bytes | None = b"<< /Title (A \\(b\\)) >>", *, newline: bool = True) -> bytes:
    """Return a PDF of one line on a page, with a table of cross-references."""
    objects = [b"<< /Type /Catalog /Pages 2 0 R >>", b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>"]
    drawing = 4 if information is None else 5
    objects += [b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] /Resources << >> /Contents %d 0 R >>" % drawing]
    objects += [information] if information is not None else []
    objects += [b"<< /Length 15 >>\nstream\n0 0 m 9 9 l S  \nendstream"]
    data, places = b"%PDF-1.4\n%\xe2\xe3\xcf\xd3\n", []
    for number, body in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%b\nendobj\n" % (number, body)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    trailer = b"<< /Size %d /Root 1 0 R%b >>" % (size, b" /Info 4 0 R" if information is not None else b"")
    start = len(data)
    data += b"xref\n0 %d\n0000000000 65535 f \n%btrailer\n%b\nstartxref\n%d\n%%%%EOF" % (size, table, trailer, start)
    return data + (b"\n" if newline else b"")


def make_packed_pdf() -> bytes:
    """Return a PDF of an empty page with its objects in a compressed stream, and its cross-references in another."""
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 9 9] >>",
        b"<< /Title (A \\(b\\)) >>",
    ]
    heads, bodies = [], b""
    for number, body in enumerate(objects, 1):
        heads.append(b"%d %d" % (number, len(bodies)))
        bodies += body + b" "
    head = b" ".join(heads) + b" "
    packed = zlib.compress(head + bodies)
    data = b"%PDF-1.5\n"
    container = len(data)
    dictionary = b"<< /Type /ObjStm /N 4 /First %d /Length 6 0 R /Filter /FlateDecode >>" % len(head)
    data += b"5 0 obj\n%b\nstream\n%b\nendstream\nendobj\n" % (dictionary, packed)
    length = len(data)
    data += b"6 0 obj\n%d\nendobj\n" % len(packed)
    start = len(data)
    rows = [(0, 0, 255), *((2, 5, index) for index in range(4)), (1, container, 0), (1, length, 0), (1, start, 0)]
    flat = [struct.pack(">BHB", *row) for row in rows]
    above, filtered = bytes(4), b""
    for row in flat:
        filtered += b"\2" + bytes((one - other) & 0xFF for one, other in zip(row, above, strict=True))
        above = row
    table = zlib.compress(filtered)
    data += (
        b"7 0 obj\n<< /Type /XRef /Size 8 /W [1 2 1] /Root 1 0 R /Info 4 0 R /Filter /FlateDecode /DecodeParms"
        b" << /Predictor 12 /Columns 4 >> /Length %d >>\nstream\n%b\nendstream\nendobj\nstartxref\n%d\n%%%%EOF\n"
    ) % (len(table), table, start)
    return data


SAMPLES = {
    "png": make_png(),
    "jpg": make_jpeg(),
    "svg": SVG,
    "eps": EPS,
    "pdf": make_pdf(),
    "packed.pdf": make_packed_pdf(),
}
STAMP = Stamp(
    run="01890000-0000-7000-8000-0000000000ab",
    sha256="a" * 64,
    md5="b" * 32,
    label="a (label) \\ <b> & \x1b[31m \u202e \x7f",
    command="python 'plot.py' )(",
    link="https://doi.org/10.5281/zenodo.1",
)


def make_record(outputs: Sequence[tuple[str, bytes]], label: str | None = None) -> Record:
    """Return the record of a run that wrote files."""
    record = empty_record()
    record["label"] = label
    record["arguments"] = ["python3", "plot it.py"]
    record["outputs"] = [make_fact(path, data) for path, data in outputs]
    return record


def make_fact(path: str, data: bytes) -> FileFact:
    """Return what a record says of a file that a run wrote."""
    return {
        "path": path,
        "size": len(data),
        "sha256": hashlib.sha256(data).hexdigest(),
        "md5": hashlib.md5(data, usedforsecurity=False).hexdigest(),
        "stamped": [],
        "media_type": None,
        "modified": None,
        "problem": None,
    }
