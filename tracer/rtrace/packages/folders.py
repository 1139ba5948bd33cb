"""Packages that are a folder each, which says itself what it is: npm's, R's and RubyGems'.

See package.json of npm's documentation, "Writing R Extensions" on DESCRIPTION, and the Gem::Specification reference.
"""

from __future__ import annotations

import json
import os
import re
from typing import TYPE_CHECKING

from rtrace.packages.attribution import Installed

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_ANY = "any"
_LIMIT = 1 << 20
"""Bytes of a description; a longer one is none."""
_NPM = re.compile(rb"(.*/node_modules/(?:@[^/]+/)?[^/@][^/]*)/")
_R = re.compile(rb"(.*/(?:site-library|library)/[A-Za-z][A-Za-z0-9.]*)/")
_GEM = re.compile(rb"(.*/gems/([^/]+?)-(\d[^/-]*)(?:-([^/]+))?)/")


class Folders:
    """The packages whose folders the paths lie in, the innermost one each."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Give the owners of those of the paths that lie in such a folder; each folder is read once."""
        known: dict[bytes, Installed | None] = {}
        owners: dict[bytes, Installed] = {}
        for path in paths:
            for pattern, describe in _KINDS:
                match = pattern.match(path)
                if match is None:
                    continue
                if match[1] not in known:
                    known[match[1]] = describe(match)
                owner = known[match[1]]
                if owner is not None:
                    owners[path] = owner
                    break
        return owners


def _describe_npm(match: re.Match[bytes]) -> Installed | None:
    try:
        facts = json.loads(_read(os.path.join(match[1], b"package.json")))
        name, version = facts["name"], facts["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    folder = os.path.dirname(match[1])
    if folder.count(b"/node_modules") > 1:  # another version, for one package alone: names are unique
        name = f"{name} in {folder.decode(errors='backslashreplace')}"
    return Installed(name, version, _ANY, "npm")


def _describe_r(match: re.Match[bytes]) -> Installed | None:
    text = _read(os.path.join(match[1], b"DESCRIPTION")).decode(errors="replace")
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line[:1].isspace())
    if "Package" not in fields or "Version" not in fields:
        return None
    built = fields.get("Built", "").split("; ")
    return Installed(fields["Package"], fields["Version"], built[1] if len(built) > 1 and built[1] else _ANY, "R")


def _describe_gem(match: re.Match[bytes]) -> Installed | None:
    specifications = os.path.join(os.path.dirname(os.path.dirname(match[1])), b"specifications")
    if not os.path.exists(os.path.join(specifications, os.path.basename(match[1]) + b".gemspec")):
        return None
    name, version, platform = (part.decode(errors="backslashreplace") if part else _ANY for part in match.groups()[1:])
    return Installed(name, version, platform, "gem")


def _read(path: bytes) -> bytes:
    try:
        with open(path, "rb") as file:
            content = file.read(_LIMIT + 1)
    except OSError:
        return b""
    return content if len(content) <= _LIMIT else b""


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], Installed | None]], ...] = (
    (_NPM, _describe_npm),
    (_R, _describe_r),
    (_GEM, _describe_gem),
)
