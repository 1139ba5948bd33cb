"""Lock files of Python: uv.lock, poetry.lock, and pylock.toml of PEP 751.

https://packaging.python.org/en/latest/specifications/pylock-toml/
"""

from __future__ import annotations

import posixpath
import re
from itertools import chain
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from rtrace.declared.files.values import items, mapping, read_toml, text, texts
from rtrace.declared.model import DEV, LOCK, MAIN, Archive, Declared
from rtrace.declared.names import normalise_python

if TYPE_CHECKING:
    from rtrace.declared.model import Declarations, Folder

_SHA256 = re.compile(r"sha256:([0-9a-f]{64})")
_BARE = re.compile(r"[0-9a-f]{64}")
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


def read_uv(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a uv.lock fixes, what needs what, and what the project itself asks for. Raises ValueError."""
    for package in map(mapping, items(read_toml(data).get("package"))):
        title, version = normalise_python(text(package.get("name"))), text(package.get("version"))
        needed = _list_names(package.get("dependencies"))
        extras = mapping(package.get("optional-dependencies"))
        source = mapping(package.get("source"))
        if not source.keys().isdisjoint(("virtual", "editable", "directory")):  # the project
            developing = mapping(package.get("dev-dependencies"))
            kinds = ((MAIN, [package.get("dependencies")]), ("extra", extras.values()), (DEV, developing.values()))
            for group, lists in kinds:
                names = [other for listed in lists for other in _list_names(listed)]
                sure = {text(one.get("name")) for one in map(mapping, chain(*map(items, lists))) if "marker" not in one}
                into.items += [
                    Declared("python", other, "", name, group if other in sure else "extra")
                    for other in names
                    if "[" not in other
                ]
                for other in names:
                    into.require(("python", other.partition("[")[0]), ("python", other))
            continue
        _add(name, title, version, into)
        for other in needed:
            into.require(("python", title), ("python", other))
        for extra, listed in extras.items():
            for other in _list_names(listed):
                into.require(("python", f"{title}[{normalise_python(extra)}]"), ("python", other))
        archives = [package.get("sdist"), *items(package.get("wheels"))]
        for archive in map(mapping, archives):
            _note_archive(title, version, archive, text(archive.get("hash")), into)


def read_poetry(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a poetry.lock fixes, and what needs what. Raises ValueError."""
    for package in map(mapping, items(read_toml(data).get("package"))):
        title, version = normalise_python(text(package.get("name"))), text(package.get("version"))
        _add(name, title, version, into)
        for other in mapping(package.get("dependencies")):
            into.require(("python", title), ("python", normalise_python(other)))
        for archive in map(mapping, items(package.get("files"))):
            digest = _SHA256.fullmatch(text(archive.get("hash")))
            if digest is not None:
                into.hashes.setdefault((title, version), set()).add(digest[1])


def read_pylock(name: str, data: bytes, _folder: Folder, into: Declarations) -> None:
    """Add what a pylock.toml fixes, and where its archives are. Raises ValueError."""
    for package in map(mapping, items(read_toml(data).get("packages"))):
        title, version = normalise_python(text(package.get("name"))), text(package.get("version"))
        _add(name, title, version, into)
        for other in _list_names(package.get("dependencies")):
            into.require(("python", title), ("python", other))
        archives = [package.get("sdist"), package.get("archive"), *items(package.get("wheels"))]
        for archive in map(mapping, archives):
            digest = text(mapping(archive.get("hashes")).get("sha256"))
            _note_archive(title, version, archive, f"sha256:{digest}", into)


def _add(source: str, name: str, version: str, into: Declarations) -> None:
    if name and version:
        into.items.append(Declared("python", name, f"=={version}", source, LOCK))


def _list_names(value: object) -> list[str]:
    """Return the names of a list of tables or requirements; those of extras, as in ``name[extra]``, besides."""
    found = [match[0] for one in texts(value) if (match := _NAME.match(one))]
    for table in map(mapping, items(value)):
        name = text(table.get("name"))
        if _NAME.fullmatch(name):
            found += [name, *(f"{name}[{normalise_python(extra)}]" for extra in texts(table.get("extra")))]
    return [normalise_python(name) for name in found]


def _note_archive(name: str, version: str, archive: dict[str, object], written: str, into: Declarations) -> None:
    """Note the hash of an archive, and its address where the lock has one."""
    digest, url, size = _SHA256.fullmatch(written), text(archive.get("url")), archive.get("size")
    if digest is None:
        return
    into.hashes.setdefault((name, version), set()).add(digest[1])
    if url.startswith("https://") and _BARE.fullmatch(digest[1]):
        file = unquote(posixpath.basename(urlsplit(url).path))
        number = size if isinstance(size, int) else None
        into.archives.setdefault((name, version), {})[file] = Archive(url, digest[1], number)
