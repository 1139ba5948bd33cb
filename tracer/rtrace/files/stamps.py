"""Times and inode numbers of files as a database keeps them: in 64 bits with a sign.

In nanoseconds that is from 1677 to 2262.
"""

from __future__ import annotations

LIMIT = 1 << 63


def keep_time(nanoseconds: int) -> int:
    """Return a time of a file, in nanoseconds since 1970, or the nearest that can be kept."""
    return min(max(nanoseconds, -LIMIT), LIMIT - 1)


def keep_inode(number: int) -> int:
    """Return an inode number as a signed number: some filesystems use all 64 bits."""
    return number if number < LIMIT else number - (1 << 64)
