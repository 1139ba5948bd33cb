"""Where the cache is, how large it may become, and its folder: opened only if it is this user's alone."""

from __future__ import annotations

import os
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import ForeignError, UsageError
from rtrace.files.folders import directory_flags, find_own_folder, has_descriptors, is_root, open_trusted, refuse_others
from rtrace.printable import printable

VARIABLE, SIZE_VARIABLE = "RTRACE_CACHE", "RTRACE_CACHE_SIZE"
OFF = "off"
LARGEST, SHARE = 10 << 30, 10
"""Bytes that all trees may have, and what part of the free room (with what they have) that is at most, as a divisor."""
FOR_ROOT = Path("/var/cache")
UNITS = {"": 1, "K": 1 << 10, "M": 1 << 20, "G": 1 << 30, "T": 1 << 40}


def is_off() -> bool:
    """Whether this user wants no cache."""
    return os.environ.get(VARIABLE) == OFF


def find_place() -> Path:
    """Return the folder of the trees: that of RTRACE_CACHE, else one in the user's folder for caches.

    Root has its own, also where HOME is still that of the user who became root.
    """
    named = os.environ.get(VARIABLE)
    if named and named != OFF:
        return Path(named).absolute()
    is_named = os.path.isabs(os.environ.get("XDG_CACHE_HOME", ""))
    for_root = not is_named and hasattr(os, "geteuid") and os.geteuid() == 0
    return (FOR_ROOT if for_root else find_own_folder("XDG_CACHE_HOME")) / "rtrace" / "trees"


def open_place(*, make: bool) -> int | None:
    """Open the folder of the trees; None where it is not there, or cannot be this user's alone."""
    place = find_place()
    if not has_descriptors():  # Windows, where nothing is unpacked that could be shared
        return None
    try:
        if make:
            place.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            place.mkdir(mode=0o700, exist_ok=True)
        path = os.fsencode(place)
        descriptor = open_trusted(path) if is_root() else os.open(path, directory_flags() & ~os.O_NOFOLLOW)
        try:
            refuse_others(descriptor, place)
        except BaseException:
            os.close(descriptor)
            raise
    except (OSError, ForeignError) as error:
        debug(__name__, "no cache in %s: %s", printable(os.fsencode(place)), error)
        return None
    return descriptor


def choose_limit(folder: int, used: int) -> int:
    """Return how many bytes all trees may have together, where ``used`` are theirs now. Raises UsageError."""
    named = os.environ.get(SIZE_VARIABLE)
    if named:
        return parse_size(named)
    state = os.fstatvfs(folder)
    return min(LARGEST, (state.f_bavail * state.f_frsize + used) // SHARE)


def parse_size(text: str) -> int:
    """Return a number of bytes, as ``500M`` or ``2G`` say it. Raises UsageError."""
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].isalpha() else (text, "")
    if not (number.isascii() and number.isdigit()) or unit not in UNITS:
        raise UsageError(f"{SIZE_VARIABLE}={printable(os.fsencode(text))} is no size; write a number with K, M, G or T")
    return int(number) * UNITS[unit]
