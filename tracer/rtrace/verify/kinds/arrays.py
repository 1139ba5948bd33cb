"""NumPy's arrays of numbers, read without NumPy: nothing in them is ever executed."""

from __future__ import annotations

import ast
import math
import struct
import sys
from array import array
from typing import Any, BinaryIO, NamedTuple

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 20
_PART = 1 << 16
"""Numbers that are compared at a time."""
_CODES = dict(zip(("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"), "BbBhHiIqQfd", strict=True))
"""The codes of the module array by NumPy's."""


class Header(NamedTuple):
    """What an array is: the type of its numbers, its shape, and whether the first index changes fastest."""

    descr: str
    shape: tuple[int, ...]
    fortran: bool


class Numpy:
    """Compares number by number."""

    name = "NumPy array"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as an array does."""
        return head.startswith(_MAGIC)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare types, shapes and numbers. Raises CannotCompareError for arrays of other things than numbers."""
        findings = Findings(self.name, rule)
        old, new = read_header(expected), read_header(found)
        if old.shape != new.shape:
            findings.differ("shape", old.shape, new.shape)
            return findings.conclude()
        if old.fortran != new.fortran and len(old.shape) > 1:
            raise CannotCompareError("the arrays are stored in different orders")
        if old.descr.lstrip("<>|=") != new.descr.lstrip("<>|="):
            findings.differ("type", old.descr, new.descr)
            return findings.conclude()
        compare_numbers_of(old, new, (expected, found), findings)
        if findings.likeness == "equal":
            findings.ignore("layout of the header, or order of bytes")
        return findings.conclude()


def read_header(file: BinaryIO) -> Header:
    """Read the header of an array. Raises CannotCompareError."""
    start = file.read(8)
    if not start.startswith(_MAGIC) or len(start) < 8 or start[6] not in {1, 2, 3}:  # noqa: PLR2004
        raise CannotCompareError("it is no array of a version that is known")
    width, form = (2, "<H") if start[6] == 1 else (4, "<I")
    try:
        (length,) = struct.unpack(form, file.read(width))
        if length > _LONGEST_HEADER:
            raise CannotCompareError("the header of the array is longer than any")
        match ast.literal_eval(file.read(length).decode("utf-8")):
            case {"descr": str(descr), "fortran_order": bool(fortran), "shape": tuple(shape)}:
                if all(type(one) is int and one >= 0 for one in shape):
                    return Header(descr, shape, fortran)
            case {"descr": list()}:
                raise CannotCompareError("it holds records, which are compared as bytes alone")
    except (ValueError, SyntaxError, struct.error, MemoryError, RecursionError):
        pass
    raise CannotCompareError("the header of the array cannot be read")


def compare_numbers_of(old: Header, new: Header, files: tuple[BinaryIO, BinaryIO], findings: Findings) -> None:
    """Compare the numbers of two arrays of one shape and type."""
    kind = old.descr.lstrip("<>|=")
    parts = 2 if kind in {"c8", "c16"} else 1
    code = _CODES.get({"c8": "f4", "c16": "f8"}.get(kind, kind))
    if code is None:
        what = "Python objects, which are never loaded" if "O" in kind else f"values of the type {old.descr}"
        raise CannotCompareError(f"it holds {what}: only their bytes are compared")
    total = math.prod(old.shape) * parts
    done = 0
    while done < total:
        number = min(_PART, total - done)
        one, other = (_read(file, code, number, header.descr) for file, header in zip(files, (old, new), strict=True))
        if one != other:  # a NaN makes them different, too
            for position, (first, second) in enumerate(zip(one, other, strict=True)):
                if first != second:
                    _compare_one(_place((done + position) // parts, old), first, second, findings)
        done += number


def _compare_one(place: str, old: float, new: float, findings: Findings) -> None:
    if isinstance(old, int) and findings.rule.is_exact:
        findings.differ(place, old, new)
        findings.amount = max(findings.amount or 0, abs(old - new))
    else:
        findings.number(place, old, new)


def _read(file: BinaryIO, code: str, number: int, descr: str) -> array[Any]:
    found = array(code)
    content = file.read(number * found.itemsize)
    if len(content) != number * found.itemsize:
        raise CannotCompareError("the array is cut off")
    found.frombytes(content)
    if descr[:1] == (">" if sys.byteorder == "little" else "<"):
        found.byteswap()
    return found


def _place(number: int, header: Header) -> str:
    """Return the index of a number by its position."""
    indices = []
    for size in header.shape if header.fortran else reversed(header.shape):
        number, index = divmod(number, size)
        indices.append(index)
    shown = indices if header.fortran else reversed(indices)
    return f"[{', '.join(map(str, shown))}]"
