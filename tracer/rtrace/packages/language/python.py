"""Python distributions, as pip and its kin install them: ``*.dist-info`` folders with a RECORD of every file.

See the PyPA specifications "Recording installed projects" and "Binary distribution format". Only the folders of
distributions in a site-packages or dist-packages folder that is asked about are read.
"""

from __future__ import annotations

import csv
import json
import os
import re
from io import StringIO
from typing import TYPE_CHECKING
from urllib.parse import unquote

from rtrace.packages.generated import find_source
from rtrace.packages.language.eggs import read_eggs, read_links
from rtrace.packages.model import Installed
from rtrace.packages.prefixes import find_wheel_prefixes, group_by_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

SITE = re.compile(rb"(.*/(?:site|dist)-packages)/([^/]+)")
"""A file of a site folder: the folder, and the first component below it."""
_ANY = "any"


class Python:
    """The distributions of every site folder that a path lies in."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that a distribution has installed, or compiled since.

        What no RECORD lists belongs to the distribution that alone has files in the same folder of the site. Programs
        and data outside of the site folder are looked for below its prefix.
        """
        sites: dict[bytes, dict[bytes, list[bytes]]] = {}
        for path in paths:
            match = SITE.match(path) if b"-packages/" in path else None
            if match:
                sites.setdefault(match[1], {}).setdefault(find_source(path), []).append(path)
        outside = {path for path in paths if b"-packages/" not in path}
        owners: dict[bytes, Installed] = {}
        names: set[str] = set()
        for site, wanted in sorted(sites.items()):
            tops: dict[bytes, set[Installed]] = {}
            for folder in list_distributions(site):
                owner = _describe(site, folder, names)
                names.add(owner.name)
                record = [path for path, _ in read_record(site, folder)]
                for path in wanted.keys() & record:
                    owners.update(dict.fromkeys(wanted[path], owner))
                owners.update(dict.fromkeys(outside.intersection(record) - owners.keys(), owner))
                beginning = site + b"/"
                inside = [path[len(beginning) :] for path in record if path.startswith(beginning)]
                for top in {name.partition(b"/")[0] for name in inside}:
                    tops.setdefault(top, set()).add(owner)
            for egg in read_eggs(site):
                owner = _name(egg.owner, site, names)
                names.add(owner.name)
                for path in egg.files & wanted.keys():
                    owners.update((asked, owner) for asked in wanted[path] if asked not in owners)
                for top in egg.tops:
                    tops.setdefault(top, set()).add(owner)
            for asked_for in wanted.values():
                for asked in asked_for:
                    match = SITE.match(asked)
                    claims = tops.get(match[2], set()) if match else set()
                    if asked not in owners and len(claims) == 1:
                        (owners[asked],) = claims
        others = [site for site in find_sites(group_by_folder(outside)) if site not in sites]
        _find_outside(outside, others, owners, names)
        return owners


def find_sites(folders: Iterable[bytes]) -> list[bytes]:
    """Name the site folders below the prefixes of folders in which wheels put programs and data, sorted."""
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


def _find_outside(
    outside: Collection[bytes], sites: Iterable[bytes], owners: dict[bytes, Installed], names: set[str]
) -> None:
    """Add the owners of programs and data outside of site folders of which nothing else was used."""
    for site in sites:
        for folder in list_distributions(site):
            listed = {path for path, _ in read_record(site, folder) if path in outside and path not in owners}
            if listed:
                owner = _describe(site, folder, names)
                names.add(owner.name)
                owners.update(dict.fromkeys(listed, owner))


def find_editable(paths: Collection[bytes], asked: Collection[bytes]) -> dict[bytes, Installed]:
    """Give the owners of those of the paths that lie where a distribution is developed that a site folder names.

    The site folders are those of ``asked``. See PEP 660; ``*.egg-link`` of older setuptools hold the folder themselves.
    """
    sources: dict[bytes, Installed] = {}
    for site in sorted({match[1] for path in asked if (match := SITE.match(path))}):
        for folder in list_distributions(site):
            address = read_address(site, folder)
            if "editable" in address and address["url"].startswith("file://"):
                sources[os.fsencode(unquote(address["url"][len("file://") :]))] = _describe(site, folder, ())
        for link, source in read_links(site):
            sources.setdefault(source, Installed(link, "develop", _ANY, "python", source.decode(errors="replace")))
    return {
        path: owner
        for source, owner in sources.items()
        for path in paths
        if path.startswith(source.rstrip(b"/") + b"/")
    }


def list_distributions(site: bytes) -> list[bytes]:
    """Name the ``*.dist-info`` folders of a site folder, sorted; none where it cannot be read."""
    try:
        return sorted(name for name in os.listdir(site) if name.endswith(b".dist-info"))
    except OSError:
        return []


def read_record(site: bytes, folder: bytes) -> list[tuple[bytes, int]]:
    """Read the files of a distribution, as absolute paths, and their sizes in bytes; nothing when it has no RECORD."""
    try:
        with open(os.path.join(site, folder, b"RECORD"), "rb") as file:
            content = file.read()
        if b'"' in content:
            text = csv.reader(StringIO(os.fsdecode(content), newline=""))
            rows = [[os.fsencode(field) for field in row] for row in text]
        else:  # what has no quotes has no commas in its fields: five times as fast without the module csv
            rows = [line.split(b",") for line in content.splitlines()]
    except (OSError, csv.Error):
        return []
    beginning = site + b"/"
    return [
        (
            _resolve(site, row[0]) if row[0].startswith((b".", b"/")) else beginning + row[0],
            int(row[2]) if row[2].isdigit() else 0,
        )
        for row in rows
        if len(row) == 3  # noqa: PLR2004 -- path, digest, size
    ]


def split_name(folder: bytes) -> tuple[str, str]:
    """Take the name and the version of a distribution from the name of its ``*.dist-info`` folder."""
    name, _, version = folder.removesuffix(b".dist-info").decode(errors="backslashreplace").partition("-")
    return name, version


def _resolve(site: bytes, name: bytes) -> bytes:
    return os.path.normpath(os.path.join(site, name))


def _describe(site: bytes, folder: bytes, taken: Collection[str]) -> Installed:
    """Describe a distribution."""
    name, version = split_name(folder)
    tags = [line.rpartition("-")[2] for line in _read_wheel(site, folder) if line.startswith("Tag:")]
    address = read_address(site, folder)
    origin = "@".join(filter(None, (address.get("url"), address.get("commit"))))
    return _name(Installed(name, version, tags[0] if tags else _ANY, "python", origin), site, taken)


def _name(owner: Installed, site: bytes, taken: Collection[str]) -> Installed:
    """Let a distribution of a name that another site has, too, tell its site as well."""
    if owner.name not in taken:
        return owner
    return owner._replace(name=f"{owner.name} in {site.decode(errors='backslashreplace')}")


def read_address(site: bytes, folder: bytes) -> dict[str, str]:
    """Read where a distribution came from, if it was no index: its url, commit, and ``editable`` if it is used there.

    See the PyPA specification "Recording the Direct URL Origin of installed distributions".
    """
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
