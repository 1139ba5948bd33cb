"""The steps of setting up a replay, as values; ``perform`` carries them out."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from rtrace_unpackers.isolation.kernel.mounting import NO_FLAGS, MountFlag


@dataclass(frozen=True, slots=True)
class MakeDirectory:
    """Make sure that there is a directory, and not a symlink to one."""

    path: bytes
    mode: int = 0o755


@dataclass(frozen=True, slots=True)
class MakeFile:
    """Make an empty file, for something to be mounted on it."""

    path: bytes


@dataclass(frozen=True, slots=True)
class MakeSymlink:
    """Make a symbolic link."""

    path: bytes
    target: bytes


@dataclass(frozen=True, slots=True)
class WriteFile:
    """Write a file that everybody in the replay may read."""

    path: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class MakeInside:
    """Make sure that there is a directory in one of the tree's own; links are followed with the tree as the world."""

    folder: bytes
    name: bytes
    mode: int


@dataclass(frozen=True, slots=True)
class Show:
    """Show something of the machine, or of what is set up already, at a path of the tree, of which no link leads out.

    ``source`` begins with a slash where it is the machine's. An ``optional`` one shows nothing where either is missing.
    """

    source: bytes
    path: bytes
    read_only: bool = False
    optional: bool = False


@dataclass(frozen=True, slots=True)
class Mount:
    """Call mount(2). An optional mount that the kernel refuses is left out."""

    target: bytes
    source: bytes | None = None
    filesystem: bytes | None = None
    flags: MountFlag = NO_FLAGS
    data: bytes | None = None
    optional: bool = False


@dataclass(frozen=True, slots=True)
class MountAround:
    """Mount something over a directory, and show a directory in that at its place all the same."""

    mount: Mount
    kept: bytes


@dataclass(frozen=True, slots=True)
class MakeReadOnly:
    """Make a part of a file system that is mounted without set-uid, devices and execution read-only, if it exists."""

    path: bytes


@dataclass(frozen=True, slots=True)
class Hide:
    """Mount an empty file or directory over a path, if it exists."""

    path: bytes


@dataclass(frozen=True, slots=True)
class ShowFile:
    """Show a file that was set up in the place of another one, read-only, if that exists."""

    source: bytes
    path: bytes


@dataclass(frozen=True, slots=True)
class Set:
    """Write a setting of the kernel, if there is one."""

    path: bytes
    content: bytes


@dataclass(frozen=True, slots=True)
class EnterTree:
    """Attach the tree as a mount of its own over the working directory, and go on relative to its root."""


@dataclass(frozen=True, slots=True)
class EnterOverlay:
    """Mount an overlay of the tree and of what is changed, which are handed in as mounts, and go on in its root."""


@dataclass(frozen=True, slots=True)
class SetHostname:
    """Name the machine, in its own UTS namespace."""

    name: bytes


@dataclass(frozen=True, slots=True)
class BringUpLoopback:
    """Give the new network namespace its 127.0.0.1."""


@dataclass(frozen=True, slots=True)
class EnterRoot:
    """Make the current directory the root, and let go of the old one."""


Operation: TypeAlias = (
    MakeDirectory
    | MakeFile
    | MakeSymlink
    | WriteFile
    | MakeInside
    | Show
    | Mount
    | MountAround
    | MakeReadOnly
    | Hide
    | ShowFile
    | Set
    | EnterTree
    | EnterOverlay
    | SetHostname
    | BringUpLoopback
    | EnterRoot
)
