"""What a bundle says of each file: as it was before the run (Entry), and as the run left it (Result)."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from typing import NamedTuple


class FileType(str, Enum):
    """The kinds of file a bundle can hold, named as inode(7) does."""

    REGULAR = "file"
    DIRECTORY = "directory"
    SYMLINK = "symlink"
    FIFO = "fifo"


class Entry(NamedTuple):
    """One packed file, as it was before the first run touched it.

    ``path`` is absolute, normalised, and holds no symlink but possibly as its last component. ``mode`` is the
    permission bits with set-uid, set-gid and sticky (0o7777). ``size`` is in bytes, ``mtime_ns`` in nanoseconds
    since the Epoch. ``sha256`` is the hexadecimal digest of a regular file's content and None otherwise.
    ``placeholder`` marks a regular file whose name, type, size and times alone were needed (its directory was
    listed, nobody opened it): its content is not in the bundle, it unpacks as a sparse file of its size.
    ``link`` is the path of the entry that holds the content, when this one is a further hard link to it.
    ``copy_of`` is the path of the entry that holds the content, when this is a file of its own with the same content.
    ``segments`` are offset and length of the parts of a sparse file that hold data, in their order: all else is holes,
    and not in the data stream. None: it has no holes.
    ``elsewhere`` marks a regular file whose content is left out, to be fetched by its size and digest.
    ``package`` owns it; ``belonging`` says why although it does not list it, or whose it is without a package.
    ``xattrs`` are names and values of extended attributes, sorted by name; a further hard link has none of its own.
    ``blocks`` is the room that a placeholder took on the disk, in 512 bytes, where a run may have seen it; else None.
    ``twin`` is the path of the first name of a placeholder that is a further hard link to it.
    ``offset`` is where the content starts in the uncompressed data stream, None when there is no content there.
    (A tuple, which is made in a quarter of the time that a data class takes: a bundle can have a million of these.)
    """

    path: bytes
    type: FileType
    mode: int
    uid: int
    gid: int
    mtime_ns: int
    size: int = 0
    sha256: str | None = None
    target: bytes | None = None
    link: bytes | None = None
    placeholder: bool = False
    offset: int | None = None
    package: str | None = None
    reason: str = ""
    copy_of: bytes | None = None
    segments: tuple[tuple[int, int], ...] | None = None
    elsewhere: bool = False
    belonging: str | None = None
    xattrs: tuple[tuple[bytes, bytes], ...] = ()
    blocks: int | None = None
    twin: bytes | None = None

    @property
    def is_published(self) -> bool:
        """Whether everybody who has its package has it: neither made on that machine nor changed by hand there."""
        return self.package is not None and self.belonging in {None, "compiled", "symlink", "alternative"}


@dataclass(frozen=True, slots=True)
class Result:
    """The state in which a run left a path that it created, changed or removed.

    ``type`` is None when the path does not exist after the run. ``sha256`` is None for everything but regular files,
    and for a regular file whose content could no longer be read when the bundle was made. ``vague``: all that is known
    is that the run wrote there; only other programs' bundles have such results.
    """

    run: str
    path: bytes
    type: FileType | None
    mode: int = 0
    size: int = 0
    sha256: str | None = None
    target: bytes | None = None
    vague: bool = False
