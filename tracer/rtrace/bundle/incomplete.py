"""A file in the making: it gets its name when it is whole, and never over anything else."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError

if TYPE_CHECKING:
    from types import TracebackType


class Incomplete:
    """A folder ``NAME.incomplete-XXXX`` beside the file in the making, which is gone afterwards in any case."""

    def __init__(self, target: Path) -> None:
        self.target = target
        if os.path.lexists(target):
            raise BundleError(f"{target} exists already; remove it or name another file")
        try:
            self.folder = Path(tempfile.mkdtemp(prefix=f"{target.name}.incomplete-", dir=target.parent))
        except OSError as error:
            raise BundleError(f"cannot write in {target.parent}: {error.strerror}; name another folder") from None
        """Room for what is needed until the file is whole."""

    def __enter__(self) -> Incomplete:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        shutil.rmtree(self.folder, ignore_errors=True)
        if isinstance(error, OSError):
            raise BundleError(f"cannot write {self.target}: {error.strerror}; nothing was left there") from error

    def give_name(self, whole: Path) -> None:
        """Make a file of the folder the target. Raises BundleError when the name is taken."""
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
