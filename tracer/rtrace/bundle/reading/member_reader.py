"""The members of a bundle's outer tar, read and compared with their digests."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import members
from rtrace.bundle.data.archive import FRAME_HEADER_SIZE, decompress_parts, frame_size
from rtrace.bundle.data.file_range import FileRange
from rtrace.bundle.limits import ENTRIES_LIMIT
from rtrace.errors import BundleError, DamagedBundleError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from rtrace.bundle.reading.container import Member

SMALL_INDEX = 32 << 20
"""Bytes of an index that may be in memory at once before anything is known of it."""
_STEP = 1 << 20
_FRAME_ROOM = 1 << 10
"""Bytes by which a frame may be longer than its content, and one byte for each 128 of it."""
_FEW = 16
"""Bytes of the identity that differ where it, and not the manifest, is damaged."""


class MemberReader:
    """Reads members of the bundle at ``path``. All of it raises BundleError for what is cut off or not as it was."""

    def __init__(self, path: Path, file: BinaryIO) -> None:
        self._path = path
        self._file = file

    def read(self, member: Member) -> bytes:
        """Return a member that is not large, whatever is in it."""
        self._file.seek(member.offset)
        content = self._file.read(member.size)
        if len(content) != member.size:
            raise BundleError(f"{self._path} is cut off; fetch it again")
        return content

    def read_proven(self, name: str, member: Member, sha256: str) -> Iterator[bytes]:
        """Yield the parts of a member; at the end it is known whether it has that digest."""
        digest = hashlib.sha256()
        position, end = member.offset, member.offset + member.size
        while position < end:
            self._file.seek(position)
            part = self._file.read(min(_STEP, end - position))
            if not part:
                raise BundleError(f"{self._path} is cut off; fetch it again")
            position += len(part)
            digest.update(part)
            yield part
        if digest.hexdigest() != sha256:
            raise DamagedBundleError(
                f"{self._path} is damaged: {name} is not what was packed; fetch it again", member.offset, end - 1
            )

    def size_of_index(self, member: Member) -> int:
        """Return how long a member that is an index says it is when decompressed; no longer than an index may be."""
        size = frame_size(FileRange(self._file, member.offset, member.size).read(FRAME_HEADER_SIZE))
        if size > members.INDEX_LIMIT:
            raise BundleError(f"it would be {size} bytes long when decompressed")
        if member.size > size + size // 128 + _FRAME_ROOM:
            raise BundleError(f"it has {member.size} bytes for the {size} that it holds")
        return size

    def read_index(self, name: str, member: Member, sha256: str) -> Iterator[bytes]:
        """Yield the parts of a member that is an index: not more of them, and no more lines, than an index may have.

        Its size is looked at first, then its digest, then how many lines there are; only then anything is given.
        """
        size = self.size_of_index(member)
        for _ in self.read_proven(name, member, sha256):
            pass
        if size > SMALL_INDEX:
            lines = sum(part.count(b"\n") for part in self._decompress(member, size))
            if lines > ENTRIES_LIMIT:
                raise BundleError(f"it has {lines} lines, more than any that rtrace writes")
        return self._decompress(member, size)

    def read_lines(self, name: str, member: Member, sha256: str, limit: int, most: int) -> list[bytes]:
        """Return the lines of a member that has at most ``limit`` bytes when decompressed, and ``most`` lines."""
        if self.size_of_index(member) > limit:
            raise BundleError(f"it is larger than the {limit >> 20} MiB that it may have")
        content = b"".join(self.read_index(name, member, sha256))
        if content.count(b"\n") > most:
            raise BundleError(f"it has more than the {most} lines that a bundle may have")
        return content.splitlines(keepends=True)

    def _decompress(self, member: Member, size: int) -> Iterator[bytes]:
        return decompress_parts(FileRange(self._file, member.offset, member.size), size)

    def extract(self, name: str, member: Member, sha256: str, destination: Path) -> None:
        """Write a member to a new file; after an error there is no file."""
        try:
            with destination.open("xb") as copy:
                for part in self.read_proven(name, member, sha256):
                    copy.write(part)
        except FileExistsError:
            raise BundleError(f"{destination} exists already; remove it or name another file") from None
        except BundleError:
            destination.unlink()
            raise
        except OSError as error:
            raise BundleError(f"cannot write {destination}: {error.strerror}") from None

    def check_identity(self, name: str, member: Member, manifest: Member, identity: str) -> None:
        """Refuse a manifest whose identity is not the one that was packed beside it."""
        found, expected = self.read(member), (members.IDENTITY_TEXT % identity).encode()
        differing = [place for place, (byte, wanted) in enumerate(zip(found, expected, strict=False)) if byte != wanted]
        if found == expected:
            return
        if len(differing) <= _FEW and len(found) == len(expected):  # of another manifest almost every digit would be
            first, last = member.offset + differing[0], member.offset + differing[-1]
            sentence = f"{self._path} is damaged: {name} is not what was packed; fetch it again"
            raise DamagedBundleError(sentence, first, last)
        sentence = f"{self._path} is damaged: its manifest is not the one that was packed; fetch it again"
        raise DamagedBundleError(sentence, manifest.offset, manifest.offset + manifest.size - 1)
