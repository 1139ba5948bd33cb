"""Two contents whose bytes differ, compared as what they are: the kinds in the order in which they are asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from rtrace.plugins import find_plugins, load
from rtrace.verify.kinds.contents import PART, find_difference, peek
from rtrace.verify.kinds.data.hdf5 import Hdf5
from rtrace.verify.kinds.data.netcdf import NetCdf
from rtrace.verify.kinds.data.numpy_files import Numpy
from rtrace.verify.kinds.data.parquet import Parquet
from rtrace.verify.kinds.data.pickles import Pickle
from rtrace.verify.kinds.data.sqlite import Sqlite
from rtrace.verify.kinds.documents import Pdf
from rtrace.verify.kinds.model import MOST_DEPTH, CannotCompareError, Judgement, Rule
from rtrace.verify.kinds.notebooks import Notebook
from rtrace.verify.kinds.packed import Archive, Compressed, Room
from rtrace.verify.kinds.pictures import Picture
from rtrace.verify.kinds.programs import Elf
from rtrace.verify.kinds.table import Table
from rtrace.verify.kinds.text import Text
from rtrace.verify.kinds.trees import JSON, SVG, TOML, XML, YAML

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.verify.kinds.model import Kind

GROUP = "rtrace.comparators"
HEAD = 1 << 16
_KINDS: tuple[Kind, ...] = (
    Numpy(),
    Sqlite(),
    Picture(),
    Elf(),
    Hdf5(),
    Parquet(),
    NetCdf(),
    Pickle(),
    Pdf(),
    Notebook(Picture()),
    SVG,
    XML,
    JSON,
    YAML,
    TOML,
    Table(),
    Text(),
)


class Judging:
    """Compares contents; what is unpacked on the way shares one room."""

    def __init__(self) -> None:
        self._room = Room()
        self._others, self._problems = load_comparators()

    def judge(
        self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes], depth: int = 0
    ) -> Judgement:
        """Compare two contents that are open at their beginning; ``names`` are the last parts of their paths.

        What cannot be compared as what it is, is compared by its bytes, and the note says why.
        """
        heads = peek(expected, HEAD), peek(found, HEAD)
        notes: list[str] = []
        for kind in self._list_kinds(depth):
            if not (kind.recognise(heads[0], names[0]) and kind.recognise(heads[1], names[1])):
                continue
            try:
                return kind.compare(expected, found, rule, names)
            except CannotCompareError as error:
                notes.append(str(error))
            except MemoryError:
                notes.append(f"comparing it as {kind.name} takes more memory than there is")
            except RecursionError:
                notes.append("it is nested too deeply")
            except Exception as error:  # noqa: BLE001 -- malformed contents break libraries in all ways
                notes.append(f"it cannot be read as {kind.name} ({type(error).__name__}: {str(error)[:120]})")
            finally:
                expected.seek(0)
                found.seek(0)
        return compare_bytes(expected, found)._replace(note="; ".join([*notes[:1], *self._problems]))

    def _list_kinds(self, depth: int) -> Iterator[Kind]:
        yield from self._others
        if depth < MOST_DEPTH:
            yield Compressed(self.judge, self._room, depth)
            yield Archive(self.judge, self._room, depth)
        yield from _KINDS


def load_comparators() -> tuple[tuple[Kind, ...], tuple[str, ...]]:
    """Return what other distributions and rtrace's own offer as comparators, and why one of them is not there."""
    found: list[Kind] = []
    problems: list[str] = []
    for name, address in find_plugins(GROUP).items():
        try:
            found.append(load(address))
        except Exception as error:  # noqa: BLE001 -- one that is broken takes none of the others with it
            what = f"{type(error).__name__}: {str(error)[:120]}"
            problems.append(f"the comparator {name} cannot be loaded ({what})")
    return tuple(found), tuple(problems)


def compare_bytes(expected: BinaryIO, found: BinaryIO) -> Judgement:
    """Return where two contents begin to differ, as bytes."""
    done = 0
    while True:
        one, other = expected.read(PART), found.read(PART)
        if one != other:
            at = find_difference(one, other)
            old, new = (part[at : at + 8].hex(" ") or "no more bytes" for part in (one, other))
            return Judgement("different", "bytes", (), f"byte {done + at}", old, new)
        if not one:
            return Judgement("same", "bytes")
        done += len(one)
