"""PDF: the stamp is an entry of the document's information, in an incremental update (ISO 32000-1, 7.5.6).

An update is appended: no byte of what the run wrote changes, and without it the file is the same again.

    the file as the run wrote it | %rtrace-stamp LENGTH | information | cross-references | trailer
"""

from __future__ import annotations

import re

from rtrace.figures.pdf_syntax import Dictionary, read_dictionary, read_number, read_reference, read_text, write_text
from rtrace.figures.pdf_tables import find_dictionary, find_last_section, read_section
from rtrace.figures.stamp import UnfitError

SIGNATURE = b"%PDF-"
KEY = b"/RtraceStamp"
_MARK = b"%rtrace-stamp "
_MARKED = re.compile(rb"%rtrace-stamp (\d{1,19})\n")


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """Return a PDF without its stamp, and the stamp. Raises UnfitError.

    When something else was appended or the file was written anew since, the stamp stays where it is.
    """
    payload = _find_stamp(data)
    match = _MARKED.match(data, data.rfind(_MARK)) if payload is not None and _MARK in data else None
    if match is not None and payload is not None:
        plain = data[: int(match[1])]
        if len(plain) <= match.start() and join(plain, payload) == data:
            return plain, payload
    return data, payload


def join(plain: bytes, payload: bytes) -> bytes:
    """Return a PDF with a stamp. Raises UnfitError."""
    last = find_last_section(plain)
    section = read_section(plain, last)
    trailer = section.trailer
    if b"/Encrypt" in trailer:
        raise UnfitError("it is encrypted; stamp it before it is")
    size = read_number(trailer, b"/Size")
    reference = read_reference(trailer.get(b"/Info", b""))
    number, generation = reference or (size, 0)
    information: Dictionary = {}
    if reference is not None:
        information = find_dictionary(plain, number)
    elif b"/Info" in trailer:
        information = read_dictionary(trailer[b"/Info"], 0)[0]
    information = {**information, KEY: write_text(payload)}

    start = plain + (b"" if plain.endswith(b"\n") else b"\n") + _MARK + b"%d\n" % len(plain)
    body = b"%d %d obj\n%b\nendobj\n" % (number, generation, _write_dictionary(information))
    place = len(start) + len(body)
    kept: Dictionary = {name: trailer[name] for name in (b"/Root", b"/ID") if name in trailer}
    kept |= {b"/Info": b"%d %d R" % (number, generation), b"/Prev": b"%d" % last}
    size = max(size, number + 1)
    if not section.is_stream:
        table = b"xref\n%d 1\n%010d %05d n \ntrailer\n" % (number, len(start), generation)
        end = table + _write_dictionary({b"/Size": b"%d" % size, **kept})
    else:
        end = _write_stream_section(size, kept, {number: (len(start), generation), size: (place, 0)})
    return start + body + end + b"\nstartxref\n%d\n%%%%EOF\n" % place


def _write_stream_section(size: int, kept: Dictionary, places: dict[int, tuple[int, int]]) -> bytes:
    """Return the object ``size``, which is a stream of cross-references to objects and to itself."""
    content = b"".join(
        b"\1" + place.to_bytes(8, "big") + generation.to_bytes(2, "big")
        for _number, (place, generation) in sorted(places.items())
    )
    found = {
        b"/Type": b"/XRef",
        b"/Size": b"%d" % (size + 1),
        b"/W": b"[1 8 2]",
        b"/Index": b"[%b]" % b" ".join(b"%d 1" % number for number in sorted(places)),
        b"/Length": b"%d" % len(content),
        **kept,
    }
    return b"%d 0 obj\n%b\nstream\n%b\nendstream\nendobj" % (size, _write_dictionary(found), content)


def _write_dictionary(found: Dictionary) -> bytes:
    return b"<< %b >>" % b"\n".join(b"%b %b" % pair for pair in found.items())


def _find_stamp(data: bytes) -> bytes | None:
    """Return the stamp in a document's information, whoever wrote the file last; None when there is none."""
    if KEY not in data and b"/ObjStm" not in data:
        return None
    reference = read_reference(read_section(data, find_last_section(data)).trailer.get(b"/Info", b""))
    if reference is None:
        return None
    return read_text(find_dictionary(data, reference[0]).get(KEY, b""))
