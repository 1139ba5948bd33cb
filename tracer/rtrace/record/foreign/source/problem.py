"""Why something of another tool cannot be read."""

from __future__ import annotations


class Unreadable(Exception):  # noqa: N818 -- it never leaves the importers: they say whose file it is
    """The reason alone; who opened the file adds its name, and what to do."""
