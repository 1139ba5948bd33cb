"""The stamp of a figure: which run made it. In the file it is JSON in ASCII, whatever the format of the figure."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

FORMAT = 1
MOST_BYTES = 16 << 10
"""A longer stamp is not one of rtrace's. A JPEG holds four times as much in one segment."""
_LONGEST_COMMAND, _LONGEST_LABEL, _LONGEST_LINK = 2000, 200, 1000  # characters, each of which may take six bytes


class UnfitError(Exception):
    """A file cannot have a stamp, or has a damaged one; the words say why, without the file's name."""


@dataclass(frozen=True, slots=True)
class Stamp:
    """Which run made a figure: everything but ``run`` and the digests may be unknown, or kept anonymous.

    ``sha256`` and ``md5`` are those of the file without the stamp, as the run wrote it. ``link`` is a DOI or a URL of
    the record or of a bundle that holds the run, ``bundle`` the identity of that bundle.
    """

    run: str
    sha256: str
    md5: str
    label: str | None = None
    command: str | None = None
    commit: str | None = None
    link: str | None = None
    bundle: str | None = None
    created_by: str | None = None


def write_stamp(stamp: Stamp) -> bytes:
    """Return a stamp as it is put into a file: JSON in ASCII, on one line, with nothing that a terminal obeys."""
    limits = {"label": _LONGEST_LABEL, "command": _LONGEST_COMMAND}
    words = {
        key: value[: limits.get(key, _LONGEST_LINK)] if isinstance(value, str) else value
        for key, value in asdict(stamp).items()
    }
    return json.dumps({"rtrace-stamp": FORMAT, **words}).replace("\x7f", "\\u007f").encode("ascii")


def read_stamp(payload: bytes) -> Stamp:
    """Return the stamp that was found in a file. Raises UnfitError for one that is damaged or of a newer rtrace."""
    try:
        found = json.loads(payload[: MOST_BYTES + 1])
    except (ValueError, RecursionError):
        raise UnfitError("its stamp is damaged") from None
    number = found.get("rtrace-stamp") if isinstance(found, dict) else None
    if not isinstance(number, int):
        raise UnfitError("its stamp is damaged")
    if number > FORMAT:
        raise UnfitError(f"its stamp has format {number}, which a newer rtrace reads")
    values = {field.name: found.get(field.name) for field in fields(Stamp)}
    if not all(value is None or isinstance(value, str) for value in values.values()):
        raise UnfitError("its stamp is damaged")
    if not all(isinstance(values[key], str) for key in ("run", "sha256", "md5")):
        raise UnfitError("its stamp is damaged")
    return Stamp(**values)
