"""What is known of the folders that every system has: those that the kernel makes, that merge, that programs own.

The kernel makes /proc, /sys and /dev, so a bundle holds nothing of them and every replay has its own. The files in
/dev/shm are files: somebody put them there, as in any folder that is kept in memory. See hier(7), shm_overview(7).
"""

from __future__ import annotations

PROVIDED = (b"/proc", b"/sys", b"/dev")
"""Folders that are in a bundle as empty folders at most."""
SHARED_MEMORY = b"/dev/shm"
SEMAPHORE = b"/dev/shm/sem."
"""How the names of semaphores begin, whose content never means the same to two runs; see sem_overview(7)."""
BELOW = tuple(place + b"/" for place in PROVIDED)
"""How all paths begin that are in them."""

TOPS = frozenset(b"bin etc home lib lib32 lib64 opt root run sbin srv tmp usr var".split())
"""What lies at the top of a system."""
MERGED = (b"bin", b"sbin", b"lib", b"lib32", b"lib64", b"libo32", b"libx32")
"""Folders of / that may be symlinks into /usr while packages still list their files as ``/lib/x`` and ``/bin/x``."""
LINKED = (
    *(b"/" + name for name in MERGED),
    *(b"/usr/sbin", b"/usr/lib64", b"/usr/lib32", b"/var/run", b"/var/lock", b"/var/mail"),
)
"""Folders that are symlinks to others on some systems, while packages list their files in them."""
SYSTEM = (
    b"/bin/", b"/boot/", b"/dev/", b"/etc/", b"/gnu/", b"/lib/", b"/lib32/", b"/lib64/", b"/libx32/", b"/nix/",
    b"/opt/", b"/proc/", b"/run/", b"/sbin/", b"/snap/", b"/sys/", b"/usr/", b"/var/cache/", b"/var/lib/",
)  # fmt: skip
"""Where programs keep their own files."""
SYSTEM_PACKAGES = (
    b"/etc/", b"/bin/", b"/lib", b"/sbin/", b"/run/", b"/usr/bin/", b"/usr/sbin/", b"/usr/lib/locale/", b"/usr/share/",
)  # fmt: skip
"""Where only the system's package manager installs anything: no tool of a language, or of a cluster."""

_UNMERGED = tuple(b"/usr/" + folder + b"/" for folder in MERGED)


def is_provided(path: bytes) -> bool:
    """Whether every replay provides a path, or has one of its own: these folders, what is in them, semaphores."""
    return path in PROVIDED or (path.startswith(BELOW) and (not is_in_memory(path) or path.startswith(SEMAPHORE)))


def is_in_memory(path: bytes) -> bool:
    """Whether a path is in /dev/shm; that folder itself is not."""
    return path.startswith(b"/dev/shm/")


def list_names(path: bytes) -> tuple[bytes, ...]:
    """Return the names by which a package may list a path: its own, and the one from before /usr was merged."""
    return (path, path[len(b"/usr") :]) if path.startswith(_UNMERGED) else (path,)
