"""What the kernel makes, so that a bundle holds none of it and every replay has its own: /proc, /sys and /dev.

The files in /dev/shm are files: somebody put them there, as in any folder that is kept in memory. See shm_overview(7).
"""

from __future__ import annotations

PROVIDED = (b"/proc", b"/sys", b"/dev")
"""Folders that are in a bundle as empty ones at most."""
SHARED_MEMORY = b"/dev/shm"
SEMAPHORE = b"/dev/shm/sem."
"""How the names of semaphores begin, whose content is nothing that two runs have in common; see sem_overview(7)."""
BELOW = tuple(place + b"/" for place in PROVIDED)
"""How all paths begin that are in them."""


def is_provided(path: bytes) -> bool:
    """Tell whether every replay provides a path, or has one of its own: these folders, what is in them, semaphores."""
    return path in PROVIDED or (path.startswith(BELOW) and (not is_in_memory(path) or path.startswith(SEMAPHORE)))


def is_in_memory(path: bytes) -> bool:
    """Tell whether a path is in /dev/shm; that folder itself is not."""
    return path.startswith(b"/dev/shm/")
