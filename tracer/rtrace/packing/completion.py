"""What programs that load lazily need next time although this run did not touch it.

Each rule adds the rest of something of which the run used a part: a Python distribution, a folder of plugins, time
zones, certificates, locales. What a rule adds is shown in the manifest with its size and a switch of its own.
"""

from __future__ import annotations

import os
import re
from bisect import bisect_left
from typing import TYPE_CHECKING, NamedTuple

from rtrace.packages.generated import find_source
from rtrace.packages.python import SITE, list_distributions, read_record, split_name

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Sequence

COMPLETION = "completion"
"""The reason why such a file is in a bundle."""
CHEAP = 64 << 20
"""Bytes that a rule may add unasked."""

_PLUGINS = re.compile(
    rb"/(?:plugins|loaders|gconv|coders|engines-\d[\d.]*|ossl-modules|sasl2|gio/modules|security|[^/]*-modules"
    rb"|modules-[^/]+|(?:platforms|imageformats|styles|iconengines|sqldrivers|bearer)|libnss|pkcs11|girepository-1\.0)$"
)
"""Folders from which programs load what a setting or an input asks for, by the end of their path."""
_SHARED = (
    ("timezone", (b"/etc/localtime", b"/usr/share/zoneinfo"), (b"/usr/share/zoneinfo",)),
    (
        "certificates",
        (b"/etc/ssl", b"/etc/pki", b"/usr/lib/ssl", b"/usr/share/ca-certificates"),
        (b"/etc/ssl/certs", b"/etc/ssl/openssl.cnf", b"/etc/pki/tls/certs", b"/usr/share/ca-certificates"),
    ),
    ("locale", (b"/usr/lib/locale", b"/usr/share/locale/locale.alias"), (b"/usr/lib/locale",)),
)
"""Data of the system by rule: what shows that a run uses it, and what is added then. See tzset(3), locale(7)."""


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


def complete(used: Collection[bytes], known: Collection[bytes]) -> list[Addition]:
    """Say what would complete the files that a run read or executed (``used``, resolved); ``known`` are traced already.

    Sorted by rule and name. What is no longer there, or cannot be read, is left out.
    """
    text = b"\0".join(used)  # tells at one look which rules concern none of the files
    rules = (
        (b".pyc", _complete_sources),
        (b"-packages/", _complete_python),
        (b".so", _complete_plugins),
        (b"", _complete_shared),
    )
    additions = [addition for mark, rule in rules if mark in text for addition in rule(used, known)]
    return sorted(addition for addition in additions if addition.paths)


def _complete_python(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add the rest of each Python distribution of which a module was imported, as its RECORD lists it.

    See the PyPA specification "Recording installed projects". Compiled files of others come and go, and stay out.
    """
    modules: dict[bytes, set[bytes]] = {}
    for path in used:
        match = SITE.match(path) if b"-packages/" in path else None
        if match:
            modules.setdefault(match[1], set()).add(match[2])
    for site, names in sorted(modules.items()):
        for folder in list_distributions(site):
            record = read_record(site, folder)
            if any(path[len(site) + 1 :].split(b"/", 1)[0] in names for path, _ in record if path.startswith(site)):
                files = [(path, size) for path, size in record if path not in known and not path.endswith(b".pyc")]
                yield Addition("python", " ".join(split_name(folder)), *_weigh(files))


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


def _complete_shared(used: Iterable[bytes], known: Collection[bytes]) -> Iterator[Addition]:
    """Add data of the system of which a run used a part."""
    used = sorted(used)
    for rule, signs, places in _SHARED:
        if any(_has(used, sign) for sign in signs):
            for place in places:
                files = [(path, size) for path, size in _list_files(place, deep=True) if path not in known]
                yield Addition(rule, place.decode(), *_weigh(files))


def _has(ordered: Sequence[bytes], place: bytes) -> bool:
    """Tell whether a place, or a path below it, is among some paths."""
    for first in (place, place + b"/"):
        number = bisect_left(ordered, first)
        if number < len(ordered) and (ordered[number] == place or ordered[number].startswith(place + b"/")):
            return True
    return False


def _list_files(place: bytes, *, deep: bool) -> Iterator[tuple[bytes, int]]:
    """Give the files and symlinks at or below a place, with their sizes; nothing where there is none."""
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
