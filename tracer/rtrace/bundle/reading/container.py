"""The outer tar of a bundle: recognised, and taken apart into its members without reading them."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO

from rtrace.bundle import members, tar
from rtrace.errors import BundleError, DamagedBundleError, NotABundleError

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

_LOOKED_AT = 64 << 10
_NAME = 100
"""Bytes of a member's name in its header."""
_FEW = 16
"""Bytes that may differ in the version and its header: then it is a damaged bundle; with more, another file."""
_LIMITS = {
    members.VERSION: len(members.VERSION_TEXT),
    members.MANIFEST: members.MANIFEST_LIMIT,
    members.IDENTITY: members.IDENTITY_SIZE,
    members.FILES: members.INDEX_LIMIT,
    members.RESULTS: members.INDEX_LIMIT,
    members.RECORDS: members.RECORDS_LIMIT,
    members.WRITTEN: members.WRITTEN_LIMIT,
}


@dataclass(frozen=True, slots=True)
class Member:
    """Where a member's content lies in the file of the bundle."""

    offset: int
    size: int


def is_bundle(file: BinaryIO) -> bool:
    """Whether a file begins as rtrace's bundles of all versions do."""
    header = tar.header(members.VERSION.encode(), tar.REGULAR, len(members.VERSION_TEXT))[:_NAME]
    return _read_at(file, 0, _NAME) == header and _read_at(file, tar.BLOCK, len(members.VERSION_PREFIX)) == (
        members.VERSION_PREFIX
    )


def find_members(path: Path, file: BinaryIO) -> dict[str, Member]:
    """Find the members of the bundle in ``file``. Raises BundleError unless it is intact and of this format."""
    _check_version(path, file)
    return locate_members(path, file, members.MEMBERS, _LIMITS, members.OPTIONAL)


def locate_members(
    path: Path, file: BinaryIO, names: Iterable[str], limits: Mapping[str, int], optional: Mapping[str, Sequence[str]]
) -> dict[str, Member]:
    """Find the members of these names, which must be all that is there, in this order and as rtrace writes them.

    ``limits`` are the most bytes that some of them may have, ``optional`` those that may be absent, each with those
    of which one comes in its place then. Raises BundleError.
    """
    length = file.seek(0, os.SEEK_END)
    found: dict[str, Member] = {}
    position = 0
    for name in names:
        if any(_begins(file, position, other) for other in optional.get(name, ())):
            continue
        size = _member_size(path, file, position, name)
        offset = position + tar.BLOCK
        position = offset + size + len(tar.padding(size))
        if position > length:
            raise _cut_off(path, f"in {name}", length, position - 1)
        if any(_read_at(file, offset + size, position - offset - size)):
            sentence = f"{path} is damaged: there is something between {name} and what follows it"
            raise DamagedBundleError(sentence, offset + size, position - 1)
        if size > limits.get(name, size):
            sentence = f"{path} is refused: {name} is larger than any that rtrace writes"
            raise DamagedBundleError(sentence, offset, position - 1)
        found[name] = Member(offset, size)
    _check_end(path, _read_at(file, position, len(tar.END) + 1), position, length)
    return found


def _check_end(path: Path, end: bytes, position: int, length: int) -> None:
    """Compare what follows the last member, at a position, with the only thing that can, in a file of a length."""
    last = position + len(tar.END)
    if any(end[: len(tar.END)]):
        sentence = f"{path} is damaged: there is something else after its last member instead of the zeros that end it"
        raise DamagedBundleError(sentence, position, min(last, length) - 1)
    if len(end) < len(tar.END):
        raise _cut_off(path, "after its last member", length, last - 1)
    if length > last:
        raise DamagedBundleError(f"{path} is damaged: there is something after its last member", last, length - 1)


def _begins(file: BinaryIO, position: int, name: str) -> bool:
    """Whether a member's header is at a position, by the name in it."""
    return _read_at(file, position, _NAME).rstrip(b"\0") == name.encode()


def _read_at(file: BinaryIO, position: int, length: int) -> bytes:
    file.seek(position)
    return file.read(length)


def _check_version(path: Path, file: BinaryIO) -> None:
    """Read the version, which comes first; tell apart what is no bundle and what is a newer one."""
    file.seek(0)
    start = file.read(_LOOKED_AT)
    if not start:
        raise NotABundleError(f"{path} is empty, not a bundle")
    expected = tar.header(members.VERSION.encode(), tar.REGULAR, len(members.VERSION_TEXT))
    version = start[tar.BLOCK :].split(b"\n", 1)[0]
    if start[:_NAME] == expected[:_NAME] and version.startswith(members.VERSION_PREFIX):
        digits = version[len(members.VERSION_PREFIX) :]
        if digits.isdigit() and len(digits) <= 9 and int(digits) > members.BUNDLE_FORMAT:  # noqa: PLR2004
            raise BundleError(f"{path} was made by a newer rtrace (bundle format {int(digits)}); update rtrace")
        if version + b"\n" == members.VERSION_TEXT:
            return
    expected += members.VERSION_TEXT
    if expected.startswith(start):
        raise _cut_off(path, f"in {members.VERSION}", len(start), len(expected) - 1)
    differing = [place for place, (byte, wanted) in enumerate(zip(start, expected, strict=False)) if byte != wanted]
    if len(start) > len(expected) and len(differing) <= _FEW:
        raise DamagedBundleError(f"{path} is damaged: its version is not what was packed", differing[0], differing[-1])
    raise NotABundleError(f"{path} is not a bundle; `rtrace pack` makes one")


def _member_size(path: Path, file: BinaryIO, position: int, name: str) -> int:
    """Read the size from a member's header, and compare the rest of it with the only header it can have."""
    file.seek(position)
    header = file.read(tar.BLOCK)
    if len(header) < tar.BLOCK:
        raise _cut_off(path, f"in {name}", position + len(header), position + tar.BLOCK - 1)
    field = header[124:136]
    if field[0] & 0x80:
        size = int.from_bytes(bytes([field[0] & 0x7F]) + field[1:], "big")
    else:
        digits = field.rstrip(b"\0")
        size = int(digits, 8) if digits.isdigit() and not digits.strip(b"01234567") else -1
    if size < 0 or size >> 62 or header != tar.header(name.encode(), tar.REGULAR, size):
        sentence = f"{path} is damaged: where {name} should begin, something else does"
        raise DamagedBundleError(sentence, position, position + tar.BLOCK - 1)
    return size


def _cut_off(path: Path, where: str, first: int, last: int) -> BundleError:
    """Return where a bundle ends too early: the bytes from ``first`` on, to ``last`` at least, are not there."""
    return DamagedBundleError(f"{path} is cut off {where}; fetch or pack it again", first, last)
