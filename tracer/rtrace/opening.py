"""Opening a bundle of either kind: rtrace's own, or ReproZip's. They are told apart by content."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError
from rtrace.reprozip.reading.container import is_reprozip

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle


def open_bundle(path: Path) -> OpenBundle:
    """Open a bundle of rtrace or of ReproZip. Raises BundleError for anything else, and for what is not whole."""
    try:
        file = path.open("rb")
    except OSError as error:
        raise BundleError(f"cannot open {path}: {error.strerror}") from None
    try:
        if is_reprozip(file):
            from rtrace.reprozip.extended import open_reprozip  # needs sqlite3 and more, which our own do not

            return open_reprozip(path, file)
        return Bundle(path, file)
    except BaseException:
        file.close()
        raise
