"""What dpkg keeps of one installed package: the list of its files, and an MD5 of all but configuration files.

See dpkg's deb-md5sums(5).
"""

from __future__ import annotations

import os
from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace.files.hierarchy import list_names
from rtrace.files.reading import hash_file

if TYPE_CHECKING:
    from rtrace.packages.model import PackageVersion

_FOLDER = "/var/lib/dpkg/info"
_DIGEST = 32
"""Hexadecimal digits of an MD5; two spaces and a path without its first slash follow."""


def is_listed(package: PackageVersion, path: bytes) -> bool | None:
    """Whether a package installs a path; None where the package is not installed."""
    listed = _read_list(package.name, package.architecture)
    return None if listed is None else any(name in listed for name in list_names(path))


def is_as_shipped(package: PackageVersion, path: bytes, content: bytes) -> bool:
    """Whether the file ``content`` has the MD5 that the installed package says of a path."""
    sums = _read_sums(package.name, package.architecture)
    expected = next((sums[name[1:]] for name in list_names(path) if name[1:] in sums), None)
    return expected is not None and hash_file(content, "md5") == bytes.fromhex(expected.decode())


@lru_cache(maxsize=64)
def _read_list(name: str, architecture: str) -> frozenset[bytes] | None:
    lines = _read_lines(name, architecture, "list")
    return None if lines is None else frozenset(lines)


@lru_cache(maxsize=64)
def _read_sums(name: str, architecture: str) -> dict[bytes, bytes]:
    lines = _read_lines(name, architecture, "md5sums") or ()
    return {line[_DIGEST + 2 :]: line[:_DIGEST] for line in lines}


def _read_lines(name: str, architecture: str, kind: str) -> list[bytes] | None:
    """Return the lines of one of dpkg's files on a package, which may have its architecture in its name."""
    for called in (name, f"{name.partition(':')[0]}:{architecture}"):
        try:
            with open(os.path.join(_FOLDER, f"{called}.{kind}"), "rb") as file:
                return file.read().split(b"\n")[:-1]
        except OSError:  # ENOENT: it is called otherwise, or is not installed
            continue
    return None
