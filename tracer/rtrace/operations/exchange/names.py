"""The files of a bundle by the names that people give them: those of inputs and outputs, and absolute paths."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.resolving import resolve_path
from rtrace.errors import UsageError
from rtrace.printable import name_some, printable, suggest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.bundle.protocol import OpenBundle
    from rtrace.manifest.model import NamedFile

Kind = Literal["input", "output", "file"]


@dataclass(frozen=True, slots=True)
class File:
    """A file that can be exchanged: its name, what it is to the runs, where it is, and what is packed there.

    ``path`` holds no symlink but possibly as its last name. ``pattern`` is that of an output whose path changes.
    """

    name: str
    kind: Kind
    path: bytes
    pattern: bytes | None = None
    entry: Entry | None = None

    @property
    def content(self) -> Literal["packed", "elsewhere", "placeholder"] | None:
        """Where its packed content is; None where there is none."""
        if self.entry is None or self.entry.type is not FileType.REGULAR:
            return None
        return "placeholder" if self.entry.placeholder else "elsewhere" if self.entry.elsewhere else "packed"


def list_inputs(bundle: OpenBundle) -> tuple[File, ...]:
    """Return the inputs of a bundle."""
    return tuple(_make_file(bundle, one, "input") for one in bundle.manifest.inputs)


def list_outputs(bundle: OpenBundle) -> tuple[File, ...]:
    """Return the outputs of a bundle."""
    return tuple(_make_file(bundle, one, "output") for one in bundle.manifest.outputs)


def _make_file(bundle: OpenBundle, named: NamedFile, kind: Kind) -> File:
    path = resolve_path(bundle, named.path)
    return File(named.name, kind, path, named.pattern, bundle.find(path))


def find_named(bundle: OpenBundle, name: str, *, first: Kind = "input") -> File | None:
    """Return what has this name exactly, or this path; where an input and an output have it, the ``first`` kind."""
    inputs = [("input", one) for one in bundle.manifest.inputs]
    outputs = [("output", one) for one in bundle.manifest.outputs]
    kinds: list[tuple[Kind, NamedFile]] = [*inputs, *outputs] if first == "input" else [*outputs, *inputs]  # type: ignore[list-item]
    for kind, one in kinds:
        if one.name == name:
            return _make_file(bundle, one, kind)
    if not name.startswith("/"):
        return None
    path = resolve_path(bundle, os.fsencode(name))
    for kind, one in kinds:
        if one.path == path and one.pattern is None:
            return _make_file(bundle, one, kind)
    entry = bundle.find(path)
    return None if entry is None or entry.type is not FileType.REGULAR else File(name, "file", path, None, entry)


def find_file(bundle: OpenBundle, name: str, *, first: Kind = "input") -> File:
    """Return what has this name, or this path. Raises UsageError, which names what may have been meant."""
    found = find_named(bundle, name, first=first)
    if found is None:
        raise UsageError(explain_unknown(bundle, name, first=first))
    return found


def explain_unknown(bundle: OpenBundle, name: str, *, first: Kind) -> str:
    """Return a sentence on a name that nothing has."""
    manifest = bundle.manifest
    mine, others = (manifest.inputs, manifest.outputs) if first == "input" else (manifest.outputs, manifest.inputs)
    names = [one.name for one in (*mine, *others)]
    shown = printable(os.fsencode(name))
    if name.startswith("/"):
        return f"the bundle holds no file {shown}; `rtrace list` shows what it holds"
    if not name:
        return f"a name is missing; there are: {name_some(names)}"
    has = f"; there are: {name_some(names)}" if names else "; the bundle has no inputs and outputs, so name a path"
    return f"there is no {first} {shown}{suggest(name, names) or has}"


def iterate_splits(text: str) -> Iterator[tuple[str, str]]:
    """Yield a text before and behind each of its colons, the last one first."""
    place = text.rfind(":")
    while place >= 0:
        yield text[:place], text[place + 1 :]
        place = text.rfind(":", 0, place)


def tell_name(name: str, path: bytes) -> str:
    """Return a name with its path behind it, unless that is the name."""
    return f"{name} ({printable(path)})" if name != printable(path) else name
