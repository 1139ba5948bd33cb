"""Files that are byte for byte as their package brought them, by the digests that its manager keeps.

dpkg has an MD5 of all but configuration files, see dpkg's deb-md5sums(5); a Python distribution has digests of what its
wheel holds in RECORD, see the PyPA specification "Recording installed projects".
"""

from __future__ import annotations

import base64
import hashlib
import os
from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace.packages.language.python import SITE, list_distributions
from rtrace.packages.system.dpkg import MERGED

if TYPE_CHECKING:
    from collections.abc import Callable

    from rtrace.manifest.model import Package

_DPKG = "/var/lib/dpkg/info"
_PART = 1 << 20
_LARGEST_LIST = 1 << 26
_BY_INSTALLER = tuple(b".dist-info/" + name for name in (b"RECORD", b"INSTALLER", b"REQUESTED", b"direct_url.json"))


def is_as_shipped(path: bytes, content: bytes, package: Package) -> bool:
    """Whether the file ``content`` is what a package brought for a path; no for what nobody can tell."""
    if package.manager == "dpkg":
        sums = _read_md5sums(package.name, package.architecture)
        expected = next((sums[name[1:]] for name in _give_names(path) if name[1:] in sums), None)
        return expected is not None and _hash(content, hashlib.md5) == bytes.fromhex(expected.decode())
    match = SITE.match(path) if package.manager == "python" else None
    if match is None:
        return False
    digest = _read_records(match[1]).get(path[len(match[1]) + 1 :])
    return digest is not None and _hash(content, hashlib.sha256) == digest


def _give_names(path: bytes) -> list[bytes]:
    """Give the names by which a package may have a path, /usr merged or not."""
    merged = path.startswith(tuple(b"/usr/" + folder + b"/" for folder in MERGED))
    return [path, path[len(b"/usr") :]] if merged else [path]


@lru_cache(maxsize=64)
def _read_md5sums(name: str, architecture: str) -> dict[bytes, bytes]:
    for called in (name, f"{name.partition(':')[0]}:{architecture}"):
        try:
            with open(os.path.join(_DPKG, f"{called}.md5sums"), "rb") as sums:
                return {line[34:].rstrip(b"\n"): line[:32] for line in sums}
        except OSError:  # ENOENT: it is called otherwise, or has no files
            continue
    return {}


@lru_cache(maxsize=8)
def _read_records(site: bytes) -> dict[bytes, bytes]:
    """Read the SHA-256 of what the wheels of a site folder hold: not of what an installer adds to it."""
    found: dict[bytes, bytes] = {}
    for folder in list_distributions(site):
        try:
            with open(os.path.join(site, folder, b"RECORD"), "rb") as file:
                lines = file.read(_LARGEST_LIST).splitlines()
        except OSError:  # ENOENT: not installed by a tool that writes one
            continue
        for line in lines:
            name, _, rest = line.partition(b",sha256=")
            by_installer = name.startswith((b".", b"/")) or name.endswith(_BY_INSTALLER)
            if rest and b'"' not in name and not by_installer:
                encoded = rest.partition(b",")[0]
                found[name] = base64.urlsafe_b64decode(encoded + b"=" * (-len(encoded) % 4))
    return found


def _hash(path: bytes, make: Callable[..., hashlib._Hash]) -> bytes | None:
    digest = make(usedforsecurity=False)
    try:
        with open(path, "rb", buffering=0) as file:
            while part := file.read(_PART):
                digest.update(part)
    except OSError:  # gone or unreadable since: nobody can tell
        return None
    return digest.digest()
