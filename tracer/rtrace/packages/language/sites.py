"""Site folders of Python, and the ``*.dist-info`` folders of distributions in them.

See the PyPA specifications "Recording installed projects" and "Binary distribution format".
"""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.model import Installed
from rtrace.packages.prefixes import find_wheel_prefixes

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

SITE = re.compile(rb"(.*/(?:site|dist)-packages)/([^/]+)")
"""A file of a site folder: the folder, and the first component below it."""
_ANY = "any"


def find_sites(folders: Iterable[bytes]) -> list[bytes]:
    """Return the site folders below the prefixes of folders in which wheels put programs and data, sorted."""
    sites = []
    for prefix in sorted(find_wheel_prefixes(folders)):
        for place in (prefix + b"/lib", prefix + b"/local/lib"):
            try:
                versions = [name for name in os.listdir(place) if name.startswith((b"python", b"pypy"))]
            except OSError:  # ENOENT: no Python has this prefix
                continue
            candidates = [
                b"%b/%b/%b-packages" % (place, name, kind) for name in versions for kind in (b"site", b"dist")
            ]
            sites += [site for site in candidates if os.path.isdir(site)]
    return sorted(sites)


def list_distributions(site: bytes) -> list[bytes]:
    """Return the ``*.dist-info`` folders of a site folder, sorted; none where it cannot be read."""
    try:
        return sorted(name for name in os.listdir(site) if name.endswith(b".dist-info"))
    except OSError:
        return []


def read_record(site: bytes, folder: bytes) -> list[tuple[bytes, int]]:
    """Read the files of a distribution, as absolute paths, and their sizes in bytes; nothing when it has no RECORD."""
    try:
        with open(os.path.join(site, folder, b"RECORD"), "rb") as file:
            content = file.read()
    except OSError:  # ENOENT: not installed by a tool that writes one
        return []
    # What has no quotes has no commas in its fields: five times as fast without the module csv.
    rows = _read_quoted(content) if b'"' in content else [line.split(b",") for line in content.splitlines()]
    beginning = site + b"/"
    return [
        (
            _resolve(site, row[0]) if row[0].startswith((b".", b"/")) else beginning + row[0],
            int(row[2]) if row[2].isdigit() else 0,
        )
        for row in rows
        if len(row) == 3  # noqa: PLR2004 -- path, digest, size
    ]


def _read_quoted(content: bytes) -> list[list[bytes]]:
    """Read comma-separated values, some in quotes; nothing where that is impossible."""
    import csv
    from io import StringIO

    try:
        return [list(map(os.fsencode, row)) for row in csv.reader(StringIO(os.fsdecode(content), newline=""))]
    except csv.Error:
        return []


def split_name(folder: bytes) -> tuple[str, str]:
    """Take the name and the version of a distribution from the name of its ``*.dist-info`` folder."""
    name, _, version = folder.removesuffix(b".dist-info").decode(errors="backslashreplace").partition("-")
    return name, version


def _resolve(site: bytes, name: bytes) -> bytes:
    return os.path.normpath(os.path.join(site, name))


def describe(site: bytes, folder: bytes, taken: Collection[str]) -> Installed:
    """Describe a distribution."""
    name, version = split_name(folder)
    tags = [line.rpartition("-")[2] for line in _read_wheel(site, folder) if line.startswith("Tag:")]
    address = read_address(site, folder)
    origin = "@".join(filter(None, (address.get("url"), address.get("commit"))))
    return name_apart(Installed(name, version, tags[0] if tags else _ANY, "python", origin), site, taken)


def name_apart(owner: Installed, site: bytes, taken: Collection[str]) -> Installed:
    """Add the site folder to a name that occurs in two sites."""
    if owner.name not in taken:
        return owner
    return owner._replace(name=f"{owner.name} in {site.decode(errors='backslashreplace')}")


def read_address(site: bytes, folder: bytes) -> dict[str, str]:
    """Read where a distribution came from, if it was no index: its url, commit, and ``editable`` if it is used there.

    See the PyPA specification "Recording the Direct URL Origin of installed distributions".
    """
    import json

    try:
        with open(os.path.join(site, folder, b"direct_url.json"), "rb") as file:
            found = json.load(file)
        address = {"url": str(found["url"])}
        if "vcs_info" in found:
            address["commit"] = str(found["vcs_info"]["commit_id"])
        if found.get("dir_info", {}).get("editable") is True:
            address["editable"] = "yes"
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}
    return address


def _read_wheel(site: bytes, folder: bytes) -> Iterator[str]:
    try:
        with open(os.path.join(site, folder, b"WHEEL"), encoding="utf-8", errors="replace") as file:
            yield from (line.rstrip("\n") for line in file)
    except OSError:
        return
