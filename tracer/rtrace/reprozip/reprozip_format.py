"""ReproZip's format of bundles, as others and as rtrace write it."""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle.protocol import Exported, Format
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError
from rtrace.reprozip.reading.container import is_reprozip

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle
    from rtrace.progress import Progress

WHOLE = "pack all of it, without --larger-than and `elsewhere:`"
"""What to do about content that is elsewhere."""


def _open(path: Path, file: BinaryIO) -> OpenBundle:
    from rtrace.reprozip.extended import open_reprozip  # needs sqlite3 and more, which our own format does not

    return open_reprozip(path, file)


def _write(bundle: OpenBundle, target: Path, *, progress: Progress) -> Exported:
    from rtrace.reprozip.extended import ExtendedBundle
    from rtrace.reprozip.writing.reprozip_writer import write_reprozip

    if not isinstance(bundle, Bundle) or isinstance(bundle, ExtendedBundle):
        raise BundleError(f"{bundle.path} is a bundle in ReproZip's format already; copy it")
    if bundle.manifest.elsewhere:
        raise BundleError(f"{bundle.path} leaves content elsewhere, which ReproZip's format cannot; {WHOLE}")
    return write_reprozip(bundle, target, progress=progress)


REPROZIP = Format("reprozip", is_reprozip, _open, _write)
