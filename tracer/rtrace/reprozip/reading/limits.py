"""How much a bundle of ReproZip may hold. It has no index: what it holds is known when all of it was decompressed.

So all limits go with the size of its file, and a size that a header tells is looked at before anything is read.
"""

from __future__ import annotations

from rtrace.errors import HostileBundleError
from rtrace.printable import format_size

CONTENT_FREE = 2 << 30
CONTENT_RATIO = 100
"""Bytes that may come out of the compressors of any bundle, and besides for each byte that it has."""
TRACE_FREE = 64 << 20
TRACE_RATIO = 20
TRACE_LIMIT = 1 << 30
"""The same of the trace database, and of any at most."""
CONFIG_FREE = 4 << 20
CONFIG_RATIO = 2
CONFIG_LIMIT = 64 << 20
"""The same of the configuration."""
HEADERS_PER_ITEM = 3
"""Headers of a tar, for each member that there may be: most have one before their own, for a long name or a time."""
ITEMS_FREE = 50_000
ITEM_SIZE = 32
ITEMS_LIMIT = 500_000
"""Members of the data, and lines of the configuration, of any bundle; besides for so many bytes one; at most."""


def check_content_size(size: int, bundle_size: int, what: str = "its content") -> None:
    """Refuse a size that a bundle of that size cannot hold unless it was made for it."""
    if size > CONTENT_FREE + CONTENT_RATIO * bundle_size:
        raise HostileBundleError(
            f"the bundle has {what} with {format_size(size)} and more, far more than {format_size(bundle_size)} hold"
        )


def most_items(bundle_size: int) -> int:
    """Return how many members, or lines of a configuration, a bundle of that size may have."""
    return min(ITEMS_LIMIT, ITEMS_FREE + bundle_size // ITEM_SIZE)


def most_trace(bundle_size: int) -> int:
    """Return how many bytes the trace database of a bundle of that size may have."""
    return min(TRACE_LIMIT, TRACE_FREE + TRACE_RATIO * bundle_size)


def most_config(bundle_size: int) -> int:
    """Return how many bytes the configuration of a bundle of that size may have."""
    return min(CONFIG_LIMIT, CONFIG_FREE + CONFIG_RATIO * bundle_size)
