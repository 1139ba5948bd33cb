"""The release of a kernel, as it tells nothing of who built it."""

from __future__ import annotations

import re


def shorten_release(release: str) -> str:
    """Return the version in the release of a kernel, without what its builder appended."""
    found = re.match(r"[0-9.]+", release)
    return found[0] if found else release
