"""The hashes of wheels in pip's cache: it keeps what it has fetched, each wheel as a file with a name of its own.

See `pip cache dir`; ``http-v2`` holds bodies of answers (``*.body``), ``wheels`` what was built here.
"""

from __future__ import annotations

import os
import re
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.declared.names import normalise_python
from rtrace.files.reading import hash_file

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_DIST_INFO = re.compile(r"([^/]+)-([^/-]+)\.dist-info/METADATA")
_ZIP = b"PK\3\4"
_MOST_FILES = 20_000


def find_hashes(wanted: Collection[tuple[str, str]]) -> dict[tuple[str, str], set[str]]:
    """Return the SHA-256 of the wheels in pip's cache that are distributions by these names and versions."""
    found: dict[tuple[str, str], set[str]] = {}
    for path in _list_wheels() if wanted else ():
        key = _read_name(path)
        digest = hash_file(os.fsencode(path)) if key in wanted else None
        if key is not None and digest is not None:
            found.setdefault(key, set()).add(digest.hex())
    return found


def _list_wheels() -> Iterator[Path]:
    """Yield the files of the cache that may be wheels as an index has them; not those that were built here."""
    cache = os.environ.get("PIP_CACHE_DIR") or os.path.join(
        os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache"), "pip"
    )
    number = 0
    for folder, _, names in os.walk(os.path.join(cache, "http-v2")):
        for name in names:
            number += 1
            if number > _MOST_FILES:
                return
            if name.endswith(".body"):
                yield Path(folder, name)


def _read_name(path: Path) -> tuple[str, str] | None:
    """Return name and version of the distribution that a file is a wheel of; None where it is none."""
    try:
        with open(path, "rb") as file:
            if file.read(len(_ZIP)) != _ZIP:
                return None
            with zipfile.ZipFile(file) as wheel:
                matches = filter(None, map(_DIST_INFO.fullmatch, wheel.namelist()))
                match = next(matches, None)
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):  # it is gone, or no wheel
        return None
    return None if match is None else (normalise_python(match[1]), match[2])
