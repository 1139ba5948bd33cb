"""Packages of conda and its kin (mamba, micromamba, pixi), from the ``conda-meta`` folder of their environments.

See conda's documentation on "conda environments" and the class PrefixRecord; each package has a file of JSON there.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from rtrace.packages.model import Installed, PathManager
from rtrace.packages.prefixes import group_by_prefix

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

_RECORDS = b"conda-meta"


class Conda:
    """The environments that the paths lie in."""

    def find_owners(self, paths: Collection[bytes]) -> dict[bytes, Installed]:
        """Return the owners of those of the paths that a package of their environment lists."""
        owners: dict[bytes, Installed] = {}
        taken: set[str] = set()
        for prefix, inside in sorted(group_by_prefix(paths, _RECORDS).items()):
            place = prefix.decode(errors="backslashreplace")
            wanted = set(inside)
            for name, record in _read_records(prefix):
                listed = (prefix + b"/" + os.fsencode(file) for file in record["files"] if isinstance(file, str))
                mine = wanted.intersection((*listed, os.path.join(prefix, _RECORDS, name)))
                if mine:
                    owner = _describe(record)
                    owner = owner._replace(name=f"{owner.name} in {place}") if owner.name in taken else owner
                    owners.update(dict.fromkeys(mine, owner))
            for path in inside:
                if path not in owners and path.startswith(prefix + b"/" + _RECORDS + b"/"):
                    owners[path] = Installed(f"environment in {place}", "unknown", "any", "conda")
            taken.update(owner.name for owner in owners.values())
        return owners


def _read_records(prefix: bytes) -> Iterator[tuple[bytes, dict[str, Any]]]:
    """Yield each record with its name; other files are left out."""
    import json

    folder = os.path.join(prefix, _RECORDS)
    try:
        names = sorted(name for name in os.listdir(folder) if name.endswith(b".json"))
    except OSError:
        return
    for name in names:
        try:
            with open(os.path.join(folder, name), "rb") as file:
                record = json.load(file)
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(record, dict) and isinstance(record.get("files"), list) and isinstance(record.get("name"), str):
            yield name, record


def _describe(record: dict[str, Any]) -> Installed:
    version = "-".join(str(record[key]) for key in ("version", "build") if record.get(key))
    return Installed(
        record["name"],
        version,
        str(record.get("subdir") or "any"),
        "conda",
        str(record.get("url") or record.get("channel") or ""),
    )


CONDA = PathManager("conda", lambda unowned: unowned.lie_below(_RECORDS), lambda _unowned: Conda())
