"""Which targets were unpacked where: a small file for each in the person's state folder, of which nothing is believed.

$XDG_STATE_HOME/rtrace/targets/DIGEST.json   DIGEST is of the target's path; locked while the target is made
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import re
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import ForeignError, RtraceError
from rtrace.files.folders import find_own_folder, has_descriptors, read_own, refuse_others, write_new
from rtrace.files.locks import try_lock
from rtrace.path_text import to_bytes, to_text

REGISTER_FORMAT = 1
REGISTER_LIMIT = 1 << 16
"""The most bytes that such a file may have."""
MOST_TARGETS = 10_000
_NAME = re.compile(r"[0-9a-f]{32}\.json\Z")


@dataclass(frozen=True, slots=True)
class Registered:
    """A target as it was when it was unpacked; ``identity`` is None until it was whole."""

    path: Path
    unpacker: str
    bundle: str
    identity: str | None
    made: float
    file: str = ""


def find_register() -> Path:
    """Return the folder of the register."""
    return find_own_folder("XDG_STATE_HOME") / "rtrace" / "targets"


def locate(target: Path) -> Path:
    """Return where a target is: absolute, through no symlink but its own name."""
    absolute = Path(os.path.abspath(target))
    return Path(os.path.realpath(absolute.parent)) / absolute.name


def name_file(path: Path) -> str:
    """Return the name of the file that tells of a target."""
    return f"{hashlib.sha256(os.fsencode(path)).hexdigest()[:32]}.json"


@contextlib.contextmanager
def opened_register(*, make: bool = False) -> Iterator[int]:
    """Yield a descriptor of the register's folder. Raises OSError, and ForeignError for somebody else's."""
    folder = find_register()
    if not has_descriptors():
        raise OSError(errno.ENOTSUP, "this system has no register of targets")
    if make:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        status = os.fstat(descriptor)
        if status.st_uid == os.geteuid() and status.st_mode & 0o022:
            os.fchmod(descriptor, 0o700)
        elif status.st_uid != os.geteuid():
            refuse_others(descriptor, folder)
        yield descriptor
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def registering(target: Path, unpacker: str, bundle: Path) -> Iterator[None]:
    """Note a target while it is made; it is forgotten if the block fails. Raises OSError and ForeignError."""
    entry = Registered(locate(target), unpacker, bundle.name, None, time.time())
    with opened_register(make=True) as folder:
        write(folder, entry)
        held = os.open(name_file(entry.path), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=folder)
    try:
        with contextlib.suppress(BlockingIOError):
            try_lock(held, shared=True)
        yield
    except BaseException:
        with contextlib.suppress(OSError, ForeignError):
            forget(target)
        raise
    finally:
        os.close(held)


def note_made(target: Path, unpacker: str, bundle: Path, identity: str | None) -> None:
    """Note a target that is whole. Raises OSError and ForeignError."""
    with opened_register(make=True) as folder:
        write(folder, Registered(locate(target), unpacker, bundle.name, identity, time.time()))


def write(folder: int, entry: Registered) -> None:
    """Write what is known of a target, in the place of an older file. Raises OSError."""
    content = {
        "bundle": to_text(os.fsencode(entry.bundle)),
        "format": REGISTER_FORMAT,
        "identity": entry.identity,
        "made": entry.made,
        "path": to_text(os.fsencode(entry.path)),
        "unpacker": entry.unpacker,
    }
    write_new(folder, name_file(entry.path), (json.dumps(content, indent=2, sort_keys=True) + "\n").encode())


def forget(target: Path) -> None:
    """Remove a target from the register. Raises OSError and ForeignError."""
    with contextlib.suppress(FileNotFoundError), opened_register() as folder:
        os.unlink(name_file(locate(target)), dir_fd=folder)


def drop(entry: Registered) -> None:
    """Remove what was read of the register. Raises OSError and ForeignError."""
    with contextlib.suppress(FileNotFoundError), opened_register() as folder:
        os.unlink(entry.file, dir_fd=folder)


def is_being_made(entry: Registered) -> bool:
    """Whether a living process makes a target."""
    try:
        with opened_register() as folder:
            file = os.open(entry.file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC, dir_fd=folder)
    except (OSError, RtraceError):
        return False
    try:
        try_lock(file)
    except BlockingIOError:
        return True
    finally:
        os.close(file)
    return False


def read_register() -> tuple[tuple[Registered, ...], tuple[str, ...]]:
    """Return the targets that are known, by their paths, and the names of files that cannot be read.

    Raises OSError and ForeignError.
    """
    found, broken = [], []
    with contextlib.suppress(FileNotFoundError), opened_register() as folder:
        for name in sorted(name for name in os.listdir(folder) if _NAME.match(name))[:MOST_TARGETS]:
            try:
                found.append(_parse(name, json.loads(read_own(folder, name, REGISTER_LIMIT))))
            except FileNotFoundError:  # removed meanwhile
                continue
            except (OSError, ValueError, RecursionError, ForeignError):
                broken.append(name)
    return tuple(sorted(found, key=lambda entry: entry.path)), tuple(broken)


def _parse(name: str, content: object) -> Registered:
    match content:
        case {
            "format": int(),
            "path": str(path),
            "unpacker": str(unpacker),
            "bundle": str(bundle),
            "identity": str() | None as identity,
            "made": float(made),
        }:
            place = Path(os.fsdecode(to_bytes(path)))
            if place.is_absolute() and "\0" not in path and name == name_file(place) and 0 <= made < 1 << 40:
                return Registered(place, unpacker, os.fsdecode(to_bytes(bundle)), identity, made, name)
    raise ValueError(name)
