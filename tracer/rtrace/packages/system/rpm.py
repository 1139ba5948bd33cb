"""Packages of rpm, from its database: every header is read once, in bulk.

The database is SQLite since rpm 4.16, which is read directly. Of the others (ndb, Berkeley DB) `rpm -qa` is asked,
once, if there is one: it tells which format it is, and runs no code of the root it looks at.
"""

from __future__ import annotations

import os
from contextlib import closing
from typing import TYPE_CHECKING

from rtrace.packages.model import ArchiveCache, Installed, PackageVersion, SystemManager
from rtrace.packages.system.aliases import Aliases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from rtrace.packages.system.rpm_header import Header

_FOLDERS = (b"usr/lib/sysimage/rpm", b"var/lib/rpm")
_SQLITE = b"rpmdb.sqlite"
_OTHERS = (b"Packages.db", b"Packages")
_QUERY = (
    b"[%{=NAME}\\t%{=EPOCHNUM}\\t%{=VERSION}\\t%{=RELEASE}\\t%{=ARCH}\\t%{=VENDOR}\\t%{=SOURCERPM}\\t%{FILENAMES}\\n]"
)
_FACTS = 7
"""Columns of the query before the name of the file."""
_TIMEOUT = 60
"""Seconds that rpm gets to answer."""


class Rpm:
    """rpm's database below a root."""

    def __init__(self, root: bytes = b"/") -> None:
        self._root = root

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that have one; none where there is no rpm."""
        folders: dict[bytes, dict[bytes, list[bytes]]] = {}
        for name, asked in Aliases(self._root).index(paths).items():
            folder, _, base = name.rpartition(b"/")
            folders.setdefault(folder + b"/", {}).setdefault(base, []).extend(asked)
        owners: dict[bytes, Installed] = {}
        names: dict[str, Installed] = {}
        for header in self._read_headers():
            found = [path for name in header.find_files(folders) for path in name if path not in owners]
            if found:
                owner = _describe(header)
                if names.setdefault(owner.name, owner) != owner:  # of several architectures, or kernels
                    owner = owner._replace(name=f"{owner.name}-{owner.version}.{owner.architecture}")
                owners.update(dict.fromkeys(found, owner))
        return owners

    def _read_headers(self) -> Iterator[Header]:
        """Read the headers of all installed packages, from the first database that there is."""
        from rtrace.packages.system.rpm_header import NotAHeaderError, parse_header

        for folder in (os.path.join(self._root, name) for name in _FOLDERS):
            database = os.path.join(folder, _SQLITE)
            if os.path.isfile(database):
                for blob in _read_sqlite(database):
                    try:
                        yield parse_header(blob)
                    except NotAHeaderError:
                        continue  # one broken package does not hide the others
                return
            if any(os.path.isfile(os.path.join(folder, name)) for name in _OTHERS):
                yield from ask_rpm(self._root, folder)
                return


def ask_rpm(root: bytes, folder: bytes) -> Iterator[Header]:
    """Ask rpm for all files of all packages below a root; nothing without an rpm that can tell."""
    import subprocess

    from rtrace.packages.system.rpm_header import make_header

    argv = (b"rpm", b"--root", root, b"--dbpath", b"/" + os.path.relpath(folder, root), b"-qa", b"--qf", _QUERY)
    try:
        done = subprocess.run(argv, check=False, capture_output=True, stdin=subprocess.DEVNULL, timeout=_TIMEOUT)
    except (OSError, subprocess.TimeoutExpired):
        return
    packages: dict[tuple[bytes, ...], list[bytes]] = {}
    for line in done.stdout.split(b"\n"):
        *facts, path = line.split(b"\t", _FACTS)
        if len(facts) == _FACTS:
            packages.setdefault(tuple(facts), []).append(path)
    for known, files in packages.items():
        yield make_header(known, files)


def _read_sqlite(database: bytes) -> Iterator[bytes]:
    """Read the headers in a database of SQLite, and leave no file beside it that was not there."""
    import sqlite3
    from urllib.parse import quote

    # Without a log beside it, nobody is writing; and opening it otherwise would make one.
    log = os.path.exists(database + b"-wal") and os.path.getsize(database + b"-wal") > 0
    address = f"file:{quote(database)}?{'mode=ro' if log else 'immutable=1'}"
    try:
        with closing(sqlite3.connect(address, uri=True)) as connection:
            for (blob,) in connection.execute("SELECT blob FROM Packages ORDER BY hnum"):
                if isinstance(blob, bytes):
                    yield blob
    except sqlite3.Error:
        return


def _describe(header: Header) -> Installed:
    version = f"{header.version}-{header.release}"
    if header.epoch:
        version = f"{header.epoch}:{version}"
    origin = ", ".join(filter(None, (header.vendor, header.source)))
    return Installed(header.name, version, header.architecture, "rpm", origin)


def _name_archive(package: PackageVersion) -> str:
    name = package.name.removesuffix(f"-{package.version}.{package.architecture}")  # one of several architectures
    return f"{name}-{package.version.rpartition(':')[2]}.{package.architecture}.rpm"


RPM = SystemManager(
    "rpm",
    tuple(b"/%b/%b" % (folder, name) for folder in _FOLDERS for name in (_SQLITE, *_OTHERS)),
    Rpm,
    ArchiveCache(
        ("/var/cache/dnf", "/var/cache/libdnf5", "/var/cache/yum", "/var/cache/zypp"),
        _name_archive,
        ("rpm2cpio", "{archive}"),
        content="cpio",
        nested=True,  # each tool has folders of its own in its cache, one for a repository
    ),
)
