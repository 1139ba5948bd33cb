"""What killed processes left in an engine: images and containers of unfinished targets and of throw-away targets.

Nothing here goes by age or process number. A target's maker holds a lock on its ``launchers.tar`` as long as it
lives, and so does each command of the engine that it started. A target that a person keeps is none of these, wherever
it has been moved to.
"""

from __future__ import annotations

import contextlib
import os
import re
import stat
import tempfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace_unpackers.engines.belonging.identity import (
    BUILDING_LABEL,
    FOLDER_LABEL,
    MAKER_LABEL,
    TARGET_LABEL,
    decode_path,
    is_number,
    name_container,
    name_maker,
    read_number,
)
from rtrace_unpackers.engines.belonging.possessions import Possessions, remove_possessions
from rtrace_unpackers.engines.belonging.use import is_held
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.image.layers import OWN, name_file
from rtrace_unpackers.target.removal import remove_tree

_WORKSPACE = re.compile(r"rtrace-[a-z]+-[a-z0-9_]{8}\Z")
"""The folders that `rtrace run BUNDLE` and `rtrace verify` make a throw-away target in."""


@dataclass(frozen=True, slots=True)
class Leftover:
    """The leftovers of one target: where it was made, and what the engine has of it."""

    number: str
    folder: Path
    possessions: Possessions

    @property
    def description(self) -> str:
        """What is left, in a few words."""
        return f"{self.possessions.summary} of {self.folder}"


def list_leftovers(engine: Engine | None = None) -> tuple[Leftover, ...]:
    """Return what is left of targets whose maker is dead. Raises TargetError.

    Without an engine that is known to answer, `docker`'s is asked, and where it does not answer there is nothing.
    """
    if engine is None:
        engine = choose_engine()
        if not engine.answers():
            return ()
    images = by_number(engine.list("image", TARGET_LABEL))
    containers = by_number(engine.list("container", TARGET_LABEL))
    leftovers = []
    for number in sorted({*images, *containers}):
        made = tuple(image for image in images.get(number, ()) if FOLDER_LABEL in image.labels)
        own = tuple(thing for thing in containers.get(number, ()) if name_container(number) in thing.names)
        possessions = Possessions(own, made)
        folder = find_dead_folder(number, possessions)
        debug(
            __name__, "%s has %s: %s", number, possessions.summary, "a leftover" if folder else "none of ours to remove"
        )
        if folder is not None:
            leftovers.append(Leftover(number, folder, possessions))
    return tuple(leftovers)


def by_number(things: Iterable[Thing]) -> dict[str, list[Thing]]:
    """Return this user's things by the number of their target."""
    found: dict[str, list[Thing]] = {}
    for thing in things:
        number = thing.labels.get(TARGET_LABEL, "")
        if is_number(number) and thing.labels.get(MAKER_LABEL) == name_maker():
            found.setdefault(number, []).append(thing)
    return found


def find_dead_folder(number: str, possessions: Possessions) -> Path | None:
    """Return where a target was being made, or was to be thrown away; None when it lives, or may live elsewhere."""
    labels = [thing.labels for thing in (*possessions.containers, *possessions.images)]
    finals = list_paths(labels, FOLDER_LABEL)
    makings = list_paths(labels, BUILDING_LABEL)
    for folder in (*finals, *makings):
        if read_number(folder) == number:
            is_passing = folder in makings or is_workspace(folder.parent)
            return folder if is_passing and not is_held(folder / name_file(OWN)) else None
    if not all(map(is_gone, (*finals, *makings))):
        return None
    # A kept target may have been moved. One in a workspace has not, nor one that has neither a name nor a container.
    for folder in finals:
        is_nameless = not possessions.containers and not any(image.names for image in possessions.images)
        if is_workspace(folder.parent) or is_nameless:
            return folder
    return None


def list_paths(labels: Iterable[Mapping[str, str]], name: str) -> list[Path]:
    """Return the paths in a label of several things, each once."""
    paths = (decode_path(each.get(name)) for each in labels)
    return list(dict.fromkeys(path for path in paths if path is not None))


def is_gone(folder: Path) -> bool:
    """Whether there is nothing of that name; what this user may not see counts as there."""
    try:
        os.lstat(folder)
    except (FileNotFoundError, NotADirectoryError):
        return True
    except OSError:  # EACCES: somebody else's
        return False
    return False


def is_workspace(folder: Path) -> bool:
    """Whether a folder was made for a throw-away target."""
    return _WORKSPACE.match(folder.name) is not None and folder.parent == Path(os.path.realpath(tempfile.gettempdir()))


def remove_leftover(leftover: Leftover, engine: Engine | None = None) -> None:
    """Remove what is left of a target, in the engine first: its folder tells of it until then. Raises TargetError."""
    remove_possessions(engine or choose_engine(), leftover.possessions, None)
    if read_number(leftover.folder) == leftover.number:
        remove_tree(leftover.folder)
        if is_workspace(leftover.folder.parent) and is_ours(leftover.folder.parent):
            with contextlib.suppress(OSError):  # ENOTEMPTY: there is more in it than the target
                leftover.folder.parent.rmdir()


def is_ours(folder: Path) -> bool:
    """Whether something is a folder of this user's, and no symbolic link."""
    status = os.lstat(folder)
    return stat.S_ISDIR(status.st_mode) and (os.name != "posix" or status.st_uid == os.geteuid())


def clean(engine: Engine | None = None) -> tuple[str, ...]:
    """Remove what dead makers left, and describe what is gone; what cannot be removed is left for the next time."""
    gone = []
    for leftover in list_leftovers(engine):
        with contextlib.suppress(TargetError):
            remove_leftover(leftover, engine)
            gone.append(leftover.description)
    return tuple(gone)
