"""The bundle that a target was made of: kept in its folder, or named by a person."""

from __future__ import annotations

import contextlib
import os
import sys
from typing import TYPE_CHECKING

from rtrace.errors import TargetError
from rtrace.files.renaming import is_there
from rtrace.opening import open_bundle
from rtrace.replay.registry import read_any_state
from rtrace.replay.target_folder import TargetFolder
from rtrace.replay.uploads import BUNDLE_FILE

if TYPE_CHECKING:
    from pathlib import Path

_PART = 1 << 26
_NEW = f"{BUNDLE_FILE}.new"


def keep_bundle(target: Path, bundle: Path) -> None:
    """Keep a bundle in the folder of the target that was made of it: a further name of the file, or a copy.

    Raises OSError, BusyError and TargetError.
    """
    folder = TargetFolder(target)
    try:
        with folder.lock(), bundle.open("rb") as source:
            try:
                name_again(bundle, source.fileno(), folder.descriptor)
                os.rename(_NEW, BUNDLE_FILE, src_dir_fd=folder.descriptor, dst_dir_fd=folder.descriptor)
            except BaseException:
                with contextlib.suppress(OSError):
                    os.unlink(_NEW, dir_fd=folder.descriptor)
                raise
    finally:
        folder.close()


def name_again(bundle: Path, source: int, folder: int) -> None:
    """Give an open bundle a further name in an open folder, or copy it where that cannot be. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=folder)
    with contextlib.suppress(OSError, NotImplementedError):  # EXDEV, EPERM: another file system, somebody else's file
        os.link(os.path.realpath(bundle), _NEW, dst_dir_fd=folder, follow_symlinks=False)
        if os.path.samestat(os.fstat(source), os.stat(_NEW, dir_fd=folder, follow_symlinks=False)):
            return
    copy_bundle(source, folder)


def remove_half_kept(target: Path) -> bool:
    """Remove what a killed process wrote of a bundle into its target; return whether there was something.

    Raises BusyError where that is not dead, and TargetError.
    """
    folder = TargetFolder(target)
    try:
        if not is_there(folder.descriptor, _NEW):
            return False
        with folder.lock(), contextlib.suppress(FileNotFoundError):
            os.unlink(_NEW, dir_fd=folder.descriptor)
        return True
    finally:
        folder.close()


def copy_bundle(source: int, folder: int) -> None:
    """Copy an open bundle into an open folder: shared where the file system can. Raises OSError."""
    with contextlib.suppress(FileNotFoundError):
        os.unlink(_NEW, dir_fd=folder)
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    copy = os.open(_NEW, flags, 0o600, dir_fd=folder)
    try:
        if sys.platform == "linux":
            import fcntl

            from rtrace.linux.descriptors import FICLONE

            with contextlib.suppress(OSError):  # EOPNOTSUPP, EXDEV: it has to be copied
                fcntl.ioctl(copy, FICLONE, source)
                return
        with open(source, "rb", closefd=False) as file:
            while part := file.read(_PART):
                rest = memoryview(part)
                while rest:
                    rest = rest[os.write(copy, rest) :]
    finally:
        os.close(copy)


def read_identity(target: Path) -> str | None:
    """Return the identity of the bundle that a target was made of, None where its unpacker does not tell.

    Raises TargetError.
    """
    match read_any_state(target):
        case {"bundle": str(identity)}:
            return identity
    return None


def find_bundle(target_path: Path, named: Path | None) -> Path:
    """Return the bundle that a target was made of: the one named, else the one kept in its folder (`bundle.rpz`).

    Raises BundleError, and TargetError when there is none or it is another one.
    """
    identity = read_identity(target_path)
    bundle = target_path / BUNDLE_FILE if named is None else named
    if named is None and not os.path.lexists(bundle):
        raise TargetError(f"{target_path} does not hold the bundle that it was made of; name it with --bundle FILE")
    with open_bundle(bundle) as opened:
        if identity is not None and opened.identity != identity:
            advice = "name that one" if named is not None else "name that one with --bundle FILE"
            raise TargetError(
                f"{bundle} is not the bundle that {target_path} was made of (sha256:{identity}); {advice}"
            )
    return bundle
