"""What could not be captured faithfully, in plain words, each with what to do about it."""

from __future__ import annotations

from rtrace.capture.journal import Journal

ESCAPES = {
    "chroot": (
        "changed its root directory",
        "its files are packed under the paths they have outside of it",
    ),
    "pivot_root": ("changed its root directory", "trace the command inside the container instead"),
    "mount": ("mounted a filesystem", "mount it before the trace, so that its files are found under their paths"),
    "umount2": ("unmounted a filesystem", "unmount it after the trace"),
    "move_mount": ("mounted a filesystem", "mount it before the trace, so that its files are found under their paths"),
    "unshare": ("made its own namespaces", "trace the command inside the container instead"),
    "setns": ("entered another namespace", "trace the command inside the container instead"),
    "ptrace": ("traces other processes itself", "rtrace traces them already; trace without the debugger"),
    "open_by_handle_at": ("opened files by handle", "add the files it needs to `include:` in the manifest"),
}


class NoticeBook:
    """Collects notices, each once a run."""

    def __init__(self, journal: Journal, run: int) -> None:
        """Write to the notices of one run."""
        self.run = run
        self.rows = journal.pending["notices"]
        self.told: set[tuple[str, str]] = set()

    def add(self, kind: str, what: str, advice: str) -> None:
        """Tell something, unless it was told before."""
        if (kind, what) not in self.told:
            self.told.add((kind, what))
            self.rows.append((self.run, kind, what, advice))

    def add_escape(self, call: str, program: str) -> None:
        """Tell that a program made a call which takes it out of the tracer's sight."""
        what, advice = ESCAPES[call]
        self.add("escape", f"{program} {what} ({call})", advice)

    def add_x32(self, program: str) -> None:
        """Tell that a program made calls of the x32 ABI, which are refused (ENOSYS)."""
        self.add("x32", f"{program} uses the x32 interface of the kernel", "build it for x86-64 or i386")

    def add_connection(self, program: str, address: str) -> None:
        """Tell that a program talked to something that no bundle can hold."""
        self.add(
            "connection",
            f"{program} connected to {address}",
            "a replay has no network: save what it fetches to a file before the run, or replay with the server there",
        )
