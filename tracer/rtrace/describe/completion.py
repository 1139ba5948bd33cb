"""What programs that load lazily need next time although this run did not touch it.

Each rule adds the rest of something that the run used in part: a Python distribution, a folder of plugins, the names
of a time zone, certificates, a locale, what version control watches. What was only read about it does not count. What
a rule adds is shown in the manifest with its size and a switch of its own.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from rtrace.describe.work_trees import watched_by_dvc, watched_by_git
from rtrace.files.reading import open_at_once
from rtrace.packages.generated import find_source
from rtrace.packages.language.sites import SITE, list_distributions, read_record, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence

COMPLETION = "completion"
"""The reason why such a file is in a bundle."""
CHEAP = 64 << 20
"""Bytes that a rule may add without being asked."""
_LARGEST_ZONE = 1 << 16
_MOST_ZONES = 8
"""Time zones in use that are completed one by one."""

_PLUGINS = re.compile(
    rb"/(?:plugins|loaders|gconv|coders|engines-\d[\d.]*|ossl-modules|sasl2|gio/modules|security|[^/]*-modules"
    rb"|modules-[^/]+|(?:platforms|imageformats|styles|iconengines|sqldrivers|bearer)|libnss|pkcs11|girepository-1\.0)$"
)
"""Folders from which programs load what a setting or an input asks for, by the end of their path."""
_LOADED = re.compile(rb"\.(?:py|pyc|pyd)$|\.so(?:\.[\d.]+)?$")
"""How the names of modules and libraries end."""
_AT_START = (b"/_distutils_hack/", b"/_virtualenv.py", b"/distutils-precedence.pth")
"""What every start of Python loads from a site folder, whatever the program is."""
_ZONES = b"/zoneinfo/"
"""The folder of time zones, in the system and in distributions that bring their own; see tzfile(5)."""
_LOCALES = b"/usr/lib/locale/"
_CERTIFICATES = (b"/etc/ssl/certs", b"/etc/pki/tls/certs", b"/usr/share/ca-certificates")
_BUNDLES = (b"ca-certificates.crt", b"ca-bundle.crt", b"ca-bundle.trust.crt", b"tls-ca-bundle.pem")
"""Files with all certificates in them, which need no others."""


class Addition(NamedTuple):
    """What one rule adds for one thing: files that the trace does not have, and their bytes."""

    rule: str
    name: str
    paths: tuple[bytes, ...]
    size: int

    @property
    def cheap(self) -> bool:
        """Whether it is small enough to be added unasked."""
        return self.size <= CHEAP


def complete(
    used: Collection[bytes],
    known: Collection[bytes],
    executed: Collection[bytes] = frozenset(),
    looked: Mapping[bytes, int] | None = None,
) -> list[Addition]:
    """Return what would complete the files that a run read or executed (``used``, resolved); ``known`` are traced.

    ``executed`` are those of the used that are programs, ``looked`` the sizes of files that a run looked at and did
    nothing else with. Sorted by rule and name. What is no longer there, or cannot be read, is left out.
    """
    text = b"\0".join(used)  # tells at one look which rules concern none of the files

    def complete_python(used: Collection[bytes], known: Collection[bytes]) -> Iterator[Addition]:
        loaded = {find_source(path) for path in used if path in executed or _LOADED.search(path)}
        return _complete_python(loaded, known)

    def complete_git(used: Collection[bytes], known: Collection[bytes]) -> Iterator[Addition]:
        return _complete_work_trees("git", watched_by_git(used, looked or {}), known, looked or {})

    def complete_dvc(used: Collection[bytes], known: Collection[bytes]) -> Iterator[Addition]:
        return _complete_work_trees("dvc", watched_by_dvc(used, looked or {}), known, looked or {})

    rules = (
        (b".pyc", _complete_sources),
        (b"-packages/", complete_python),
        (b".so", _complete_plugins),
        (_ZONES, _complete_zones),
        (_LOCALES, _complete_locales),
        (b"/", _complete_certificates),
        (b"/.git/", complete_git),
        (b"/.dvc/", complete_dvc),
    )
    additions = [addition for mark, rule in rules if mark in text for addition in rule(used, known)]
    return sorted(addition for addition in additions if addition.paths)


def _complete_python(loaded: Collection[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the rest of each Python distribution from which a module, library or program was loaded, as RECORD lists it.

    Reading only its metadata, as every look for entry points does, is not using it. See the PyPA
    specification "Recording installed projects". Compiled files of others come and go, and stay out; so do time zones.
    """
    sites = {match[1] for path in loaded if b"-packages/" in path and (match := SITE.match(path))}
    used = {path for path in loaded if not any(mark in path for mark in _AT_START)}
    for site in sorted(sites):
        for folder in list_distributions(site):
            record = read_record(site, folder)
            if any(path in used for path, _ in record):
                files = [
                    (path, size)
                    for path, size in record
                    if path not in known and not path.endswith(b".pyc") and not _is_zone(path)
                ]
                yield Addition("python", " ".join(split_name(folder)), *_weigh(files))


def _is_zone(path: bytes) -> bool:
    """Whether a path leads to the data of one time zone: tables and modules beside these have a dot in their name."""
    return _ZONES in path and b"." not in path.rpartition(b"/")[2]


def _complete_sources(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the source of each compiled Python module: a traceback shows it, and another Python compiles it anew."""
    sources = {find_source(path) for path in used if path.endswith(b".pyc")}
    files = [
        (source, os.lstat(source).st_size)
        for source in sources
        if source.endswith(b".py") and source not in known and os.path.isfile(source)
    ]
    yield Addition("python", "sources of compiled modules", *_weigh(files))


def _complete_plugins(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the other plugins of a folder from which one was loaded."""
    folders = {path.rpartition(b"/")[0] for path in used if b".so" in path}
    for folder in sorted(folder for folder in folders if _PLUGINS.search(folder)):
        files = [(path, size) for path, size in _list_files(folder, deep=False) if path not in known]
        yield Addition("plugins", folder.decode(errors="backslashreplace"), *_weigh(files))


def _complete_zones(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the other names of each time zone in use: programs ask for one by name, whichever of its names that is.

    Where a program looked at many, the folder's additions are one.
    """
    tops: dict[bytes, dict[bytes, bytes]] = {}
    for path in sorted(path for path in used if _is_zone(path)):
        try:
            with open(path, "rb", opener=open_at_once) as file:
                content = file.read(_LARGEST_ZONE)
        except OSError:  # removed since, or of somebody else
            continue
        tops.setdefault(path[: path.index(_ZONES) + len(_ZONES) - 1], {})[path] = content
    for top, zones in tops.items():
        found: dict[bytes, list[tuple[bytes, int]]] = {}
        paths = {content: path for path, content in zones.items()}
        for name, size in _list_files(top, deep=True):
            zone = _find_zone(name, size, zones, paths) if name not in known and _is_zone(name) else None
            if zone is not None:
                found.setdefault(zone if len(zones) <= _MOST_ZONES else top, []).append((name, size))
        for name, files in found.items():
            yield Addition("timezone", name.decode(errors="backslashreplace"), *_weigh(files))


def _find_zone(name: bytes, size: int, zones: Mapping[bytes, bytes], paths: Mapping[bytes, bytes]) -> bytes | None:
    """Return the path of the time zone in use that a file or symlink is another name of; ``paths`` are by content."""
    try:
        if os.path.islink(name):
            path = os.path.realpath(name)
            return path if path in zones else None
        if size > _LARGEST_ZONE:
            return None
        with open(name, "rb", opener=open_at_once) as file:
            return paths.get(file.read(_LARGEST_ZONE))
    except OSError:
        return None


def _complete_locales(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the rest of each locale in use, see locale(7)."""
    places = {_LOCALES + path[len(_LOCALES) :].partition(b"/")[0] for path in used if path.startswith(_LOCALES)}
    for place in sorted(places):
        files = [(path, size) for path, size in _list_files(place, deep=True) if path not in known]
        yield Addition("locale", place.decode(errors="backslashreplace"), *_weigh(files))


def _complete_certificates(used: Collection[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the other certificates where single ones were read."""
    ordered = sorted(path for path in used if not path.endswith(_BUNDLES))
    if any(_has(ordered, place) for place in _CERTIFICATES):
        for place in _CERTIFICATES:
            files = [(path, size) for path, size in _list_files(place, deep=True) if path not in known]
            yield Addition("certificates", place.decode(), *_weigh(files))


def _complete_work_trees(
    system: str,
    trees: Iterable[tuple[bytes, set[bytes]]],
    known: Collection[bytes],
    looked: Mapping[bytes, int],
) -> Iterator[Addition]:
    """Add the content of what version control watches: a replay makes it look there again."""
    for top, watched in trees:
        files = [
            (path, looked[path] if path in looked else os.lstat(path).st_size)
            for path in watched - set(known)
            if path in looked or os.path.isfile(path)
        ]
        yield Addition(system, top.decode(errors="backslashreplace"), *_weigh(files))


def _has(ordered: Sequence[bytes], place: bytes) -> bool:
    """Whether there is a path below a place among some paths."""
    number = bisect_left(ordered, place + b"/")
    return number < len(ordered) and ordered[number].startswith(place + b"/")


def _list_files(place: bytes, *, deep: bool) -> Iterator[tuple[bytes, int]]:
    """Yield the files and symlinks at or below a place, with their sizes; nothing where there is none."""
    if os.path.isfile(place) or os.path.islink(place):
        yield place, os.lstat(place).st_size
        return
    for folder, folders, names in os.walk(place):
        if not deep:
            folders.clear()
        for name in (*names, *(name for name in folders if os.path.islink(os.path.join(folder, name)))):
            path = os.path.join(folder, name)
            try:
                yield path, os.lstat(path).st_size
            except OSError:
                continue


def _weigh(files: Iterable[tuple[bytes, int]]) -> tuple[tuple[bytes, ...], int]:
    found = sorted(set(files))
    return tuple(path for path, _ in found), sum(size for _, size in found)
