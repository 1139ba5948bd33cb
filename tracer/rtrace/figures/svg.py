"""SVG: the stamp is a ``metadata`` element, the first thing in the drawing; see SVG 2, 5.6."""

from __future__ import annotations

import re
from html import unescape
from xml.parsers import expat

from rtrace.figures.stamp import UnfitError

_NAMESPACE = b"urn:x-rtrace:stamp"
_STAMP = re.compile(
    rb'<([\w.-]+:)?metadata id="rtrace-stamp"><rtrace:stamp xmlns:rtrace="%s">([^<>]*)</rtrace:stamp></\1?metadata>'
    % re.escape(_NAMESPACE)
)
# From `<` of a start tag to its `>`; a `>` may stand in the value of an attribute.
_START_TAG = re.compile(rb"""<([^\s/>]+)(?:[^"'>]|"[^"]*"|'[^']*')*>""")
_MOST_BEFORE = 1 << 20


class _FoundError(Exception):
    """The root element begins: no need to read on."""


def recognise(data: bytes) -> bool:
    """Whether a file is an SVG: XML whose root element is ``svg``. Text that only holds one is not."""
    head = data[:4096].lstrip(b"\xef\xbb\xbf \t\r\n")
    return head.startswith(b"<") and not head[:9].lower().startswith((b"<!doctype html", b"<html")) and b"svg" in head


def split(data: bytes) -> tuple[bytes, bytes | None]:
    """Return an SVG without its stamp, and the stamp. Raises UnfitError."""
    place, _prefix = _find_inside(data)
    stamp = _STAMP.match(data, place)
    if stamp is None:
        return data, None
    return data[:place] + data[stamp.end() :], unescape(stamp[2].decode("ascii", "replace")).encode("ascii", "replace")


def join(plain: bytes, payload: bytes) -> bytes:
    """Return an SVG with a stamp. Raises UnfitError."""
    place, prefix = _find_inside(plain)
    words = payload.replace(b"&", b"&amp;").replace(b"<", b"&lt;").replace(b">", b"&gt;")
    stamp = b'<%bmetadata id="rtrace-stamp"><rtrace:stamp xmlns:rtrace="%b">%b</rtrace:stamp></%bmetadata>' % (
        prefix,
        _NAMESPACE,
        words,
        prefix,
    )
    return plain[:place] + stamp + plain[place:]


def _find_inside(data: bytes) -> tuple[int, bytes]:
    """Return where the start tag of the root element ends, and the prefix of its name with the colon."""
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        raise UnfitError("it is in UTF-16; save it in UTF-8")
    parser = expat.ParserCreate()
    found = -1

    def note(name: str, _attributes: dict[str, str]) -> None:
        nonlocal found
        if name.rpartition(":")[2] == "svg":
            found = parser.CurrentByteIndex
        raise _FoundError

    def refuse(*_arguments: object) -> None:
        # An entity can stand for gigabytes; what Illustrator and others declare, a figure can do without.
        raise UnfitError("it declares entities; save it as plain SVG")

    parser.StartElementHandler = note
    parser.EntityDeclHandler = refuse
    try:
        parser.Parse(data[:_MOST_BEFORE], False)  # noqa: FBT003 -- expat takes it by position alone
    except _FoundError:
        pass
    except expat.ExpatError as error:
        raise UnfitError(f"it is no XML: {expat.ErrorString(error.code)} in line {error.lineno}") from None
    except (LookupError, ValueError):
        raise UnfitError("it is in an encoding that nobody knows; save it in UTF-8") from None
    tag = _START_TAG.match(data, found) if found >= 0 else None
    if tag is None or tag[0].endswith(b"/>"):
        raise UnfitError("it has no svg element with something in it")
    prefix, colon, _name = tag[1].rpartition(b":")
    return tag.end(), prefix + colon
