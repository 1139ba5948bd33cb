"""Packages that are a folder each, with a description in it: npm's, R's and RubyGems'.

See package.json of npm's documentation, "Writing R Extensions" on DESCRIPTION, and the Gem::Specification reference.
"""

from __future__ import annotations

import os
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from rtrace.files.reading import read_file
from rtrace.packages.model import Installed, PathManager
from rtrace.packages.prefixes import group_by_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

_ANY = "any"
_LIMIT = 1 << 20
"""Bytes of the largest description that is read; larger ones are ignored."""
_NPM = re.compile(rb"(.*/node_modules/(?:@[^/]+/)?[^/@][^/]*)/")
_R = re.compile(
    rb"(.*/(?:site-library|library|[^/]*-library/\d[\d.]*|renv/library(?:/[^/]+){1,3}|renv/cache/v\d+(?:/[^/]+){5})"
    rb"/[A-Za-z][A-Za-z0-9.]*)/"
)
_GEM_NAME = rb"([^/]+?)-(\d[^/-]*)(?:-([^/]+))?"
_GEM = re.compile(rb"(.*)/(?:gems|extensions/[^/]+/[^/]+|doc|build_info)/(%b)(?:\.info$|/)" % _GEM_NAME)
_GEM_FILE = re.compile(rb"(.*)/(?:specifications(?:/default)?|cache)/(%b)\.gem(?:spec)?$" % _GEM_NAME)
_GEM_PROGRAM = re.compile(rb"(.*)/bin/()[^/]+$")
_MARKS = (b"/node_modules/", b"library/", b"/renv/cache/", b"/gems/", b"/extensions/", b"/doc/", b"/build_info/")
"""Parts of the paths of folders in which all files belong to one package."""
_ENDINGS = (b".info", b".gem", b".gemspec")
"""How names end that say more than their folder does, as those of programs do."""
_GEM_STUB = re.compile(rb"^\s*load Gem\.activate_bin_path\('([^']+)'", re.MULTILINE)
"""A line in each program that RubyGems made to start a program of a gem."""


_R_MARK = b"/Meta/package.rds"
"""What R's library() reads in the folder of a package, wherever and whatever the library is."""


class Folders:
    """The packages whose folders the paths lie in, the innermost one each."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that lie in such a folder; each folder is read once."""
        known: dict[bytes, Installed | None] = {}
        owners: dict[bytes, Installed] = {}
        for folder, members in group_by_folder(paths).items():
            place = folder + b"/"
            everyone = _find_owner(place, known) if any(mark in place for mark in _MARKS) else None
            has_programs = folder.endswith(b"/bin")
            for path in members:
                has_own = has_programs or path.endswith(_ENDINGS)
                owner = _find_owner(path, known) if has_own else everyone
                if owner is not None:
                    owners[path] = owner
        return {**_find_r(paths), **owners}


def _find_owner(path: bytes, known: dict[bytes, Installed | None]) -> Installed | None:
    """Find the owner of a path, or of what lies in a folder whose path ends in a slash, and remember what was read."""
    for pattern, describe in _KINDS:
        match = pattern.match(path)
        if match is None:
            continue
        key = match[0] if describe in {_describe_program, _describe_gem} else match[1]
        if key not in known:
            known[key] = describe(match)
        owner = known[key]
        if owner is not None:
            return owner
    return None


def _find_r(paths: Collection[bytes]) -> dict[bytes, Installed]:
    """Return the owners of what lies in folders that R loaded packages from."""
    loaded = [path.removesuffix(_R_MARK) for path in paths if path.endswith(_R_MARK)]
    known = {folder + b"/": _describe_r(folder) for folder in loaded}
    owners = {}
    inside = re.compile(b"|".join(map(re.escape, sorted(known, reverse=True))) or b"$.")
    for path in paths if known else ():
        found = inside.match(path)
        owner = known[found[0]] if found else None
        if owner is not None:
            owners[path] = owner
    return owners


def _describe_npm(match: re.Match[bytes]) -> Installed | None:
    import json

    try:
        facts = json.loads(read_file(os.path.join(match[1], b"package.json"), _LIMIT))
        name, version = facts["name"], facts["version"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not isinstance(name, str) or not isinstance(version, str):
        return None
    folder = os.path.dirname(match[1])
    if folder.count(b"/node_modules") > 1:  # another version, for one package alone: names are unique
        name = f"{name} in {folder.decode(errors='backslashreplace')}"
    resolved = facts.get("_resolved")  # of npm before 7; later ones keep it in one list for the whole tree
    if not isinstance(resolved, str):
        top, _, rest = match[1].partition(b"/node_modules/")
        resolved = _read_lock(top + b"/node_modules").get("node_modules/" + os.fsdecode(rest), "")
    return Installed(name, version, _ANY, "npm", resolved)


@lru_cache(maxsize=64)
def _read_lock(folder: bytes) -> dict[str, str]:
    """Read from where npm has each package of a tree, by its place in it."""
    import json

    try:
        with open(os.path.join(folder, b".package-lock.json"), "rb") as file:
            packages = json.load(file)["packages"]
        return {place: str(facts["resolved"]) for place, facts in packages.items() if facts.get("resolved")}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def _describe_r(folder: bytes) -> Installed | None:
    text = read_file(os.path.join(folder, b"DESCRIPTION"), _LIMIT).decode(errors="replace")
    fields = dict(line.split(": ", 1) for line in text.splitlines() if ": " in line and not line[:1].isspace())
    if "Package" not in fields or "Version" not in fields:
        return None
    built = fields.get("Built", "").split("; ")
    commit = fields.get("RemoteSha", "")
    origin = "@".join(filter(None, (fields.get("RemoteUrl") or fields.get("Repository", ""), commit)))
    architecture = built[1] if len(built) > 1 and built[1] else _ANY
    return Installed(fields["Package"], fields["Version"], architecture, "R", origin)


def _describe_gem(match: re.Match[bytes]) -> Installed | None:
    home, full, name, version, platform = match.groups()
    places = [home + b"/specifications/" + kind + full + b".gemspec" for kind in (b"", b"default/")]
    places.append(home + b"/gems/" + full + b"/" + name + b".gemspec")  # as bundler has those that git brought
    if not any(map(os.path.exists, places)):
        return None
    named, numbered, built = (
        part.decode(errors="backslashreplace") if part else _ANY for part in (name, version, platform)
    )
    return Installed(named, numbered, built, "gem")


def _describe_program(match: re.Match[bytes]) -> Installed | None:
    """Find the gem of a program that RubyGems has made, in the same folder of gems: the newest one."""
    try:
        names = sorted(os.listdir(match[1] + b"/specifications"), reverse=True)
    except OSError:
        return None
    stub = _GEM_STUB.search(read_file(match[0], _LIMIT))
    for name in names if stub else ():
        found = _GEM_FILE.match(match[1] + b"/specifications/" + name)
        if found and stub and found[3] == stub[1]:
            return _describe_gem(found)
    return None


_KINDS: tuple[tuple[re.Pattern[bytes], Callable[[re.Match[bytes]], Installed | None]], ...] = (
    (_NPM, _describe_npm),
    (_R, lambda match: _describe_r(match[1])),
    (_GEM, _describe_gem),
    (_GEM_FILE, _describe_gem),
    (_GEM_PROGRAM, _describe_program),
)

_TRACES = (
    b"/node_modules/",
    b"library/",
    b"/gems/",
    b"/extensions/",
    b".gem\0",
    b".gemspec\0",
    _R_MARK + b"\0",
)
FOLDERS = PathManager(
    "self-describing",
    lambda unowned: unowned.mention(*_TRACES) or any(folder.endswith(b"/bin") for folder in unowned.folders),
    lambda _unowned: Folders(),
)
