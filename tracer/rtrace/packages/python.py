"""Python distributions, as pip and its kin install them: ``*.dist-info`` folders with a RECORD of every file.

See the PyPA specifications "Recording installed projects" and "Binary distribution format". Only the folders of
distributions in a site-packages or dist-packages folder that is asked about are read.
"""

from __future__ import annotations

import csv
import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.attribution import Installed
from rtrace.packages.generated import find_source

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

SITE = re.compile(rb"(.*/(?:site|dist)-packages)/([^/]+)")
"""A file of a site folder: the folder, and the first component below it."""
_ANY = "any"


class Python:
    """The distributions of every site folder that a path lies in."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that a distribution has installed, or compiled since.

        What no RECORD lists belongs to the distribution that alone has files in the same folder of the site.
        """
        sites: dict[bytes, dict[bytes, list[bytes]]] = {}
        for path in paths:
            match = SITE.match(path)
            if match:
                sites.setdefault(match[1], {}).setdefault(find_source(path), []).append(path)
        owners: dict[bytes, Installed] = {}
        names: set[str] = set()
        for site, wanted in sorted(sites.items()):
            tops: dict[bytes, set[Installed]] = {}
            for folder in list_distributions(site):
                owner = _describe(site, folder, names)
                names.add(owner.name)
                for path, _ in read_record(site, folder):
                    for asked in wanted.get(path, ()):
                        owners[asked] = owner
                    match = SITE.match(path)
                    if match and match[1] == site:
                        tops.setdefault(match[2], set()).add(owner)
            for asked_for in wanted.values():
                for asked in asked_for:
                    match = SITE.match(asked)
                    claims = tops.get(match[2], set()) if match else set()
                    if asked not in owners and len(claims) == 1:
                        (owners[asked],) = claims
        return owners


def list_distributions(site: bytes) -> list[bytes]:
    """Name the ``*.dist-info`` folders of a site folder, sorted; none where it cannot be read."""
    try:
        return sorted(name for name in os.listdir(site) if name.endswith(b".dist-info"))
    except OSError:
        return []


def read_record(site: bytes, folder: bytes) -> list[tuple[bytes, int]]:
    """Read the files of a distribution, as absolute paths, and their sizes in bytes; nothing when it has no RECORD."""
    try:
        with open(
            os.path.join(site, folder, b"RECORD"), encoding="utf-8", errors="surrogateescape", newline=""
        ) as file:
            rows = [row for row in csv.reader(file) if len(row) == 3]  # noqa: PLR2004 - path, digest, size
    except (OSError, csv.Error):
        return []
    beginning = site + b"/"
    return [
        (
            beginning + os.fsencode(name) if not name.startswith((".", "/")) else _resolve(site, os.fsencode(name)),
            int(size) if size.isdigit() else 0,
        )
        for name, _, size in rows
    ]


def split_name(folder: bytes) -> tuple[str, str]:
    """Take the name and the version of a distribution from the name of its ``*.dist-info`` folder."""
    name, _, version = folder.removesuffix(b".dist-info").decode(errors="backslashreplace").partition("-")
    return name, version


def _resolve(site: bytes, name: bytes) -> bytes:
    return os.path.normpath(os.path.join(site, name))


def _describe(site: bytes, folder: bytes, taken: Collection[str]) -> Installed:
    """Describe a distribution; one of a name that another site has, too, tells its site as well."""
    name, version = split_name(folder)
    if name in taken:
        name = f"{name} in {site.decode(errors='backslashreplace')}"
    tags = [line.rpartition("-")[2] for line in _read_wheel(site, folder) if line.startswith("Tag:")]
    return Installed(name, version, tags[0] if tags else _ANY, "python")


def _read_wheel(site: bytes, folder: bytes) -> Iterator[str]:
    try:
        with open(os.path.join(site, folder, b"WHEEL"), encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return
