"""Python distributions that are used where they are developed: `pip install --editable`, `setup.py develop`.

See PEP 660; the ``*.egg-link`` files of older setuptools hold the folder themselves.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.packages.language.sites import SITE, describe, list_distributions, read_address
from rtrace.packages.model import EDITABLE as REASON
from rtrace.packages.model import Installed, PathManager

if TYPE_CHECKING:
    from collections.abc import Collection


class Editable:
    """The distributions that the site folders of some paths name, and that are developed elsewhere."""

    def __init__(self, used: Collection[bytes]) -> None:
        self._used = used

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that lie where a distribution is developed."""
        sources: dict[bytes, Installed] = {}
        for site in sorted({match[1] for path in self._used if (match := SITE.match(path))}):
            sources = {**_find_linked(site), **sources, **_find_addressed(site)}
        return {
            path: owner
            for source, owner in sources.items()
            for path in paths
            if path.startswith(source.rstrip(b"/") + b"/")
        }


def _find_addressed(site: bytes) -> dict[bytes, Installed]:
    from urllib.parse import unquote

    found = {}
    for folder in list_distributions(site):
        address = read_address(site, folder)
        if "editable" in address and address["url"].startswith("file://"):
            found[os.fsencode(unquote(address["url"][len("file://") :]))] = describe(site, folder, ())
    return found


def _find_linked(site: bytes) -> dict[bytes, Installed]:
    from rtrace.packages.language.eggs import read_links

    return {
        source: Installed(link, "develop", "any", "python", source.decode(errors="replace"))
        for link, source in read_links(site)
    }


EDITABLE = PathManager(
    "editable",
    lambda unowned: any(b"-packages/" in path for path in unowned.used),
    lambda unowned: Editable([path for path in unowned.used if b"-packages/" in path]),
    REASON,
)
