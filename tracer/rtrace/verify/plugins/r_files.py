"""What R saves (.rds, .RData), read by rdata: nothing in it is ever evaluated."""

from __future__ import annotations

import bz2
import lzma
import zlib
from dataclasses import fields, is_dataclass
from typing import Any, BinaryIO

from rtrace.verify.kinds.data.values import compare_values
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text
from rtrace.verify.plugins.reading import reading

_MAGICS = (b"RDX2\n", b"RDX3\n", b"RDA2\n", b"RDA3\n", b"X\n\0\0\0", b"A\n2\n", b"A\n3\n")
_SMALL = 64
_LATIN_1 = 4
"""The bit of a string's flags that says how it is encoded."""
_NOT_AVAILABLE = 1954
"""The lower half of the NaN that is R's NA."""
_OF_SOURCE = {"srcref", "srcfile", "wholeSrcref"}


class RFile:
    """Compares object by object; compression and version of the format do not count."""

    name = "R objects"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content, decompressed if it is compressed, begins as what R saves."""
        return _decompress(head).startswith(_MAGICS)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the objects. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        with reading(self.name, "rdata"):
            from rdata.parser import parse_data

            old, new = (parse_data(file.read(), extension=".rds") for file in (expected, found))
            _Objects(findings).compare("", old.object, new.object)
        if findings.likeness in {"equal", "close"}:
            findings.ignore("compression, or version of the format")
        return findings.conclude()


def _decompress(head: bytes) -> bytes:
    """Return the first bytes of what comes out of a compressed beginning; those of any other are as they are."""
    makers = (
        (b"\x1f\x8b", lambda: zlib.decompressobj(31)),
        (b"BZh", bz2.BZ2Decompressor),
        (b"\xfd7zXZ\0", lzma.LZMADecompressor),
    )
    for magic, make in makers:
        if head.startswith(magic):
            try:
                return bytes(make().decompress(head, _SMALL))
            except (OSError, zlib.error, lzma.LZMAError, EOFError):
                return b""
    return head[:_SMALL]


class _Objects:
    """Compares objects; those that are reached twice are compared once."""

    def __init__(self, findings: Findings) -> None:
        self._findings = findings
        self._seen: set[tuple[int, int]] = set()

    def compare(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401 -- of rdata
        """Compare two objects, or what is in them."""
        old, new = (_follow(one) for one in (old, new))
        if (id(old), id(new)) in self._seen or (place and self._findings.leaves_out(place)):
            return
        if type(old) is not type(new):
            self._findings.differ(place or "/", shorten_text(str(old)), shorten_text(str(new)))
        elif hasattr(old, "info"):
            self._seen.add((id(old), id(new)))
            self._compare_objects(place, old, new)
        elif isinstance(old, (list, tuple)):
            for number, (one, other) in enumerate(zip(old, new, strict=False), start=1):
                self.compare(f"{place}[{number}]", one, other)
            if len(old) != len(new):
                self._findings.differ(place or "/", f"{len(old)} items", f"{len(new)} items")
        elif is_dataclass(old):
            for field in fields(old):
                self.compare(place, getattr(old, field.name), getattr(new, field.name))
        elif hasattr(old, "dtype"):
            self._compare_arrays(place, old, new)
        elif old != new:
            self._findings.differ(place or "/", shorten_text(str(old)), shorten_text(str(new)))

    def _compare_objects(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401 -- of rdata
        kinds = [one.info.type.name for one in (old, new)]
        if kinds[0] != kinds[1]:
            self._findings.differ(place or "/", kinds[0].lower(), kinds[1].lower())
        elif kinds[0] == "CHAR":
            texts = [_read_text(one) for one in (old, new)]
            if texts[0] != texts[1]:
                self._findings.differ(
                    place or "/", *("NA" if text is None else shorten_text(repr(text)) for text in texts)
                )
        elif kinds[0] in {"LIST", "LANG", "ATTRLIST", "ATTRLANG"}:
            self._compare_pairs(place, old, new)
        elif kinds[0] == "EXTPTR":
            raise CannotCompareError("it holds a pointer to something outside of R")
        else:
            names = _list_names(old)
            values = (old.value, new.value)
            if kinds[0] in {"VEC", "EXPR"} and names and len(names) == len(values[0]) == len(values[1]):
                for name, one, other in zip(names, *values, strict=True):
                    self.compare(f"{place}/{shorten_text(name, 60)}", one, other)
            else:
                self.compare(place, *values)
            self._compare_pairs(f"{place}@", old.attributes, new.attributes)

    def _compare_pairs(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401 -- of rdata
        """Compare lists of pairs, which are as deep as they are long."""
        pairs = [list(_list_pairs(one)) for one in (old, new)]
        for number, ((name, one), (other_name, other)) in enumerate(zip(*pairs, strict=False), start=1):
            if name != other_name:
                self._findings.differ(f"{place}[{number}]", name, other_name)
            elif name in _OF_SOURCE:
                self._findings.ignore("where the source of functions was")
            else:
                self.compare(f"{place}/{name}" if name else f"{place}[{number}]", one, other)
        if len(pairs[0]) != len(pairs[1]):
            self._findings.differ(place, f"{len(pairs[0])} items", f"{len(pairs[1])} items")

    def _compare_arrays(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401 -- of NumPy
        import numpy as np

        for array in (np.ma.getmaskarray, _find_not_available):
            masks = [array(one) for one in (old, new)]
            if masks[0].shape == masks[1].shape and (masks[0] != masks[1]).any():
                at = int(np.flatnonzero(masks[0] != masks[1])[0])
                self._findings.differ(
                    f"{place}[{at + 1}]",
                    *("NA" if mask[at] else str(one[at]) for mask, one in zip(masks, (old, new), strict=True)),
                )
                return
        compare_values(place, np.ma.filled(old, 0), np.ma.filled(new, 0), self._findings)


def _find_not_available(values: Any) -> Any:  # noqa: ANN401 -- of NumPy
    """Return where among numbers R's NA is, which is a NaN of its own."""
    import numpy as np

    plain = np.ma.getdata(values)
    if plain.dtype.kind != "f" or plain.dtype.itemsize != 8:  # noqa: PLR2004
        return np.zeros(plain.shape, dtype=bool)
    bits = np.ascontiguousarray(plain, dtype="=f8").view("=u8")
    return np.isnan(plain) & ((bits & 0xFFFFFFFF) == _NOT_AVAILABLE)


def _follow(one: Any) -> Any:  # noqa: ANN401 -- of rdata
    return one.referenced_object if getattr(one, "referenced_object", None) is not None else one


def _read_text(one: Any) -> str | None:  # noqa: ANN401 -- of rdata
    if one.value is None:
        return None
    return str(one.value.decode("latin-1" if one.info.gp & _LATIN_1 else "utf-8", "surrogateescape"))


def _list_pairs(one: Any) -> Any:  # noqa: ANN401 -- of rdata
    while one is not None and isinstance(one.value, (list, tuple)) and len(one.value) == 2:  # noqa: PLR2004
        tag = _follow(one.tag) if one.tag is not None else None
        yield (_read_text(tag.value) or "" if tag is not None and tag.value is not None else ""), one.value[0]
        if one.attributes is not None:
            yield "@", one.attributes
        one = one.value[1]


def _list_names(one: Any) -> list[str]:  # noqa: ANN401 -- of rdata
    for name, value in _list_pairs(one.attributes):
        if name == "names" and isinstance(value.value, list):
            return [_read_text(text) or "NA" for text in value.value]
    return []


R_FILE = RFile()
