"""Build a target under another name, so that what bears its name is whole."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import ForeignError, TargetError
from rtrace.files.folders import has_descriptors, open_parent
from rtrace.files.workspaces import TARGET_IN_THE_MAKING, Workspace, building_by_path, make_workspace
from rtrace.interrupts import lifted, shielded
from rtrace.printable import printable, shell_word


def refuse_existing(target: Path) -> None:
    """Raise TargetError when there is something at a target's path, or no directory for it."""
    if os.path.lexists(target):
        removal = f"`rtrace destroy {shell_word(target)}`"
        raise TargetError(f"{target} exists already; name another target, or remove it with {removal}")
    if not target.absolute().parent.is_dir():
        raise TargetError(f"cannot make {target}: there is no directory {target.absolute().parent}")


@contextlib.contextmanager
def building(target: Path) -> Iterator[Workspace]:
    """Yield an empty folder of the caller's alone, which becomes the target in the end; on an error it goes.

    It is locked for as long as it is built. Nobody else can enter it: a bundle's set-uid files are out of reach for
    other users of the machine. Raises TargetError when nothing can be made there.
    """
    refuse_existing(target)
    shown = printable(os.fsencode(target))
    with contextlib.ExitStack() as stack:
        stack.enter_context(shielded())
        try:
            parent, name = open_parent(target)
            workspace = make_workspace(parent, target.absolute().parent, TARGET_IN_THE_MAKING)
        except OSError as error:
            raise TargetError(f"cannot make {shown}: {error.strerror}; name another folder") from None
        except ForeignError as error:
            raise TargetError(f"cannot make {shown}: {error}") from None
        stack.enter_context(workspace)
        try:
            # In a set-gid directory it got that directory's group, which a user namespace would not know.
            os.fchown(workspace.descriptor, -1, os.getegid())
            os.fchmod(workspace.descriptor, 0o700)
            debug(__name__, "building %s in %s", shown, workspace.path)
            with lifted():
                yield workspace
            workspace.give_name(name)
        except FileExistsError:
            raise TargetError(f"{shown} was made by somebody else in the meantime; name another folder") from None
        except OSError as error:
            where = f" ({printable(os.fsencode(error.filename))})" if error.filename else ""
            raise TargetError(f"cannot make {shown}: {error.strerror}{where}") from None


@contextlib.contextmanager
def building_anywhere(target: Path) -> Iterator[Workspace | Path]:
    """Yield what `building` does; where folders have no descriptors, the path of the folder alone."""
    if has_descriptors():
        with building(target) as workspace:
            yield workspace
        return
    refuse_existing(target)
    try:
        with building_by_path(target.absolute().parent, TARGET_IN_THE_MAKING, target.name) as folder:
            yield folder
    except OSError as error:
        raise TargetError(f"cannot make {printable(os.fsencode(target))}: {error.strerror}") from None


@contextlib.contextmanager
def build_beside(target: Path) -> Iterator[Path]:
    """Yield the path of a folder that becomes the target in the end, as `building` does."""
    with building(target) as workspace:
        yield workspace.path
