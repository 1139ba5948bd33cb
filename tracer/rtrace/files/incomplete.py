"""A file in the making: it gets its name when it is complete, and replaces another file only on request."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, UsageError
from rtrace.files.workspaces import INCOMPLETE, prefix_beside, working
from rtrace.interrupts import held

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType


class Incomplete:
    """A folder ``NAME.incomplete-XXXX`` beside the file in the making, which is gone afterwards in any case."""

    def __init__(self, target: Path, *, replace: bool = False) -> None:
        """Make the folder; with ``replace`` the target may exist, and stays until the new file is complete."""
        self.target = target
        self._replace = replace
        if not replace and os.path.lexists(target):
            raise BundleError(f"{target} exists already; remove it or name another file")
        self._closing = contextlib.ExitStack()
        try:
            self.folder = self._closing.enter_context(working(target.parent, prefix_beside(target.name, INCOMPLETE)))
        except OSError as error:
            raise BundleError(f"cannot write in {target.parent}: {error.strerror}; name another folder") from None
        """Room for what is needed until the file is complete."""

    def __enter__(self) -> Incomplete:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._closing.close()
        if isinstance(error, OSError):
            raise BundleError(f"cannot write {self.target}: {error.strerror}; nothing was left there") from error

    def give_name(self, whole: Path) -> None:
        """Make a file of the folder the target. Raises BundleError when the name is taken."""
        if self._replace:
            whole.replace(self.target)
            return
        try:
            try:
                os.link(whole, self.target)
            except PermissionError:
                # A filesystem without hard links (FAT, some network shares): look, then rename.
                if os.path.lexists(self.target):
                    raise FileExistsError from None
                whole.rename(self.target)
        except FileExistsError:
            raise BundleError(f"{self.target} was made by somebody else in the meantime; name another file") from None


def write_in_place(place: Path, content: bytes) -> None:
    """Write a file, in place of an older one: whole or not at all. Raises BundleError."""
    with held(lambda: Incomplete(place, replace=True)) as incomplete:
        whole = incomplete.folder / "whole"
        whole.write_bytes(content)
        incomplete.give_name(whole)


def check_place(place: Path) -> None:
    """Find out whether a file can be written in a place, before there is anything to write. Raises UsageError.

    What stands there and is no file (a folder, a device, a FIFO) would be replaced by one.
    """
    if place.exists() and not place.is_file():
        raise UsageError(f"{place} is no file that could be replaced; name another one")
    if not place.parent.is_dir():
        raise UsageError(f"there is no folder {place.parent}; make it, or name another one")
    if not os.access(place.parent, os.W_OK | os.X_OK):
        raise UsageError(f"nothing can be written in {place.parent}; name another folder")
