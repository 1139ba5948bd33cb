"""Files that are byte for byte as a wheel brought them, by the digests in RECORD.

See the PyPA specification "Recording installed projects".
"""

from __future__ import annotations

import base64
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace.files.reading import hash_file
from rtrace.packages.language.sites import SITE, list_distributions

if TYPE_CHECKING:
    from rtrace.packages.model import PackageVersion

_LARGEST = 1 << 26
"""Bytes of a RECORD that are read."""
_BY_INSTALLER = tuple(b".dist-info/" + name for name in (b"RECORD", b"INSTALLER", b"REQUESTED", b"direct_url.json"))


def is_as_shipped(_package: PackageVersion, path: bytes, content: bytes) -> bool:
    """Whether the file ``content`` has the SHA-256 that a wheel says of a path."""
    match = SITE.match(path)
    if match is None:
        return False
    digest = _read_records(match[1]).get(path[len(match[1]) + 1 :])
    return digest is not None and hash_file(content) == digest


@lru_cache(maxsize=8)
def _read_records(site: bytes) -> dict[bytes, bytes]:
    """Read the SHA-256 of what the wheels of a site folder hold: not of what an installer adds to it."""
    found: dict[bytes, bytes] = {}
    for folder in list_distributions(site):
        try:
            with open(os.path.join(site, folder, b"RECORD"), "rb") as file:
                lines = file.read(_LARGEST).splitlines()
        except OSError:  # ENOENT: not installed by a tool that writes one
            continue
        for line in lines:
            name, _, rest = line.partition(b",sha256=")
            by_installer = name.startswith((b".", b"/")) or name.endswith(_BY_INSTALLER)
            if rest and b'"' not in name and not by_installer:
                encoded = rest.partition(b",")[0]
                found[name] = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    return found
