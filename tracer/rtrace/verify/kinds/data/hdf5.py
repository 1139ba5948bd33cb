"""HDF5, and what is built on it: NetCDF 4, MATLAB 7.3. Read by h5py."""

from __future__ import annotations

from typing import Any, BinaryIO

from rtrace.verify.kinds.data.values import compare_values
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

_MAGIC = b"\x89HDF\r\n\x1a\n"
_PLACES = (0, 512, 1024, 2048)
"""Where the signature may be: behind a block of the user's, as MATLAB has one."""
_PART = 1 << 20
"""Numbers that are compared at a time."""
_OF_LIBRARIES = "_NCProperties"
"""An attribute in which NetCDF says which versions of the libraries wrote a file."""


class Hdf5:
    """Compares groups, data sets and attributes; how the file is laid out and compressed does not count."""

    name = "HDF5"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as HDF5 does."""
        return any(head[place : place + len(_MAGIC)] == _MAGIC for place in _PLACES)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare what is in the two. Raises CannotCompareError."""
        try:
            import h5py
        except ImportError:
            raise CannotCompareError("HDF5 is compared by h5py: pip install 'rtrace-repro[compare]'") from None
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
            shown = [f"{getattr(link, 'filename', '')}{getattr(link, 'path', 'there')}" for link in links]
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
        elif one.dtype != other.dtype:  # types that have a name
            self._findings.differ(place, shorten_text(str(one.dtype)), shorten_text(str(other.dtype)))

    def _compare_attributes(self, path: str, old: Any, new: Any) -> None:  # noqa: ANN401
        for name in sorted(old.attrs.keys() | new.attrs.keys()):
            place = f"{path}@{name}"
            if self._findings.leaves_out(place):
                continue
            if name == _OF_LIBRARIES:
                self._findings.ignore("versions of the libraries that wrote it")
            elif name not in old.attrs or name not in new.attrs:
                self._findings.differ(place, *("there" if name in one.attrs else "not there" for one in (old, new)))
            else:
                one, other = (self._name_references(holder, holder.attrs[name]) for holder in (old, new))
                compare_values(place, one, other, self._findings)

    def _compare_data(self, place: str, old: Any, new: Any) -> None:  # noqa: ANN401
        for one in (old, new):
            if one.is_virtual or one.external:
                raise CannotCompareError(f"{place} has its values in other files, which are not opened")
        types = [one.dtype.newbyteorder("=") for one in (old, new)]
        if old.shape != new.shape or types[0] != types[1]:
            self._findings.differ(f"{place}, type or shape", *(f"{one.dtype} {one.shape}" for one in (old, new)))
            return
        if old.shape is None:
            return
        if not old.shape:
            one, other = (self._name_references(holder, holder[()]) for holder in (old, new))
            compare_values(place, one, other, self._findings)
            return
        width = max(1, old.size // old.shape[0]) if old.shape[0] else 1
        step = max(1, _PART // width)
        for at in range(0, old.shape[0], step):
            one, other = (self._name_references(holder, holder[at : at + step]) for holder in (old, new))
            compare_values(place, one, other, self._findings, at)

    def _name_references(self, holder: Any, value: Any) -> Any:  # noqa: ANN401
        """Return a value in which references to objects are the names of these: where an object lies is layout."""
        import numpy as np

        if isinstance(value, self._h5py.RegionReference):
            raise CannotCompareError("it refers to regions of data sets, which are not compared")
        if isinstance(value, self._h5py.Reference):
            return str(holder.file[value].name) if value else ""
        if isinstance(value, self._h5py.Empty):
            return "nothing"
        if isinstance(value, np.ndarray) and value.dtype.names is not None and value.dtype.hasobject:
            return {name: self._name_references(holder, value[name]) for name in value.dtype.names}
        if isinstance(value, np.ndarray) and value.dtype.kind == "O":
            named = np.empty(value.shape, dtype=object)
            for index in np.ndindex(value.shape):
                named[index] = self._name_references(holder, value[index])
            return named
        return value
