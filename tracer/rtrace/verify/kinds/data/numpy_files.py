"""NumPy's arrays, read without NumPy: nothing in them is ever executed."""

from __future__ import annotations

import ast
import math
import struct
import sys
from array import array
from typing import TYPE_CHECKING, Any, BinaryIO, NamedTuple

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_MAGIC = b"\x93NUMPY"
_LONGEST_HEADER = 1 << 20
_PART = 1 << 16
"""Numbers that are compared at a time."""
_MOST_TURNED = 4_000_000
"""Numbers of arrays that are stored in different orders: these are compared one by one."""
_CODES = dict(zip(("b1", "i1", "u1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"), "BbBhHiIqQfd", strict=True))
"""The codes of the module array by NumPy's."""
_TOO_LARGE_RECORD = 1 << 20

Field = tuple[str, str, str]
"""Of a record: the name of a field, its type as NumPy writes it, and as the module struct does."""


class Header(NamedTuple):
    """What an array is: the type of what is in it, its shape, and whether the first index changes fastest."""

    descr: Any
    shape: tuple[int, ...]
    fortran: bool


class Numpy:
    """Compares number by number, and records field by field."""

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
        if _neutral(old.descr) != _neutral(new.descr):
            findings.differ("type", _neutral(old.descr, old.descr), _neutral(new.descr, new.descr))
            return findings.conclude()
        is_turned = old.fortran != new.fortran and len(old.shape) > 1
        kind = _neutral(old.descr)
        if isinstance(kind, str) and (kind in _CODES or kind in {"c8", "c16"}) and not is_turned:
            compare_numbers_of(old, new, (expected, found), findings)
        else:
            _compare_records(old, new, (expected, found), findings, is_turned=is_turned)
        if findings.likeness == "equal":
            findings.ignore("layout of the header, order of bytes, or order in which the array is stored")
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
            case {"descr": (str() | list()) as descr, "fortran_order": bool(fortran), "shape": tuple(shape)}:
                if all(type(one) is int and one >= 0 for one in shape):
                    return Header(descr, shape, fortran)
    except (ValueError, SyntaxError, struct.error, MemoryError, RecursionError):
        pass
    raise CannotCompareError("the header of the array cannot be read")


def compare_numbers_of(old: Header, new: Header, files: tuple[BinaryIO, BinaryIO], findings: Findings) -> None:
    """Compare the numbers of two arrays of one shape and type."""
    kind = old.descr.lstrip("<>|=")
    parts = 2 if kind in {"c8", "c16"} else 1
    code = _CODES[{"c8": "f4", "c16": "f8"}.get(kind, kind)]
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


def _compare_records(
    old: Header, new: Header, files: tuple[BinaryIO, BinaryIO], findings: Findings, *, is_turned: bool
) -> None:
    """Compare what takes a look at each item: records, texts, times, and arrays that are stored in different orders."""
    fields = list(_list_fields(old.descr)), list(_list_fields(new.descr))
    total = math.prod(old.shape)
    first = _read_records(files[0], fields[0], total)
    second = _read_records(files[1], fields[1], total)
    if is_turned:
        if total > _MOST_TURNED:
            raise CannotCompareError("the arrays are stored in different orders, and are large")
        turned = list(second)
        second = (turned[_turn(number, old)] for number in range(total))
    for number, (one, other) in enumerate(zip(first, second, strict=True)):
        if one == other:
            continue
        for field, other_field, old_value, new_value in zip(*fields, one, other, strict=True):
            place = f"{_place(number, old)}{f'/{field[0]}' if field[0] else ''}"
            if isinstance(old_value, bytes):
                shown = _read_text(old_value, field[1]), _read_text(new_value, other_field[1])
                if shown[0] != shown[1]:
                    findings.differ(place, *map(shorten_text, shown))
            elif old_value != new_value:
                _compare_one(place, old_value, new_value, findings)


def _list_fields(descr: Any, prefix: str = "") -> Iterator[Field]:  # noqa: ANN401 -- of a header
    """Yield the fields of a type in their order."""
    if isinstance(descr, str):
        order, kind = (">" if descr.startswith(">") else "<"), descr.lstrip("<>|=")
        parts = 2 if kind in {"c8", "c16"} else 1
        plain = {"c8": "f4", "c16": "f8"}.get(kind, kind)
        code = {**_CODES, "f2": "e", "m8": "q", "M8": "q"}.get(plain.partition("[")[0])
        if code is not None:
            for _ in range(parts):
                yield prefix, descr, order + code
        elif kind[:1] in {"S", "U", "V"} and kind[1:].isdigit() and int(kind[1:]) < _TOO_LARGE_RECORD:
            yield prefix, descr, f"{int(kind[1:]) * (4 if kind[0] == 'U' else 1)}s"
        else:
            what = "Python objects, which are never loaded" if "O" in kind else f"values of the type {descr[:40]}"
            raise CannotCompareError(f"it holds {what}: only their bytes are compared")
        return
    for field in descr:
        match field:
            case (str(name), (str() | list()) as inner, *rest) if len(rest) < 2:  # noqa: PLR2004
                shape = rest[0] if rest else ()
                number = math.prod(shape if isinstance(shape, tuple) else (shape,))
                if not 0 <= number <= 10_000:  # noqa: PLR2004
                    raise CannotCompareError("it holds records that are larger than any")
                for at in range(number):
                    where = f"{prefix}/{name}" if prefix else name
                    yield from _list_fields(inner, f"{where}[{at}]" if rest else where)
            case _:
                raise CannotCompareError("the header of the array cannot be read")


def _read_records(file: BinaryIO, fields: list[Field], total: int) -> Iterator[tuple[Any, ...]]:
    forms = [struct.Struct(form if form[0] in "<>" else f"<{form}") for _, _, form in fields]
    size = sum(form.size for form in forms)
    for _ in range(total):
        content = file.read(size)
        if len(content) != size:
            raise CannotCompareError("the array is cut off")
        at, values = 0, []
        for form in forms:
            values.append(form.unpack_from(content, at)[0])
            at += form.size
        yield tuple(values)


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


def _neutral(descr: Any, shown: Any = None) -> Any:  # noqa: ANN401 -- of a header
    """Return a type without the order of its bytes; or, for a person, as it was written."""
    if shown is not None:
        return shorten_text(str(shown))
    if isinstance(descr, str):
        return descr.lstrip("<>|=")
    return [
        (field[0], _neutral(field[1]), *field[2:]) if isinstance(field, tuple) and len(field) > 1 else field
        for field in descr
    ]


def _list_indices(number: int, shape: tuple[int, ...], *, fortran: bool) -> list[int]:
    """Return the index of an item by its position."""
    indices = []
    for size in shape if fortran else reversed(shape):
        number, index = divmod(number, size)
        indices.append(index)
    return indices if fortran else indices[::-1]


def _turn(number: int, header: Header) -> int:
    """Return the position in an array of the other order of what is at a position in this one."""
    indices = _list_indices(number, header.shape, fortran=header.fortran)
    sizes = zip(indices, header.shape, strict=True)
    position = 0
    for index, size in sizes if header.fortran else reversed(list(sizes)):
        position = position * size + index
    return position


def _place(number: int, header: Header) -> str:
    return f"[{', '.join(map(str, _list_indices(number, header.shape, fortran=header.fortran)))}]"


def _read_text(value: bytes, kind: str) -> str:
    """Return the text of a field, or bytes as a text that tells them apart."""
    if "U" in kind:
        return value.decode("utf-32-be" if kind.startswith(">") else "utf-32-le", "surrogatepass").rstrip("\0")
    return value.rstrip(b"\0").decode("utf-8", "surrogateescape")
