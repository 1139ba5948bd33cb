"""Where declarations and metadata are read from: a folder of this machine with its trace, or a bundle."""

from __future__ import annotations

import itertools
import os
import re
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.declared.files.finding import is_declaration
from rtrace.declared.files.installed import KINDS
from rtrace.errors import UsageError
from rtrace.files.reading import open_at_once
from rtrace.trace import DATABASE, DEFAULT_NAME
from rtrace.trace.directory import TraceDirectory
from rtrace.trace.reading.reader import open_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.protocol import OpenBundle

LARGEST = 16 << 20
"""Bytes of the largest file that is read."""
_MOST_METADATA = 20_000
_INSIDE = ("requirements",)
"""Folders of a project that hold declarations, too."""
_PACKAGE = re.compile(rb"(.*/node_modules/(?:@[^/]+/)?[^/@]+)/|(.*/[^/]*library/(?:[^/]+/)*?[A-Za-z][A-Za-z0-9.]*)/")
_SITE = re.compile(rb"(.*/(?:site|dist)-packages)/")


class LocalFolder:
    """A project's folder on this machine."""

    def __init__(self, path: Path) -> None:
        """Read from a folder. Raises UsageError where there is none."""
        if not path.is_dir():
            raise UsageError(f"{path} is no folder; name that of the project")
        self._path = path.resolve()

    def list_names(self) -> list[str]:
        """Return the names of the declarations in it."""
        names = [entry.name for entry in self._path.iterdir()]
        for folder in _INSIDE:
            inside = self._path / folder
            names += [f"{folder}/{entry.name}" for entry in inside.iterdir()] if inside.is_dir() else []
        return sorted(name for name in names if is_declaration(name) and (self._path / name).is_file())

    def read(self, name: str) -> bytes | None:
        """Return the content of a file in it; None where there is none, or one that is too large."""
        path = (self._path / name).resolve()
        return read_limited(path) if path.is_relative_to(self._path) else None


class BundledFolder:
    """A project's folder in a bundle: a run's working directory, or the nearest one above that declares anything."""

    def __init__(self, bundle: OpenBundle) -> None:
        """Look for a folder."""
        self._bundle = bundle
        names = [entry.path for entry in bundle.iterate_entries() if has_content(entry)]
        self._top = b""
        self._names: list[str] = []
        for folder in _list_candidates(bundle):
            below = [os.fsdecode(name[len(folder) :]) for name in names if name.startswith(folder)]
            self._names = sorted(name for name in below if is_declaration(name))
            self._top = folder
            if self._names:
                break

    def list_names(self) -> list[str]:
        """Return the names of the declarations in it."""
        return self._names

    def read(self, name: str) -> bytes | None:
        """Return the content of a file in it; None where the bundle has none, or one that is too large."""
        return read_bundled(self._bundle, os.path.normpath(self._top + os.fsencode(name)))


def _list_candidates(bundle: OpenBundle) -> Iterator[bytes]:
    for run in bundle.manifest.runs:
        folder = run.workingdir
        while folder.count(b"/") > 1:
            yield folder.rstrip(b"/") + b"/"
            folder = os.path.dirname(folder)
        yield folder.rstrip(b"/") + b"/"


def read_limited(path: Path | bytes) -> bytes | None:
    """Return the content of a regular file of this machine; None where there is none, or one that is too large."""
    try:
        with open(path, "rb", opener=open_at_once) as file:
            content = file.read(LARGEST + 1)
    except OSError:  # it is gone, or not ours to read
        return None
    return content if len(content) <= LARGEST else None


def has_content(entry: Entry) -> bool:
    """Whether a file's content is in its bundle."""
    return entry.type == "file" and not entry.placeholder and not entry.elsewhere


def read_bundled(bundle: OpenBundle, path: bytes) -> bytes | None:
    """Return the content of a file in a bundle; None where there is none, or one that is too large."""
    entry = bundle.find(path)
    if entry is None or not has_content(entry) or entry.size > LARGEST:
        return None
    return b"".join(bundle.read_file(path))


def find_trace(place: Path) -> tuple[TraceDirectory, Path]:
    """Return the trace directory that a place means, and the project's folder: the trace itself, or what holds one."""
    if (place / DATABASE).is_file():
        return TraceDirectory(place), place.resolve().parent
    return TraceDirectory(place / DEFAULT_NAME), place


def find_local_metadata(trace: TraceDirectory) -> Iterator[bytes]:
    """Yield the paths of metadata on this machine of what a trace's runs used, and of what is installed beside that."""
    with closing(open_for_reading(trace)) as connection:
        paths = [path for (path,) in connection.execute("SELECT path FROM paths")]
    found: set[bytes] = set()
    for path in paths:
        site = _SITE.match(path)
        if site is not None:
            found.update(_list_site(site[1]) if site[1] not in found else ())
            found.add(site[1])
        package = _PACKAGE.match(path)
        if package is not None:
            found.add(package[1] + b"/package.json" if package[1] else package[2] + b"/DESCRIPTION")
    for prefix in {above for path in paths for above in list_above(path)}:
        found.update(_list_folder(prefix + b"/conda-meta"))
    found.add(b"/var/lib/dpkg/status")
    yield from sorted(filter(is_metadata, found))[:_MOST_METADATA]


def _list_site(site: bytes) -> Iterable[bytes]:
    """Return the metadata of the distributions in a site folder."""
    from rtrace.packages.language.sites import list_distributions

    return [b"%b/%b/METADATA" % (site, folder) for folder in list_distributions(site)]


def _list_folder(folder: bytes) -> Iterable[bytes]:
    """Return the paths of what is in a folder; nothing where there is none."""
    try:
        return [folder + b"/" + name for name in os.listdir(folder)]
    except OSError:
        return ()


def list_above(path: bytes) -> Iterator[bytes]:
    """Yield the folders that a path lies in, but for the root."""
    above = os.path.dirname(path)
    while len(above) > 1:
        yield above
        above = os.path.dirname(above)


def find_bundled_metadata(bundle: OpenBundle) -> Iterator[bytes]:
    """Yield the paths of metadata in a bundle."""
    paths = (entry.path for entry in bundle.iterate_entries() if has_content(entry))
    yield from itertools.islice(filter(is_metadata, paths), _MOST_METADATA)


def is_metadata(path: bytes) -> bool:
    """Whether a file of this path says what an installed package needs."""
    return any(pattern.fullmatch(path) for pattern, _ in KINDS)
