"""HDF5 (and what is built on it: NetCDF 4) by h5py, and Parquet by DuckDB."""

from __future__ import annotations

import tempfile
from itertools import zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

from rtrace.verify.kinds.contents import copy_to
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, list_some, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_HDF5 = b"\x89HDF\r\n\x1a\n"
_PARQUET = b"PAR1"
_PART = 1 << 20
"""Numbers, or rows, that are compared at a time."""
_AS_THEY_COME = "SELECT * FROM read_parquet(?)"
_IN_ORDER = "SELECT * FROM read_parquet(?) ORDER BY ALL"
_HINT = "pip install 'rtrace-repro[compare]'"


class Hdf5:
    """Compares groups, data sets and attributes; how the file is laid out and compressed does not count."""

    name = "HDF5"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as HDF5 does."""
        return head.startswith(_HDF5)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare what is in the two. Raises CannotCompareError."""
        try:
            import h5py
        except ImportError:
            raise CannotCompareError(f"HDF5 is compared by h5py: {_HINT}") from None
        findings = Findings(self.name, rule)
        try:
            with h5py.File(expected, "r") as old, h5py.File(found, "r") as new:
                _Groups(h5py, findings).compare("/", old, new)
        except (OSError, KeyError, RuntimeError, ValueError, TypeError) as error:
            raise CannotCompareError(f"it is no HDF5 that can be read ({shorten_text(str(error))})") from None
        if findings.likeness in {"equal", "close"}:
            findings.ignore("layout and compression of the file")
        return findings.conclude()


class _Groups:
    """Compares what is below a group; links that lead back are followed once."""

    def __init__(self, h5py: Any, findings: Findings) -> None:  # noqa: ANN401 -- h5py has no types
        self._h5py = h5py
        self._findings = findings
        self._seen: set[tuple[object, object]] = set()

    def compare(self, path: str, old: Any, new: Any) -> None:  # noqa: ANN401
        """Compare two groups."""
        if self._findings.leaves_out(path):
            return
        pair = (old.id, new.id)
        if pair in self._seen:
            return
        self._seen.add(pair)
        self._compare_attributes(path, old, new)
        names = sorted(old.keys() | new.keys())
        for name in names:
            place = f"{path.rstrip('/')}/{name}"
            if self._findings.leaves_out(place):
                continue
            if name not in old or name not in new:
                self._findings.differ(place, *("there" if name in one else "not there" for one in (old, new)))
            else:
                self._compare_members(place, old, new, name)

    def _compare_members(self, place: str, old: Any, new: Any, name: str) -> None:  # noqa: ANN401
        links = [one.get(name, getlink=True) for one in (old, new)]
        if not all(isinstance(link, self._h5py.HardLink) for link in links):
            shown = [getattr(link, "path", "there") for link in links]
            if type(links[0]) is not type(links[1]) or shown[0] != shown[1]:
                self._findings.differ(place, *shown)
            return  # what a symbolic or an outside link leads to is compared where it is
        one, other = old[name], new[name]
        if isinstance(one, self._h5py.Group) and isinstance(other, self._h5py.Group):
            self.compare(place, one, other)
        elif isinstance(one, self._h5py.Dataset) and isinstance(other, self._h5py.Dataset):
            self._compare_attributes(place, one, other)
            self._compare_data(place, one, other)
        elif type(one) is not type(other):
            self._findings.differ(place, type(one).__name__, type(other).__name__)

    def _compare_attributes(self, path: str, old: Any, new: Any) -> None:  # noqa: ANN401
        for name in sorted(old.attrs.keys() | new.attrs.keys()):
            place = f"{path}@{name}"
            if self._findings.leaves_out(place):
                continue
            if name not in old.attrs or name not in new.attrs:
                self._findings.differ(place, *("there" if name in one.attrs else "not there" for one in (old, new)))
            else:
                compare_values(place, old.attrs[name], new.attrs[name], self._findings)

    def _compare_data(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401
        if old.shape != new.shape or old.dtype != new.dtype:
            shown = (f"{one.dtype} {one.shape}" for one in (old, new))
            self._findings.differ(f"{place}, type or shape", *shown)
            return
        if not old.shape:
            compare_values(place, old[()], new[()], self._findings)
            return
        width = max(1, old.size // old.shape[0]) if old.shape[0] else 1
        step = max(1, _PART // width)
        for at in range(0, old.shape[0], step):
            compare_values(place, old[at : at + step], new[at : at + step], self._findings, at)


def compare_values(place: str, old: Any, new: Any, findings: Findings, offset: int = 0) -> None:  # noqa: ANN401
    """Compare two values or arrays of NumPy; ``offset`` is the first index of the first one of a part."""
    import numpy as np

    one, other = np.asarray(old), np.asarray(new)
    if one.shape != other.shape or one.dtype.kind != other.dtype.kind:
        findings.differ(place, shorten_text(str(old)), shorten_text(str(new)))
        return
    numbers = one.dtype.kind in "fc"
    differing = np.argwhere((one != other) & ~(_nan(one) & _nan(other)) if numbers else one != other)
    for row in differing[:1000]:
        index = tuple(row)
        shown = f"{place}[{', '.join(str(int(at) + (offset if not axis else 0)) for axis, at in enumerate(row))}]"
        where = shown if index else place
        first, second = one[index], other[index]
        if one.dtype.kind == "f" or (one.dtype.kind in "iu" and not findings.rule.is_exact):
            findings.number(where, float(first), float(second))
        else:
            findings.differ(where, shorten_text(str(first)), shorten_text(str(second)))
    if numbers and len(differing) > 1000 and findings.likeness != "different":  # noqa: PLR2004
        allowed = np.maximum(findings.rule.absolute, findings.rule.tolerance * np.maximum(abs(one), abs(other)))
        beyond = np.argwhere(~(abs(one - other) <= allowed) & (one != other) & ~(_nan(one) & _nan(other)))
        if len(beyond):
            findings.differ(place, *(shorten_text(str(array[tuple(beyond[0])])) for array in (one, other)))


def _nan(values: Any) -> Any:  # noqa: ANN401
    import numpy as np

    return np.isnan(values)


class Parquet:
    """Compares columns and rows; groups of rows, encodings and compression do not count."""

    name = "Parquet"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as Parquet does."""
        return head.startswith(_PARQUET)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the tables. Raises CannotCompareError."""
        try:
            import duckdb
        except ImportError:
            raise CannotCompareError(f"Parquet is compared by DuckDB: {_HINT}") from None
        findings = Findings(self.name, rule)
        with tempfile.TemporaryDirectory() as folder:
            paths = [Path(folder) / name for name in ("expected.parquet", "found.parquet")]
            for path, file in zip(paths, (expected, found), strict=True):
                copy_to(file, path)
            try:
                with duckdb.connect(config={"enable_external_access": True, "threads": 1}) as old:
                    old.execute("SET autoinstall_known_extensions = false; SET autoload_known_extensions = false")
                    _compare_tables(old, paths, findings)
            except duckdb.Error as error:
                raise CannotCompareError(f"it is no Parquet that can be read ({shorten_text(str(error))})") from None
        if findings.likeness in {"equal", "close"}:
            findings.ignore("layout and compression of the file")
        return findings.conclude()


def _compare_tables(connection: Any, paths: list[Path], findings: Findings) -> None:  # noqa: ANN401
    columns = []
    for path in paths:
        rows = connection.execute("DESCRIBE SELECT * FROM read_parquet(?)", [str(path)]).fetchall()
        columns.append([(row[0], row[1]) for row in rows])
    if columns[0] != columns[1]:
        shown = (
            list_some(f"{name} {kind}" for name, kind in one if (name, kind) not in other)
            for one, other in (columns, columns[::-1])
        )
        findings.differ("columns", *(text or "not there" for text in shown))
        return
    names = [name for name, _ in columns[0]]
    query = _IN_ORDER if findings.rule.unordered else _AS_THEY_COME
    readers = [_fetch(connection.cursor().execute(query, [str(path)])) for path in paths]
    for number, (old, new) in enumerate(zip_longest(*readers), start=1):
        if old == new:
            continue
        if old is None or new is None:
            findings.differ(
                f"row {number}", *("no more rows" if row is None else shorten_text(str(row)) for row in (old, new))
            )
            return
        for name, one, other in zip(names, old, new, strict=True):
            place = f"row {number}, column {shorten_text(name, 40)}"
            if isinstance(one, float) and isinstance(other, float):
                findings.number(place, one, other)
            elif one != other:
                findings.differ(place, shorten_text(str(one)), shorten_text(str(other)))


def _fetch(cursor: Any) -> Iterator[tuple[Any, ...]]:  # noqa: ANN401
    while rows := cursor.fetchmany(10_000):
        yield from rows
