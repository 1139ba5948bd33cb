"""Where the data of a bundle are damaged."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.data.archive import table_size
from rtrace.errors import BundleError

if TYPE_CHECKING:
    from rtrace.bundle.data.archive import ArchiveReader
    from rtrace.bundle.reading.container import Member


def find_bad_frame(archive: ArchiveReader | None, member: Member, size: int) -> tuple[int, int] | None:
    """Return first and last byte, in the file, of the first frame that cannot be decompressed.

    ``size`` is how long the data have to be: where the seek table says otherwise, or cannot be read (no ``archive``),
    it is the bad frame. None when all frames are as they should be: then not the data are wrong, but what is said of
    them.
    """
    try:
        is_as_long = archive is not None and archive.size == size
    except BundleError:
        is_as_long = False
    if archive is None or not is_as_long:
        return (member.offset + member.size - table_size(size), member.offset + member.size - 1)
    found = archive.find_bad_frame()
    return None if found is None else (member.offset + found[0], member.offset + found[1] - 1)
