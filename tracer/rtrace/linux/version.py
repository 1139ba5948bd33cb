"""Which Linux is running."""

from __future__ import annotations

import os
import re


def kernel_version() -> tuple[int, int]:
    """Return the first two numbers of the running kernel's release."""
    major, minor = re.findall(r"\d+", os.uname().release)[:2]
    return int(major), int(minor)
