"""The formats of bundles that rtrace knows, and opening a bundle of any of them. They are told apart by content.

A new one is a file and a line here; see `rtrace.bundle.protocol`. Other distributions add theirs by entry points::

    [project.entry-points."rtrace.formats"]
    sciunit = "rtrace_sciunit:SCIUNIT"
"""

from __future__ import annotations

import os
import stat
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.errors import BundleError
from rtrace.plugins import find_plugins, load
from rtrace.printable import name_some, suggest
from rtrace.trace import explain_trace

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rtrace.bundle.protocol import Format, OpenBundle

GROUP = "rtrace.formats"
ENDING = ".rpz"
FORMATS = {
    "rtrace": "rtrace.bundle.reading.rtrace_format:RTRACE",
    "reprozip": "rtrace.reprozip.reprozip_format:REPROZIP",
}
"""In the order in which a file is compared with them."""


def list_formats() -> Iterator[Format]:
    """Yield the formats, rtrace's own and then those of other distributions, which are looked for only then."""
    for address in FORMATS.values():
        own: Format = load(address)
        yield own
    for name, address in find_plugins(GROUP).items():
        if name not in FORMATS:
            outside: Format = load(address)
            yield outside


def list_writable_formats() -> dict[str, Format]:
    """Return, by name, the formats in which a bundle can be written anew."""
    return {one.name: one for one in list_formats() if one.write is not None}


def explain_folder(path: Path) -> str:
    """Return the end of a sentence about a folder in the place of a bundle: what it is instead, and what to do."""
    advice = explain_trace(path) or ("name a bundle, a file whose name ends in .rpz" if path.is_dir() else None)
    return "" if advice is None else f"; {advice}"


def explain_missing(path: Path) -> str:
    """Return the end of a sentence about a bundle that is not there: what is, or what to do."""
    if os.path.lexists(path):
        return ""  # and may not be read
    try:
        bundles = sorted(name for name in os.listdir(path.parent) if name.endswith(ENDING))
    except OSError:
        return f"; there is no folder {path.parent}"
    if not bundles:
        return "; `rtrace pack` makes a bundle of what was traced"
    name = path.name if path.name.endswith(ENDING) else path.name + ENDING
    return suggest(name, bundles) or f"; there is {name_some(bundles)}"


def open_at_once(path: str, flags: int) -> int:
    """Open a file that may be a FIFO, for whose writer nobody waits."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def open_bundle(path: Path) -> OpenBundle:
    """Open a bundle of any format. Raises BundleError for anything else, and for what is not intact."""
    try:
        file = open(path, "rb", opener=open_at_once)  # noqa: SIM115 -- the open bundle closes it
    except OSError as error:
        advice = explain_folder(path) or explain_missing(path)
        raise BundleError(f"cannot open {path}: {error.strerror}{advice}") from None
    try:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BundleError(f"{path} is not a file; name a bundle")
        found = next((one for one in list_formats() if one.recognise(file)), None)
        debug(__name__, "%s: a bundle of %s", path, found.name if found else "no format that is known")
        # Rtrace's own says best what is wrong with a file of no format.
        return (found or load(FORMATS["rtrace"])).open_bundle(path, file)
    except BaseException:
        file.close()
        raise
