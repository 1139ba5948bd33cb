"""What a guest is given: its init, modules and tools in one archive, and the job of one start in another."""

from __future__ import annotations

import stat
from collections.abc import Mapping
from pathlib import Path

from rtrace_unpackers.vm.cpio import Member, make_folder, render_archive
from rtrace_unpackers.vm.kernel import Kernel, find_busybox, read_modules

SCRIPT = "guest.sh"
PLAIN = stat.S_IFREG | 0o600


def render_initrd(kernel: Kernel) -> bytes:
    """Return what the guest begins with. Raises TargetError."""
    modules = tuple(read_modules(kernel))
    order = "".join(f"{name}\n" for name, _ in modules).encode()
    return render_archive(
        (
            *map(make_folder, ("bin", "modules", "dev")),
            Member("init", Path(__file__).with_name(SCRIPT).read_bytes()),
            Member("bin/busybox", find_busybox().read_bytes()),
            *(Member(f"modules/{name}", content, PLAIN) for name, content in modules),
            Member("modules/order", order, PLAIN),
        )
    )


def render_job(job: str, settings: Mapping[str, bytes], launcher: bytes | None = None) -> bytes:
    """Return the archive with a job; ``settings`` may be any bytes but NUL."""
    lines = b"".join(
        b"%s=%s\n" % (name.encode(), quote(value)) for name, value in {"job": job.encode(), **settings}.items()
    )
    program = () if launcher is None else (Member("job/launcher", launcher),)
    return render_archive((make_folder("job"), Member("job/settings", lines, PLAIN), *program))


def quote(value: bytes) -> bytes:
    """Return a string as a shell takes it for itself: within single quotes nothing has a meaning but they."""
    return b"'" + value.replace(b"'", b"'\\''") + b"'"
