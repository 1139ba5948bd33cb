"""The file that packing writes: it must not exist, or be a bundle that may be replaced."""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from rtrace.bundle import members
from rtrace.errors import BundleError
from rtrace.reprozip.reading.container import is_reprozip

if TYPE_CHECKING:
    from pathlib import Path

_BEGINNING = members.VERSION.encode() + b"\0"
"""How the tar file of a bundle begins."""


def check_target(target: Path, *, replace: bool = False) -> None:
    """Raise BundleError if a target exists; with ``replace`` only if it is something else than a bundle."""
    if not os.path.lexists(target):
        return
    if not replace:
        raise BundleError(f"{target} exists already; replace it with --force, or name another file")
    if not _is_bundle(target):
        raise BundleError(f"{target} is not a bundle, and only bundles are replaced; remove it or name another file")


def _is_bundle(path: Path) -> bool:
    """Whether a file is a bundle of either format, intact or not."""
    try:
        if not S_ISREG(os.stat(path).st_mode):
            return False
        with path.open("rb") as file:
            beginning = file.read(len(_BEGINNING))
            file.seek(0)
            return beginning == _BEGINNING or is_reprozip(file)
    except OSError as error:
        raise BundleError(f"cannot read {path}: {error.strerror}; remove it or name another file") from None
