"""Python distributions, as pip and its kin install them: ``*.dist-info`` folders with a RECORD of every file.

See the PyPA specifications "Recording installed projects" and "Binary distribution format". Only the folders of
distributions in a site-packages or dist-packages folder that is asked about are read.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.packages.generated import find_source
from rtrace.packages.language.sites import SITE, describe, find_sites, list_distributions, name_apart, read_record
from rtrace.packages.model import Installed, PackageVersion, PathManager
from rtrace.packages.prefixes import group_by_folder

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable


class Python:
    """The distributions of every site folder that a path lies in."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that a distribution has installed, or compiled since.

        What no RECORD lists belongs to the distribution that alone has files in the same folder of the site. Programs
        and data outside of the site folder are looked for below its prefix.
        """
        from rtrace.packages.language.eggs import read_eggs

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
                owner = describe(site, folder, names)
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
                owner = name_apart(egg.owner, site, names)
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


def _find_outside(
    outside: Collection[bytes], sites: Iterable[bytes], owners: dict[bytes, Installed], names: set[str]
) -> None:
    """Add the owners of programs and data outside of site folders, where nothing else in the site folder was used."""
    for site in sites:
        for folder in list_distributions(site):
            listed = {path for path, _ in read_record(site, folder) if path in outside and path not in owners}
            if listed:
                owner = describe(site, folder, names)
                names.add(owner.name)
                owners.update(dict.fromkeys(listed, owner))


def _is_as_shipped(package: PackageVersion, path: bytes, content: bytes) -> bool:
    from rtrace.packages.language.python_records import is_as_shipped

    return is_as_shipped(package, path, content)


PYTHON = PathManager(
    "python", lambda unowned: unowned.has_site, lambda _unowned: Python(), is_as_shipped=_is_as_shipped
)
