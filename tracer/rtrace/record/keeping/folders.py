"""A data store in a folder: each content under its digest, whole or not there."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import KeepingError

if TYPE_CHECKING:
    from rtrace.record.keeping.content import Content


_STALE = 24 * 60 * 60
"""Seconds after which nobody is writing a copy any more: who did was killed."""


class FolderPlace:
    """A folder that contents are kept in."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)

    def find(self, name: str) -> str | None:
        """Return the address of what is kept by a name; None where there is nothing."""
        path = self._folder / name
        return path.as_uri() if path.is_file() else None

    def put(self, content: Content) -> str:
        """Keep a content; return its address. Raises KeepingError and ChangedError."""
        target = self._folder / content.name
        descriptor, size = content.open()
        try:
            if target.is_file() and target.stat().st_size == size:
                return target.as_uri()
            target.parent.mkdir(parents=True, exist_ok=True)
            _remove_stale(target)
            incomplete = target.with_name(f".{target.name}.{os.getpid()}.incomplete")
            try:
                with open(incomplete, "wb") as file:
                    file.writelines(content.read(descriptor))
                    file.flush()
                    os.fsync(file.fileno())
                incomplete.replace(target)
            finally:
                incomplete.unlink(missing_ok=True)
        except OSError as error:
            raise KeepingError(f"{self._folder} cannot be written ({error.strerror})") from None
        finally:
            os.close(descriptor)
        return target.as_uri()


def _remove_stale(target: Path) -> None:
    """Remove what an attempt to write the same content left, which was killed."""
    for left in target.parent.glob(f".{target.name}.*.incomplete"):
        if left.stat().st_mtime < time.time() - _STALE:
            left.unlink(missing_ok=True)
