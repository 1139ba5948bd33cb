"""The folder of a target: opened once, and used by its descriptor alone.

Its name may come to mean another folder at any moment, its descriptor cannot. It belongs to whoever uses it and is
closed to everybody else, so nobody can exchange what is in it either.
"""

from __future__ import annotations

import contextlib
import os
import weakref
from collections.abc import Iterator
from pathlib import Path

from rtrace.errors import ForeignError, TargetError
from rtrace.files.folders import directory_flags, has_descriptors, open_parent, refuse_others
from rtrace.files.locks import Lock, lock_folder
from rtrace.printable import printable
from rtrace.replay.protocol import STATE_FILE
from rtrace.trace import explain_trace


class TargetFolder:
    """An open folder of a target. ``path`` is how the caller named it, for sentences alone."""

    def __init__(self, path: Path) -> None:
        """Open a folder that belongs to this user alone. Raises TargetError otherwise."""
        self.path = path
        self.shown = printable(os.fsencode(path))
        if not has_descriptors():
            raise TargetError(f"{self.shown} cannot be used on this system; have an engine build its image")
        try:
            self.parent, self.name = open_parent(path)
        except OSError as error:
            raise TargetError(f"cannot open {self.shown}: {error.strerror}; name the right folder") from None
        except ForeignError as error:
            raise TargetError(str(error)) from None
        self._closing = weakref.finalize(self, close_all, self.parent)
        try:
            self.descriptor = os.open(self.name, directory_flags(), dir_fd=self.parent)
            self._closing.detach()
            self._closing = weakref.finalize(self, close_all, self.parent, self.descriptor)
            refuse_others(self.descriptor, path)
        except OSError as error:
            raise self._explain(error) from None
        except ForeignError as error:
            if not has_state(self.descriptor):  # whose permissions are not to be changed for this
                raise self.no_target() from None
            raise TargetError(str(error)) from None

    def no_target(self) -> TargetError:
        """Return the error of a folder that is no target."""
        advice = explain_trace(self.path) or "name the right folder"
        return TargetError(f"{self.shown} is not a target of rtrace (it has no {STATE_FILE}); {advice}")

    def _explain(self, error: OSError) -> TargetError:
        """Return why a folder cannot be opened."""
        if isinstance(error, FileNotFoundError):
            if os.path.lexists(self.path):  # the root, which has no name
                return self.no_target()
            return TargetError(f"{self.shown} does not exist; `rtrace unpack` makes targets")
        if self.path.is_symlink():
            return TargetError(f"{self.shown} is a symbolic link; name the folder that it points to")
        return TargetError(f"cannot open {self.shown}: {error.strerror}; name a target that you unpacked")

    def lock(self) -> Lock:
        """Keep every other process of rtrace from using the target. Raises BusyError when one uses it now."""
        return lock_folder(self.descriptor, self.shown)

    @contextlib.contextmanager
    def opened(self, name: str) -> Iterator[int]:
        """Yield a descriptor of a folder in it, not following a symlink. Raises OSError."""
        descriptor = os.open(name, directory_flags(), dir_fd=self.descriptor)
        try:
            yield descriptor
        finally:
            os.close(descriptor)

    def close(self) -> None:
        """Let go of the folder; it happens by itself when nobody uses this object any more."""
        self._closing()


def has_state(descriptor: int) -> bool:
    """Whether a folder says that it is a target."""
    try:
        os.stat(STATE_FILE, dir_fd=descriptor, follow_symlinks=False)
    except OSError:  # ENOENT; EACCES: what may not be looked at is no target of this user's
        return False
    return True


def close_all(*descriptors: int) -> None:
    """Close descriptors."""
    for descriptor in descriptors:
        os.close(descriptor)
