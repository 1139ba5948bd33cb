"""A change in a history's folder: whole or not at all, and told to the index, whatever kills who makes it.

    records/XX/.ID.MARK     the new document in the making
    pending/ID.MARK         tells the index to look at this document
    records/XX/ID.json      the document, which the first is renamed to

As long as the first is there, the change goes on, and the mark is left alone. Once it is gone the document is at least
as new as the mark. So no index can miss a change, and nobody who makes one waits for an index.
"""

from __future__ import annotations

import contextlib
import os
import stat
import time
from collections.abc import Iterator
from pathlib import Path

from rtrace.errors import BusyError, HistoryError
from rtrace.files.folders import folder_flags, has_descriptors
from rtrace.files.locks import Lock, open_lock_file, try_lock
from rtrace.files.reading import WRITTEN_AS_IS
from rtrace.record.history.layout import FORGOTTEN, PENDING, RECORDS, document_path

STALE = 3600
"""Seconds after which a change that is still going on was made by somebody who is gone."""

_MARK_BYTES = 6
_PRIVATE = 0o700
_PATIENCE, _PAUSE = 10.0, 0.01


def make_mark(identifier: str) -> str:
    """Return a name that nobody else gives a change of a document."""
    return f"{identifier}.{os.urandom(_MARK_BYTES).hex()}"


class Changing:
    """The folder of a history, for those who write in it."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(self, identifier: str, data: bytes) -> None:
        """Make or replace a document. Raises HistoryError."""
        with self._telling():
            self._prepare(identifier)
            mark = make_mark(identifier)
            incomplete = document_path(self.root, identifier).with_name("." + mark)
            try:
                self._fill(incomplete, data)
                self._touch(self.root / PENDING / mark)
                incomplete.replace(document_path(self.root, identifier))
            except BaseException:
                with contextlib.suppress(OSError):  # what was to be removed is not there, or the disk has gone
                    incomplete.unlink()
                raise
            self._keep_names(incomplete.parent)
            with contextlib.suppress(FileNotFoundError):
                (self.root / FORGOTTEN / identifier).unlink()

    def remove(self, identifier: str) -> None:
        """Remove a document, and note that it is forgotten. Raises FileNotFoundError and HistoryError.

        It becomes its own mark: from what it said the index knows what it has to forget.
        """
        document = document_path(self.root, identifier)
        with self._telling():
            document.stat()
            self._prepare(identifier)
            self.note_forgotten(identifier)
            document.rename(self.root / PENDING / make_mark(identifier))
            self._keep_names(document.parent)

    def note_forgotten(self, identifier: str) -> None:
        """Note that a record is forgotten."""
        with self._telling():
            self._make_root()
            self._make(self.root / FORGOTTEN)
            self._touch(self.root / FORGOTTEN / identifier)

    @contextlib.contextmanager
    def holding(self, identifier: str) -> Iterator[None]:
        """Let nobody else change the documents of a folder meanwhile. Raises BusyError after ten seconds."""
        self._prepare(identifier)
        if not has_descriptors():  # Windows, where there are no locks either
            yield
            return
        folder = os.open(document_path(self.root, identifier).parent, folder_flags())
        try:
            descriptor = open_lock_file(folder, create=True)
        finally:
            os.close(folder)
        with Lock(descriptor):
            if descriptor is not None:
                self._wait(descriptor)
            yield

    def _wait(self, descriptor: int) -> None:
        deadline = time.monotonic() + _PATIENCE
        while True:
            try:
                try_lock(descriptor)
            except BlockingIOError:
                if time.monotonic() > deadline:
                    raise BusyError(
                        f"{self.root} is being changed by another process of rtrace; try again when that has ended"
                    ) from None
                time.sleep(_PAUSE)
            else:
                return

    def _prepare(self, identifier: str) -> None:
        with self._telling():
            self._make_root()
            for folder in (self.root / PENDING, self.root / RECORDS, document_path(self.root, identifier).parent):
                self._make(folder)

    def _make_root(self) -> None:
        if not self.root.is_dir():
            self.root.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            with contextlib.suppress(FileExistsError):
                self.root.mkdir(mode=0o700)

    def _make(self, folder: Path) -> None:
        """Make a folder, as private as the history's own one: a lab may have opened that to a group."""
        if folder.is_dir():
            return
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
            mode = self._mode()
            if mode != _PRIVATE:
                folder.chmod(mode | (self.root.stat().st_mode & stat.S_ISGID))

    def _mode(self) -> int:
        return _PRIVATE | stat.S_IMODE(self.root.stat().st_mode) & 0o077

    def _fill(self, path: Path, data: bytes) -> None:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | WRITTEN_AS_IS, 0o600)
        with open(descriptor, "wb") as file:
            if self._mode() != _PRIVATE and hasattr(os, "fchmod"):
                os.fchmod(descriptor, self._mode() & 0o666)
            file.write(data)
            file.flush()
            os.fsync(descriptor)

    def _touch(self, path: Path) -> None:
        os.close(os.open(path, os.O_WRONLY | os.O_CREAT | WRITTEN_AS_IS, self._mode() & 0o666))

    def _keep_names(self, folder: Path) -> None:
        """Have the names of a folder written to the disk; some file systems cannot, and keep them anyway."""
        if not has_descriptors():
            return
        descriptor = os.open(folder, folder_flags())
        try:
            with contextlib.suppress(OSError):  # EINVAL
                os.fsync(descriptor)
        finally:
            os.close(descriptor)

    @contextlib.contextmanager
    def _telling(self) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise
        except OSError as error:
            raise HistoryError(
                f"cannot write in the history {self.root}: {error.strerror}; "
                "make room or let RTRACE_HISTORY name another folder"
            ) from None
