"""Python distributions of older installers: ``*.egg-info`` (setup.py install, distutils) and ``*.egg`` (easy_install).

See setuptools' documentation, "The Internal Structure of Python Eggs". What they list is files at best, and at least
the names of the packages and modules at the top of the site folder.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.reading import open_at_once, read_file
from rtrace.packages.model import Installed

if TYPE_CHECKING:
    from collections.abc import Iterator


_LIMIT = 1 << 20
"""Bytes of the largest PKG-INFO that is read from a zip file; larger ones are ignored."""


class Egg(NamedTuple):
    """A distribution: the files that it lists, absolute, and its names at the top of the site folder."""

    owner: Installed
    files: frozenset[bytes]
    tops: frozenset[bytes]


def read_eggs(site: bytes) -> Iterator[Egg]:
    """Yield the distributions of a site folder, sorted; none where it cannot be read."""
    try:
        names = sorted(name for name in os.listdir(site) if name.endswith((b".egg-info", b".egg")))
    except OSError:
        return
    for name in names:
        place = os.path.join(site, name)
        information = os.path.join(place, b"EGG-INFO") if name.endswith(b".egg") else place
        whole = os.path.isdir(information)
        in_zip = name.endswith(b".egg") and not whole
        facts = _read_fields(
            _read_zipped(place)
            if in_zip
            else read_file(os.path.join(information, b"PKG-INFO") if whole else information)
        )
        stem, _, rest = os.path.splitext(name)[0].decode(errors="backslashreplace").partition("-")
        title, version = facts.get("Name", stem), facts.get("Version", rest.partition("-")[0]) or "unknown"
        tops = {name}
        if name.endswith(b".egg-info"):
            listed = read_file(os.path.join(information, b"top_level.txt")).splitlines() if whole else []
            for top in listed or [title.replace("-", "_").encode()]:
                tops |= {top, top + b".py"}
        files = {
            os.path.normpath(os.path.join(information, file))
            for file in (read_file(os.path.join(information, b"installed-files.txt")).splitlines() if whole else ())
        }
        yield Egg(
            Installed(title, version, "any", "python", facts.get("Home-page", "")), frozenset(files), frozenset(tops)
        )


def read_links(site: bytes) -> Iterator[tuple[str, bytes]]:
    """Yield (name, folder of the source) of what ``setup.py develop`` has linked into a site folder."""
    try:
        names = sorted(name for name in os.listdir(site) if name.endswith(b".egg-link"))
    except OSError:
        return
    for name in names:
        lines = read_file(os.path.join(site, name)).splitlines()
        if lines and lines[0].startswith(b"/"):
            yield name[: -len(b".egg-link")].decode(errors="backslashreplace"), lines[0]


def _read_zipped(egg: bytes) -> bytes:
    """Read the PKG-INFO of an egg that is a zip file; nothing where there is none, or too much."""
    import zlib
    from zipfile import BadZipFile, ZipFile

    try:
        with open(egg, "rb", opener=open_at_once) as file, ZipFile(file) as archive:
            member = archive.getinfo("EGG-INFO/PKG-INFO")
            return archive.read(member) if member.file_size <= _LIMIT else b""
    except (OSError, KeyError, ValueError, EOFError, RuntimeError, BadZipFile, zlib.error):
        return b""


def _read_fields(content: bytes) -> dict[str, str]:
    """Read the header of a PKG-INFO."""
    fields: dict[str, str] = {}
    for line in content.splitlines():
        name, colon, value = line.decode(errors="replace").partition(": ")
        if not colon:
            break
        if value != "UNKNOWN":
            fields.setdefault(name, value)
    return fields
