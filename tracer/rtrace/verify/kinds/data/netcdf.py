"""NetCDF in its three classic formats (the fourth is HDF5), read as the User's Guide of NetCDF describes them."""

from __future__ import annotations

import math
import struct
from typing import Any, BinaryIO, NamedTuple

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

_VERSIONS = {b"CDF\x01": 1, b"CDF\x02": 2, b"CDF\x05": 5}
_TYPES = {1: "b", 2: "c", 3: "h", 4: "i", 5: "f", 6: "d", 7: "B", 8: "H", 9: "I", 10: "q", 11: "Q"}
_DIMENSIONS, _VARIABLES, _ATTRIBUTES = 10, 11, 12
_MOST = 100_000
"""Dimensions, variables or attributes, and characters of a name."""
_PART = 1 << 16
_LARGEST_ATTRIBUTE = 16 << 20


class Variable(NamedTuple):
    """A variable: its type in the words of struct, its shape (None: a record), and where its values begin."""

    code: str
    dimensions: tuple[str, ...]
    shape: tuple[int, ...]
    is_record: bool
    attributes: dict[str, tuple[Any, ...]]
    begin: int

    @property
    def size(self) -> int:
        """How many values there are, in one record if it has records."""
        return math.prod(self.shape[1:] if self.is_record else self.shape)


class Dataset(NamedTuple):
    """What is in a file; ``record`` is how many bytes each record has."""

    dimensions: dict[str, int]
    attributes: dict[str, tuple[Any, ...]]
    variables: dict[str, Variable]
    record: int


class NetCdf:
    """Compares dimensions, attributes and values; the order of variables and the layout do not count."""

    name = "NetCDF"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as one of the classic formats does."""
        return head[:4] in _VERSIONS

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare what is in the two. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        try:
            old, new = _Reader(expected).read(), _Reader(found).read()
        except (struct.error, OverflowError, UnicodeDecodeError) as error:
            raise CannotCompareError(f"it is no intact NetCDF ({error})") from None
        for name in sorted(old.dimensions.keys() | new.dimensions.keys()):
            sizes = [one.dimensions.get(name, "not there") for one in (old, new)]
            if sizes[0] != sizes[1]:
                findings.differ(f"dimension {name}", *sizes)
        _compare_attributes("/", old.attributes, new.attributes, findings)
        for name in sorted(old.variables.keys() | new.variables.keys()):
            if findings.leaves_out(f"/{name}"):
                continue
            if name not in old.variables or name not in new.variables:
                shown = ("there" if name in one.variables else "not there" for one in (old, new))
                findings.differ(f"/{name}", *shown)
            else:
                _compare_variable(name, (expected, found), (old, new), findings)
        if findings.likeness in {"equal", "close"}:
            findings.ignore("order of variables, and layout of the file")
        return findings.conclude()


class _Reader:
    """Reads the header of a file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._version = _VERSIONS[file.read(4)]

    def read(self) -> Dataset:
        """Return what the header says. Raises CannotCompareError and struct.error."""
        records = self._number()
        if records == (2**64 - 1 if self._version == 5 else 2**32 - 1):  # noqa: PLR2004
            raise CannotCompareError("it was being written, and has no number of records")
        dimensions = {}
        for _ in range(self._begin(_DIMENSIONS)):
            name = self._name()
            dimensions[name] = self._number()
        unlimited = [name for name, size in dimensions.items() if not size]
        attributes = self._attributes()
        variables = {}
        names = list(dimensions)
        for _ in range(self._begin(_VARIABLES)):
            name, variable = self._variable(names, dimensions, records)
            variables[name] = variable
        recorded = [one for one in variables.values() if one.is_record]
        sizes = [one.size * struct.calcsize(one.code) for one in recorded]
        record = sizes[0] if len(sizes) == 1 else sum(-(-size // 4) * 4 for size in sizes)
        return Dataset({**dimensions, **dict.fromkeys(unlimited, records)}, attributes, variables, record)

    def _variable(self, names: list[str], sizes: dict[str, int], records: int) -> tuple[str, Variable]:
        name = self._name()
        ids = [self._number() for _ in range(self._count(self._number()))]
        if any(one >= len(names) for one in ids):
            raise CannotCompareError("a variable in it has a dimension that is not there")
        attributes = self._attributes()
        code = self._type()
        self._number()  # the size of its values, which follows from the dimensions
        begin = self._unpack(">i" if self._version == 1 else ">q")
        dimensions = tuple(names[one] for one in ids)
        is_record = bool(dimensions) and not sizes[dimensions[0]]
        shape = tuple(records if not at and is_record else sizes[one] for at, one in enumerate(dimensions))
        return name, Variable(code, dimensions, shape, is_record, attributes, begin)

    def _attributes(self) -> dict[str, tuple[Any, ...]]:
        found: dict[str, tuple[Any, ...]] = {}
        for _ in range(self._begin(_ATTRIBUTES)):
            name, code, number = self._name(), self._type(), self._number()
            size = number * struct.calcsize(code)
            if size > _LARGEST_ATTRIBUTE:
                raise CannotCompareError("an attribute in it is larger than any")
            content = self._file.read(size)
            self._file.read(-size % 4)
            found[name] = (content,) if code == "c" else struct.unpack(f">{number}{code}", content)
        return found

    def _begin(self, tag: int) -> int:
        """Read the beginning of a list, and return how many items it has."""
        found, number = self._unpack(">i"), self._number()
        if found not in {0, tag} or (not found and number):
            raise CannotCompareError("its header is damaged")
        return self._count(number)

    def _count(self, number: int) -> int:
        if number > _MOST:
            raise CannotCompareError("its header names more things than any")
        return number

    def _name(self) -> str:
        size = self._count(self._number())
        name = self._file.read(size)
        self._file.read(-size % 4)
        if len(name) != size:
            raise CannotCompareError("it is cut off")
        return name.decode()

    def _type(self) -> str:
        number = self._unpack(">i")
        if number not in _TYPES:
            raise CannotCompareError(f"it has values of a type that is not known ({number})")
        return _TYPES[number]

    def _number(self) -> int:
        return self._unpack(">Q" if self._version == 5 else ">I")  # noqa: PLR2004

    def _unpack(self, form: str) -> int:
        (number,) = struct.unpack(form, self._file.read(struct.calcsize(form)))
        return int(number)


def _compare_attributes(
    place: str, old: dict[str, tuple[Any, ...]], new: dict[str, tuple[Any, ...]], findings: Findings
) -> None:
    for name in sorted(old.keys() | new.keys()):
        where = f"{place}@{name}"
        if findings.leaves_out(where):
            continue
        if name not in old or name not in new:
            findings.differ(where, *(_show(one[name]) if name in one else "not there" for one in (old, new)))
            continue
        one, other = old[name], new[name]
        if len(one) != len(other) or list(map(type, one)) != list(map(type, other)):
            findings.differ(where, _show(one), _show(other))
            continue
        for first, second in zip(one, other, strict=True):
            if isinstance(first, float):
                findings.number(where, first, second)
            elif first != second:
                findings.differ(where, _show(one), _show(other))


def _compare_variable(
    name: str, files: tuple[BinaryIO, BinaryIO], datasets: tuple[Dataset, Dataset], findings: Findings
) -> None:
    old, new = (dataset.variables[name] for dataset in datasets)
    kinds = [(one.code, one.dimensions, one.shape) for one in (old, new)]
    if kinds[0] != kinds[1]:
        findings.differ(f"/{name}, type or shape", *(f"{kind[0]} {kind[2]}" for kind in kinds))
        return
    _compare_attributes(f"/{name}", old.attributes, new.attributes, findings)
    for record in range(old.shape[0] if old.is_record else 1):
        begins = [one.begin + record * dataset.record for one, dataset in zip((old, new), datasets, strict=True)]
        for done in range(0, old.size, _PART):
            number = min(_PART, old.size - done)
            parts = [_read(file, begin, done, number, old.code) for file, begin in zip(files, begins, strict=True)]
            if parts[0] == parts[1]:
                continue
            values = [struct.unpack(f">{number}{old.code}", part) for part in parts]
            for at, (first, second) in enumerate(zip(*values, strict=True)):
                if first != second:
                    where = f"/{name}{_place(done + at + record * old.size, old.shape)}"
                    if isinstance(first, bytes) or (isinstance(first, int) and findings.rule.is_exact):
                        findings.differ(where, *(shorten_text(str(one)) for one in (first, second)))
                    else:
                        findings.number(where, first, second)


def _read(file: BinaryIO, begin: int, done: int, number: int, code: str) -> bytes:
    width = struct.calcsize(code)
    if begin < 0:
        raise CannotCompareError("its header is damaged")
    file.seek(begin + done * width)
    content = file.read(number * width)
    if len(content) != number * width:
        raise CannotCompareError("it is cut off")
    return content


def _place(number: int, shape: tuple[int, ...]) -> str:
    indices = []
    for size in reversed(shape):
        number, index = divmod(number, size)
        indices.append(index)
    return f"[{', '.join(map(str, reversed(indices)))}]" if indices else ""


def _show(values: tuple[Any, ...]) -> str:
    texts = (one.decode("utf-8", "backslashreplace") if isinstance(one, bytes) else str(one) for one in values)
    return shorten_text(", ".join(texts))
