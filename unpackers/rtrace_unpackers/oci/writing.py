"""Write the layers of an image, all at once, as the contents of a bundle come; the same bytes for the same bundle."""

from __future__ import annotations

import hashlib
import tarfile
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from types import TracebackType
from typing import IO

from rtrace.bundle.data.gzip_writer import GzipWriter
from rtrace.bundle.data.sparse import zeros
from rtrace.bundle.entry import Entry
from rtrace.errors import BundleError
from rtrace.printable import printable
from rtrace.progress import Progress
from rtrace_unpackers.engines.image.layers import NAMES, Plan
from rtrace_unpackers.engines.image.rootfs import choose_empty, make_header, make_own_header
from rtrace_unpackers.files.layout import Layout, take_contents

PART = 1 << 20
END = bytes(2 * tarfile.BLOCKSIZE)
"""What a tar ends with."""
OWN = "rtrace"
"""The name of the layer that holds what is ours."""
USER = "user"
"""The file in our folder by whose owner an image tells whether its files have kept theirs; image.c knows."""

Contents = Iterable[tuple[Entry, Iterator[bytes]]]


@dataclass(frozen=True, slots=True)
class Blob:
    """A layer as it was written: its file, SHA-256 and size, and the SHA-256 of what is compressed in it."""

    name: str
    path: Path
    sha256: str
    size: int
    diff: str


class LayerWriter:
    """A layer in the making: a compressed tar."""

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self._path = path
        self._file = path.open("xb")
        self._gzip = GzipWriter(self._file)
        self._digest = hashlib.sha256()

    def __enter__(self) -> LayerWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._gzip.__exit__(kind, error, trace)
        self._file.close()

    def add(self, member: tarfile.TarInfo, content: Iterable[bytes] = ()) -> None:
        """Add a file. Raises BundleError when its content has another size than its header says."""
        self._write(member.tobuf(tarfile.PAX_FORMAT, "utf-8", "surrogateescape"))
        written = 0
        for part in content:
            self._write(part)
            written += len(part)
        if written != member.size:
            path = b"/" + member.name.encode("utf-8", "surrogateescape")
            raise BundleError(f"{printable(path)} has {written} bytes in the bundle instead of {member.size}")
        self._write(bytes(-written % tarfile.BLOCKSIZE))

    def finish(self) -> Blob:
        """Write the end, and return what was written."""
        self._write(END)
        sha256 = self._gzip.finish()
        self._file.flush()
        return Blob(self.name, self._path, sha256, self._path.stat().st_size, self._digest.hexdigest())

    def _write(self, content: bytes) -> None:
        self._digest.update(content)
        self._gzip.write(content)


def write_layers(layout: Layout, plan: Plan, contents: Contents, folder: Path, progress: Progress) -> tuple[Blob, ...]:
    """Write the layers of a bundle's files into a folder, from the bottom to the top; one without any is left out."""
    with ExitStack() as stack:
        layers = {
            number: stack.enter_context(LayerWriter(NAMES[number], folder / f"layer-{NAMES[number]}"))
            for number in plan.used
        }
        for number, layer in layers.items():
            for entry in plan.directories[number]:
                layer.add(make_header(entry, tarfile.DIRTYPE))
        write_files(layout, plan, contents, layers, folder, progress)
        write_others(layout, plan, layers)
        return tuple(layer.finish() for layer in layers.values())


def write_files(
    layout: Layout,
    plan: Plan,
    contents: Contents,
    layers: Mapping[int, LayerWriter],
    folder: Path,
    progress: Progress,
) -> None:
    """Write all regular files that have a content, as their contents come, each with its copies."""
    for entry, content in take_contents(layout, contents, progress, "writing"):
        copies = layout.copies.get(entry.path, ())
        member = make_header(entry, tarfile.REGTYPE, size=entry.size)
        layer = layers[plan.places[entry.path]]
        if not copies:
            layer.add(member, count_parts(content, progress))
            continue
        with tempfile.TemporaryFile(dir=folder) as kept:
            layer.add(member, count_parts(keep_parts(content, kept), progress))
            for copy in copies:
                kept.seek(0)
                parts = iter(lambda: kept.read(PART), b"")
                twin = make_header(copy, tarfile.REGTYPE, size=copy.size)
                layers[plan.places[copy.path]].add(twin, count_parts(parts, progress))


def count_parts(parts: Iterable[bytes], progress: Progress) -> Iterator[bytes]:
    """Yield the parts of a content, and tell how far they are."""
    for part in parts:
        yield part
        progress.advance(len(part))


def keep_parts(parts: Iterable[bytes], file: IO[bytes]) -> Iterator[bytes]:
    """Yield the parts of a content, and keep them in a file."""
    for part in parts:
        file.write(part)
        yield part


def write_others(layout: Layout, plan: Plan, layers: Mapping[int, LayerWriter]) -> None:
    """Write what has no content of its own; hard links come after all that they could lead to."""
    empty = choose_empty(layout.placeholders)
    for entry in layout.placeholders:
        size = 0 if entry in empty else entry.size
        layers[plan.places[entry.path]].add(make_header(entry, tarfile.REGTYPE, size=size), zeros(size))
    for entry in chain(layout.links, layout.twins):
        link = (entry.link or b"")[1:]
        layers[plan.places[entry.path]].add(make_header(entry, tarfile.LNKTYPE, link=link))
    for entry in layout.fifos:
        layers[plan.places[entry.path]].add(make_header(entry, tarfile.FIFOTYPE))
    for entry in layout.symlinks:
        layers[plan.places[entry.path]].add(make_header(entry, tarfile.SYMTYPE, link=entry.target or b""))


def write_own_layer(
    own_folder: str, programs: Mapping[str, bytes], folder: Path, owner: tuple[int, int] | None = None
) -> Blob:
    """Write the layer of our programs, which are by their paths in a folder of ours.

    ``owner``: there is an empty file besides that is this user's and group's, if the image's files keep their owners.
    """
    with LayerWriter(OWN, folder / f"layer-{OWN}") as layer:
        layer.add(make_own_header(own_folder, tarfile.DIRTYPE, 0))
        for path, program in programs.items():
            layer.add(make_own_header(path, tarfile.REGTYPE, len(program)), (program,))
        if owner is not None:
            layer.add(make_own_header(f"{own_folder}/{USER}", tarfile.REGTYPE, 0, owner))
        return layer.finish()
