"""Files that hold others: archives and compressed files, compared member by member."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import stat
import tarfile
import tempfile
import zipfile
import zlib
from typing import IO, TYPE_CHECKING, Any, BinaryIO, Protocol, cast

from rtrace.verify.kinds.contents import PART, are_same, peek
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, list_some, shorten_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    Judge = Callable[[BinaryIO, BinaryIO, Rule, tuple[bytes, bytes], int], Judgement]

MOST = 2 << 30
"""Bytes that all that is unpacked of one file may have."""
_MOST_MEMBERS = 100_000
_IN_MEMORY = 8 << 20
_HEAD = 512
_ZIP, _TAR_AT, _TAR = b"PK\x03\x04", 257, b"ustar"
_COMPRESSED: dict[bytes, str] = {
    b"\x1f\x8b": "gzip",
    b"BZh": "bzip2",
    b"\xfd7zXZ\0": "xz",
    b"\x28\xb5\x2f\xfd": "zstd",
}
_PERMISSIONS = 0o777
_UNIX = 3
"""Where a member of a zip was made, if its permissions mean something."""
_DATED = (b"docProps/core.xml", b"meta.xml")
"""Members of office documents that hold who made them and when."""


class Readable(Protocol):
    """What gives parts of a content until there are none."""

    def read(self, size: int, /) -> bytes:
        """Return the next part."""


class Room:
    """What may still be unpacked: the members of an archive share it with those in them."""

    def __init__(self, left: int = MOST) -> None:
        self.left = left

    def unpack(self, source: Readable) -> BinaryIO:
        """Return what comes out of a reader as a file at its beginning. Raises CannotCompareError for a bomb."""
        small = io.BytesIO()
        target: BinaryIO = small
        while part := source.read(PART):
            self.left -= len(part)
            if self.left < 0:
                raise CannotCompareError(f"more than {MOST >> 30} GiB come out of it")
            if target is small and small.tell() > _IN_MEMORY:
                target = cast("BinaryIO", tempfile.TemporaryFile())  # noqa: SIM115 -- the caller closes it
                target.write(small.getvalue())
            target.write(part)
        target.seek(0)
        return target


class Compressed:
    """Compares what comes out; how it was compressed, and the name and time in it, do not count."""

    def __init__(self, judge: Judge, room: Room, depth: int) -> None:
        self.name = "compressed file"
        self._judge = judge
        self._room = room
        self._depth = depth

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content is compressed in a way that is known."""
        return find_compression(head) is not None

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:
        """Decompress and compare."""
        kinds = [find_compression(peek(file, _HEAD)) for file in (expected, found)]
        findings = Findings(f"{kinds[0]} of something", rule)
        if kinds[0] != kinds[1]:
            findings.ignore("compression")
        inner = tuple(name.rpartition(b".")[0] if b"." in name else name for name in names)
        with _decompress(expected, self._room) as old, _decompress(found, self._room) as new:
            if are_same(old, new):
                findings.ignore("compression, or name and time in it")
            else:
                judged = self._judge(old, new, rule, (inner[0], inner[1]), self._depth + 1)
                findings.kind = f"{kinds[0]} of {judged.kind}"
                findings.take("", judged)
                if judged.likeness in {"equal", "close"}:
                    findings.ignore("compression, or name and time in it")
        return findings.conclude()


class Archive:
    """Compares member by member; their order, times and owners, and how they were compressed, do not count."""

    def __init__(self, judge: Judge, room: Room, depth: int) -> None:
        self.name = "archive"
        self._judge = judge
        self._room = room
        self._depth = depth

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content is a tar or a zip."""
        return head.startswith(_ZIP) or head[_TAR_AT : _TAR_AT + len(_TAR)] == _TAR

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the members of one name."""
        kinds = ["zip" if peek(file, _HEAD).startswith(_ZIP) else "tar" for file in (expected, found)]
        if kinds[0] != kinds[1]:
            raise CannotCompareError("one is a zip, the other a tar")
        findings = Findings(kinds[0], rule)
        read = read_zip if kinds[0] == "zip" else read_tar
        with read(expected) as old, read(found) as new:
            if old.members.keys() != new.members.keys():
                for one, other, which in ((old, new, 0), (new, old, 1)):
                    lacking = sorted(
                        name for name in one.members.keys() - other.members.keys() if not findings.leaves_out(name)
                    )
                    if lacking:
                        shown = list_some(lacking)
                        findings.differ(
                            f"member {lacking[0]}", *((shown, "not there") if not which else ("not there", shown))
                        )
            if old.comment != new.comment:
                findings.differ("comment", shorten_text(repr(old.comment)), shorten_text(repr(new.comment)))
            for name in sorted(old.members.keys() & new.members.keys()):
                if not findings.leaves_out(name):
                    self._compare_member(name, old, new, findings)
            if list(old.members) != list(new.members):
                findings.ignore("order of members")
        if findings.likeness in {"equal", "close"}:
            findings.ignore("times, owners and compression of members")
        return findings.conclude()

    def _compare_member(self, name: str, old: Opened, new: Opened, findings: Findings) -> None:
        if old.members[name] != new.members[name]:
            findings.differ(f"member {name}", old.members[name], new.members[name])
            return
        if not old.members[name].startswith("file"):
            return
        with self._room.unpack(old.open(name)) as one, self._room.unpack(new.open(name)) as other:
            if are_same(one, other):
                return
            if name.encode("utf-8", "surrogateescape") in _DATED:
                findings.ignore("who made the document, and when")
                return
            inner = name.encode("utf-8", "surrogateescape")
            judged = self._judge(one, other, findings.rule, (inner, inner), self._depth + 1)
            findings.take(f"member {name}", judged)


class Opened:
    """An open archive: what its members are, by name (``file`` and its permissions, or words), and how one is read."""

    def __init__(
        self,
        members: dict[str, str],
        open_member: Callable[[str], IO[bytes]],
        close: Callable[[], None],
        comment: bytes = b"",
    ) -> None:
        self.comment = comment
        self.members = members
        self.open = open_member
        self._close = close

    def __enter__(self) -> Opened:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()


def read_zip(file: BinaryIO) -> Opened:
    """Open a zip. Raises CannotCompareError."""
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise CannotCompareError(f"it is no intact zip ({error})") from None
    infos = archive.infolist()
    members = {info.filename: _describe_zipped(info) for info in infos[:_MOST_MEMBERS]}
    if len(members) != len(infos):
        raise CannotCompareError(f"it has more than {_MOST_MEMBERS} members, or two of one name")
    if any(info.flag_bits & 1 for info in infos):
        raise CannotCompareError("it is encrypted")
    return Opened(members, archive.open, archive.close, archive.comment)


def read_tar(file: BinaryIO) -> Opened:
    """Open a tar. Raises CannotCompareError."""
    try:
        archive = tarfile.open(fileobj=file, mode="r:")  # noqa: SIM115 -- closed by whoever has what is returned
        infos: dict[str, tarfile.TarInfo] = {}
        for info in archive:
            if info.name in infos or len(infos) >= _MOST_MEMBERS:
                raise CannotCompareError(f"it has more than {_MOST_MEMBERS} members, or two of one name")
            infos[info.name] = info
    except tarfile.TarError as error:
        raise CannotCompareError(f"it is no intact tar ({error})") from None
    members = {name: _describe(info) for name, info in infos.items()}

    def open_member(name: str) -> IO[bytes]:
        opened = archive.extractfile(infos[name])
        if opened is None:
            raise CannotCompareError(f"its member {name} cannot be read")
        return opened

    return Opened(members, open_member, archive.close)


def find_compression(head: bytes) -> str | None:
    """Return how a content is compressed; None where it is not."""
    return next((name for magic, name in _COMPRESSED.items() if head.startswith(magic)), None)


def _describe_zipped(info: zipfile.ZipInfo) -> str:
    mode = info.external_attr >> 16
    if info.is_dir():
        return "a folder"
    if stat.S_ISLNK(mode):
        return "file that is a symbolic link"
    return f"file {mode & _PERMISSIONS:04o}" if info.create_system == _UNIX and mode else "file"


def _describe(info: tarfile.TarInfo) -> str:
    if info.isfile():
        return f"file {info.mode & _PERMISSIONS:04o}"
    if info.issym() or info.islnk():
        return f"a {'symbolic' if info.issym() else 'hard'} link to {info.linkname}"
    return "a folder" if info.isdir() else "a special file"


def _decompress(file: BinaryIO, room: Room) -> BinaryIO:
    kind = find_compression(peek(file, _HEAD))
    try:
        if kind == "zstd":
            return room.unpack(_ZstdReader(file))
        if kind == "gzip":
            return room.unpack(gzip.GzipFile(fileobj=file))
        return room.unpack(_PartsReader(file, bz2.BZ2Decompressor if kind == "bzip2" else lzma.LZMADecompressor))
    except (OSError, EOFError, zlib.error, lzma.LZMAError) as error:
        raise CannotCompareError(f"it is no intact {kind} ({error})") from None


class _PartsReader:
    """What comes out of parts that are compressed one after the other; something else behind them is an error."""

    def __init__(self, file: BinaryIO, make: Callable[[], Any]) -> None:
        self._file = file
        self._make = make
        self._left = b""
        self._part = make()

    def read(self, size: int) -> bytes:
        """Return what comes next, at most so much. Raises OSError, EOFError and lzma.LZMAError."""
        while True:
            if self._part.eof:
                self._left = self._part.unused_data.lstrip(b"\0") or self._file.read(PART).lstrip(b"\0")
                if not self._left:
                    return b""
                self._part = self._make()
            elif self._part.needs_input:
                self._left = self._left or self._file.read(PART)
                if not self._left:
                    raise EOFError("it is cut off")
            given, self._left = self._left, b""
            if found := self._part.decompress(given, size):
                return bytes(found)


class _ZstdReader:
    """The parts of a zstd file as one that is read."""

    def __init__(self, file: BinaryIO) -> None:
        from rtrace.bundle.data.archive import decompress_frames

        self._parts: Iterator[bytes] = filter(None, decompress_frames(file))

    def read(self, _size: int) -> bytes:
        """Return the next part."""
        from rtrace.errors import BundleError

        try:
            return next(self._parts, b"")
        except BundleError as error:
            raise CannotCompareError(f"it is no intact zstd ({error})") from None
