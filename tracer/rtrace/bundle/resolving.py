"""Where a path leads in the tree that a bundle holds."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.files.symlinks import follow_symlinks

if TYPE_CHECKING:
    from rtrace.bundle.protocol import OpenBundle


def resolve_path(bundle: OpenBundle, path: bytes) -> bytes:
    """Return where a path leads through the symlinks of a bundle; one that leads nowhere, as far as it leads."""

    def read_link(place: bytes) -> bytes | None:
        entry = bundle.find(place)
        return None if entry is None else entry.target

    here = b""
    try:
        for step in follow_symlinks(path, read_link):
            here = step.onward
    except OSError:  # ELOOP: no file has such a path
        return path
    return here or b"/"
