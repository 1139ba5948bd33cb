"""How much a bundle may hold, which limits what reading it costs. FORMAT.md lists these limits in a table.

A limit is far beyond what any real run makes. Where a bundle could be that large, the limit goes with the bundle's own
size: an author who wants a reader to spend time and memory has to send as much.
"""

from __future__ import annotations

from rtrace.errors import HostileBundleError
from rtrace.printable import format_size

ENTRIES_LIMIT = 1_500_000
"""Entries of a bundle, and as many results; members of the data of ReproZip's bundles, too."""
SEGMENTS_LIMIT = 1_000_000
"""Parts of sparse files, of all of a bundle's together; rtrace writes no more than 16,384 of one file."""
ATTRIBUTES_LIMIT = 1_500_000
"""Extended attributes of all entries together."""
NAMES_LIMIT = 64 << 10
"""Bytes that the names of one file's extended attributes may have, each with a NUL: XATTR_LIST_MAX."""
UNLISTED_LIMIT = 16 << 20
"""Bytes of the folders that entries lie in and that are not entries themselves."""
WORD_LIMIT = 4096
"""Characters of the name of a package or of a reason."""
DATA_FREE = 1 << 40
DATA_RATIO = 1000
"""Bytes of data that a bundle of any size may hold, and besides for each byte that it has. zstd makes 29,000 zeros a
byte, so that a terabyte of them fits into 40 MB; and 2 to 10 of nearly all that is not zeros."""


def check_data_size(size: int, bundle_size: int) -> None:
    """Refuse data of a size that a bundle of that size holds only if somebody means harm."""
    if size > DATA_FREE + DATA_RATIO * bundle_size:
        raise HostileBundleError(
            f"the bundle says that its data have {format_size(size)}, far more than {format_size(bundle_size)} hold"
        )
