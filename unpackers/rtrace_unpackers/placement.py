"""Build a target under another name, so that what bears its name is whole."""

from __future__ import annotations

import contextlib
import os
import tempfile
from collections.abc import Iterator
from pathlib import Path

from rtrace.errors import TargetError
from rtrace_unpackers.removal import remove_tree


def refuse_existing(target: Path) -> None:
    """Raise TargetError when there is something at a target's path, or no directory for it."""
    if os.path.lexists(target):
        raise TargetError(f"{target} exists already; name another target, or remove it with `rtrace destroy {target}`")
    if not target.absolute().parent.is_dir():
        raise TargetError(f"cannot make {target}: there is no directory {target.absolute().parent}")


@contextlib.contextmanager
def build_beside(target: Path) -> Iterator[Path]:
    """Yield an empty directory of the caller's alone, which becomes the target in the end; on an error it goes.

    Nobody else can enter it: a bundle's set-uid files are out of reach for other users of the machine.
    """
    refuse_existing(target)
    try:
        incomplete = Path(tempfile.mkdtemp(prefix=".rtrace-incomplete-", dir=target.absolute().parent))
    except OSError as error:
        raise TargetError(f"cannot make {target}: {error.strerror}") from None
    try:
        if os.name == "posix":
            # In a set-gid directory it got that directory's group, which a user namespace would not know.
            os.chown(incomplete, -1, os.getegid())
            os.chmod(incomplete, 0o700)
        yield incomplete
        os.rename(incomplete, target)
    except OSError as error:
        with contextlib.suppress(TargetError):
            remove_tree(incomplete)
        where = f" ({os.fsdecode(error.filename)})" if error.filename else ""
        raise TargetError(f"cannot make {target}: {error.strerror}{where}") from None
    except BaseException:
        with contextlib.suppress(TargetError):
            remove_tree(incomplete)
        raise
