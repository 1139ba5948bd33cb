"""What is noted of exchanged files in a target's folder, locked against every other process that exchanges files."""

from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, BinaryIO

from rtrace.errors import TargetError
from rtrace.files.folders import directory_flags
from rtrace.files.locks import LOCK_FILE, lock_folder
from rtrace.replay.target_folder import TargetFolder
from rtrace.replay.uploads import KEPT_FOLDER, NO_UPLOADS, Uploads, read_uploads, write_uploads

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


class Notes:
    """The notes of a target, in an open folder. The lock is the caller's."""

    def __init__(self, folder: TargetFolder, kept: int) -> None:
        self._folder = folder
        self._kept = kept
        self.uploads = read_uploads(folder)

    def write(self, uploads: Uploads) -> None:
        """Write the notes anew. Raises TargetError when that fails; then they are as before."""
        try:
            write_uploads(self._folder, uploads)
        except OSError as error:
            raise TargetError(
                f"cannot note in {self._folder.shown} what is uploaded: {error.strerror}; nothing was changed"
            ) from None
        self.uploads = uploads

    def open_kept(self, name: str, *, new: bool = False) -> BinaryIO:
        """Open a file that is to be put back, or make a new one. Raises OSError."""
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL if new else os.O_RDONLY
        file = os.open(name, flags | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, 0o600, dir_fd=self._kept)
        return open(file, "w+b" if new else "rb")

    def choose_name(self) -> str:
        """Return a name that no kept file has."""
        taken = set(os.listdir(self._kept))
        return next(str(number) for number in range(len(taken) + 1) if str(number) not in taken)

    def remove_kept(self, name: str) -> None:
        """Remove a file that was put back."""
        with contextlib.suppress(OSError):  # ENOENT; whatever else is wrong with it, `remove_strays` comes by again
            os.unlink(name, dir_fd=self._kept)

    def remove_strays(self) -> None:
        """Remove the kept files that no note names: of a process that was killed before it wrote one."""
        named = {kept.file for kept in self.uploads.kept.values()} | {LOCK_FILE}
        for name in os.listdir(self._kept):
            if name not in named:
                self.remove_kept(name)

    def clear(self) -> None:
        """Forget everything: the target is as packed."""
        self.write(NO_UPLOADS)
        self.remove_strays()


@contextlib.contextmanager
def noting(path: Path) -> Iterator[Notes]:
    """Open the notes of a target, for this process alone. Raises BusyError and TargetError."""
    folder = TargetFolder(path)
    try:
        try:
            with contextlib.suppress(FileExistsError):
                os.mkdir(KEPT_FOLDER, 0o700, dir_fd=folder.descriptor)
            kept = os.open(KEPT_FOLDER, directory_flags(), dir_fd=folder.descriptor)
        except OSError as error:
            raise TargetError(
                f"cannot note in {folder.shown} what is exchanged: {error.strerror} ({KEPT_FOLDER}); mend that first"
            ) from None
        try:
            with lock_folder(kept, folder.shown):
                notes = Notes(folder, kept)
                notes.remove_strays()
                yield notes
        finally:
            os.close(kept)
    finally:
        folder.close()


def peek(path: Path) -> Uploads:
    """Return the notes of a target as they are at this moment. Raises TargetError."""
    folder = TargetFolder(path)
    try:
        return read_uploads(folder)
    finally:
        folder.close()
