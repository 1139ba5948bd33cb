"""Which entry of a bundle is in which layer of an image: packages, the experiment's own files, inputs; then launchers.

A change of an input changes the layer of inputs alone, and engines and registries take the rest from what they have.
A layer has the directories that lead to what is in it, since an engine would make others; only the topmost layer that
has a directory gives it its time, which changes with what is in it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import chain

from rtrace.bundle.entry import Entry
from rtrace.manifest.model import NamedFile
from rtrace_unpackers.files.layout import Layout, parent_of

NAMES = ("packages", "experiment", "inputs")
"""From the bottom to the top."""
OWN = "launchers"
"""The topmost layer, which holds what is ours; every image has it."""
OLD = "rootfs"
"""The one layer of targets that were made before there were several."""
PACKAGES, EXPERIMENT, INPUTS = range(3)
HIDDEN_TIME = 0
"""The time of a directory where a layer above has it, too."""


@dataclass(frozen=True, slots=True)
class Plan:
    """The layer of each path that is no directory, and the directories of each layer."""

    places: Mapping[bytes, int]
    directories: tuple[tuple[Entry, ...], ...]

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the layers that an image has, from the bottom to the top."""
        return (*(NAMES[number] for number in self.used), OWN)

    @property
    def used(self) -> tuple[int, ...]:
        """The layers that hold anything."""
        return tuple(number for number in range(len(NAMES)) if self.directories[number] or number in self._filled)

    @property
    def _filled(self) -> frozenset[int]:
        return frozenset(self.places.values())


def name_file(layer: str) -> str:
    """Return the name of a layer's file in a build context."""
    return f"{layer}.tar"


def read_names(fact: str | None) -> tuple[str, ...]:
    """Return the layers that a target's state names; of those that rtrace does not make none."""
    return (OLD,) if fact is None else tuple(name for name in (*NAMES, OWN) if name in fact.split())


def plan_layers(layout: Layout, inputs: Iterable[NamedFile]) -> Plan:
    """Choose a layer for each entry; all names of a file are in one: an engine makes hard links within a layer."""
    is_input = Inputs(inputs)
    places: dict[bytes, int] = {}
    linked = (*layout.links, *layout.twins)
    for entry in list_named(layout):
        places[entry.path] = choose(entry, is_input)
    for link in linked:
        target = link.link or b""
        places[target] = max(places.get(target, PACKAGES), choose(link, is_input))
    for link in linked:
        places[link.path] = places[link.link or b""]
    return Plan(places, place_directories(layout, places, is_input))


def list_named(layout: Layout) -> Iterator[Entry]:
    """Yield what is no directory and no further name of a file."""
    yield from chain(layout.files, layout.placeholders, layout.fifos, layout.symlinks)
    yield from chain.from_iterable(layout.copies.values())


def choose(entry: Entry, is_input: Inputs) -> int:
    """Return the layer of an entry by itself."""
    if is_input.match(entry.path):
        return INPUTS
    return EXPERIMENT if entry.package is None else PACKAGES


def place_directories(layout: Layout, places: Mapping[bytes, int], is_input: Inputs) -> tuple[tuple[Entry, ...], ...]:
    """Return the directories of each layer: those that are of it themselves, and those that lead to what is in it.

    One that leads to something is where that is, and nowhere else; the root is an engine's own.
    """
    wanted: dict[bytes, set[int]] = {}
    for path, place in places.items():
        want_ancestors(path, place, wanted)
    for entry in reversed(layout.directories):  # deepest first
        if entry.path not in wanted:
            place = choose(entry, is_input)
            wanted[entry.path] = {place}
            want_ancestors(entry.path, place, wanted)
    found: tuple[list[Entry], ...] = tuple([] for _ in NAMES)
    for entry in layout.directories:
        if entry.path != b"/":
            top = max(wanted[entry.path])
            for place in wanted[entry.path]:
                found[place].append(entry if place == top else entry._replace(mtime_ns=HIDDEN_TIME))
    return tuple(map(tuple, found))


def want_ancestors(path: bytes, place: int, wanted: dict[bytes, set[int]]) -> None:
    """Note that a layer needs the directories above a path."""
    while path != b"/":
        path = parent_of(path)
        places = wanted.setdefault(path, set())
        if place in places:
            return
        places.add(place)


class Inputs:
    """The inputs that the manifest names: files, or folders with all that is in them."""

    def __init__(self, inputs: Iterable[NamedFile]) -> None:
        self._paths = frozenset(one.path.rstrip(b"/") for one in inputs)

    def match(self, path: bytes) -> bool:
        """Whether a path is an input or lies in one."""
        if not self._paths:
            return False
        while path != b"/":
            if path in self._paths:
                return True
            path = parent_of(path)
        return False
