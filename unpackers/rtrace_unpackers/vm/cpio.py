"""Archives as a kernel unpacks them when it starts: cpio's "newc", see the kernel's initramfs-buffer-format."""

from __future__ import annotations

import stat
from collections.abc import Iterable
from dataclasses import dataclass

TRAILER = "TRAILER!!!"


@dataclass(frozen=True, slots=True)
class Member:
    """A file or folder of such an archive; ``path`` is ours, never a bundle's."""

    path: str
    content: bytes = b""
    mode: int = stat.S_IFREG | 0o755


def make_folder(path: str) -> Member:
    """Return a folder."""
    return Member(path, mode=stat.S_IFDIR | 0o755)


def render_archive(members: Iterable[Member]) -> bytes:
    """Return an archive. Several of them one after the other are one to the kernel."""
    everything = bytearray()
    for number, member in enumerate((*members, Member(TRAILER, mode=0)), start=1):
        name = member.path.encode() + b"\0"
        links = 2 if stat.S_ISDIR(member.mode) else 1
        fields = (number, member.mode, 0, 0, links, 0, len(member.content), 0, 0, 0, 0, len(name), 0)
        everything += b"070701" + b"".join(b"%08X" % field for field in fields) + name
        pad(everything)
        everything += member.content
        pad(everything)
    return bytes(everything)


def pad(archive: bytearray) -> None:
    """Pad to a multiple of four."""
    archive += bytes(-len(archive) % 4)
