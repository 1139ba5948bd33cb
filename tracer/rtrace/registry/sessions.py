"""The uploads that were begun and are not done, so that the next push of the same bundle goes on with them.

Each has a folder of its own, which is locked for as long as somebody works on it. What is in it, the URL of an upload,
may be all that the registry asks for: nobody else may read it.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import shutil
import time
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace.debugging import debug
from rtrace.errors import BusyError, ForeignError, RegistryError
from rtrace.files.folders import directory_flags, find_own_folder, read_own, write_new
from rtrace.files.locks import Lock, lock_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

_FILE = "upload.json"
_LARGEST = 1 << 16
_KEPT = 7 * 24 * 3600
"""Seconds after which an upload is forgotten: registries keep them for a week at most."""


class Upload(NamedTuple):
    """Where an upload goes on, and how many bytes the registry had when that was written down."""

    location: str
    done: int


class Session:
    """What is known of the upload of one bundle to one repository, by whoever has it locked."""

    def __init__(self, folder: Path, descriptor: int) -> None:
        """Begin with an open folder that is locked."""
        self._folder = folder
        self._descriptor = descriptor

    def read(self) -> Upload | None:
        """Return the upload that was begun; None when there is none, or what is there cannot be understood."""
        try:
            found = json.loads(read_own(self._descriptor, _FILE, _LARGEST))
            upload = Upload(found["location"], found["done"])
        except FileNotFoundError:
            return None
        except (OSError, ForeignError, ValueError, RecursionError, LookupError, TypeError):
            debug(__name__, "%s: not understood", self._folder)
            self.forget()
            return None
        return upload if isinstance(upload.location, str) and isinstance(upload.done, int) else None

    def write(self, upload: Upload) -> None:
        """Write down where it goes on: whole or not at all."""
        write_new(self._descriptor, _FILE, json.dumps(upload._asdict()).encode("ascii"))

    def forget(self) -> None:
        """Remove what was written down: the upload is done, or gone."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(_FILE, dir_fd=self._descriptor)


@contextlib.contextmanager
def open_session(name: str, digest: str) -> Iterator[Session]:
    """Lock what is known of the upload of a blob to a repository; remove what is empty in the end.

    Raises BusyError when another process works on the same upload, and RegistryError when the folder cannot be used.
    """
    root = find_root()
    folder = _find_folder(name, digest)
    try:
        root.mkdir(mode=0o700, parents=True, exist_ok=True)
        _forget_old(root, folder)
        descriptor, lock = _lock(folder)
    except OSError as error:
        raise RegistryError(
            f"cannot write in {root}: {error.strerror}; let XDG_STATE_HOME name a folder that can be written to"
        ) from None
    try:
        yield Session(folder, descriptor)
    finally:
        if not os.path.lexists(folder / _FILE):
            shutil.rmtree(folder, ignore_errors=True)
        lock.release()
        os.close(descriptor)


def forget_session(name: str, digest: str) -> None:
    """Forget the upload of a blob that is there: a push was killed after its last byte. Others may be at it."""
    if os.path.lexists(_find_folder(name, digest)):
        with contextlib.suppress(BusyError), open_session(name, digest) as session:
            session.forget()


def _find_folder(name: str, digest: str) -> Path:
    """Return the folder of an upload."""
    return find_root() / hashlib.sha256(f"{name} {digest}".encode()).hexdigest()[:32]


def find_root() -> Path:
    """Return the folder of all uploads, in that for the user's state."""
    return find_own_folder("XDG_STATE_HOME") / "rtrace" / "uploads"


def _lock(folder: Path) -> tuple[int, Lock]:
    """Make, open and lock a folder; again, where somebody who was done has just removed it."""
    while True:
        with contextlib.suppress(FileExistsError):
            folder.mkdir(mode=0o700)
        with contextlib.suppress(FileNotFoundError):
            descriptor = os.open(folder, directory_flags())
            try:
                lock = lock_folder(descriptor, str(folder))
                if lock.descriptor is None or os.fstat(lock.descriptor).st_nlink:
                    return descriptor, lock
                lock.release()
            except BaseException:
                os.close(descriptor)
                raise
            os.close(descriptor)


def _forget_old(root: Path, own: Path) -> None:
    """Remove what has been there for so long that no registry knows of it any more."""
    before = time.time() - _KEPT
    for folder in root.iterdir():
        with contextlib.suppress(OSError, BusyError):
            if folder != own and folder.lstat().st_mtime < before:
                descriptor, lock = _lock(folder)
                shutil.rmtree(folder, ignore_errors=True)
                lock.release()
                os.close(descriptor)
