"""What could not be captured faithfully, in plain words, each with what to do about it."""

from __future__ import annotations

import os
import stat

from rtrace.capture import services
from rtrace.capture.journal import Journal
from rtrace.printable import printable_text

MOUNTED = ("mounted a filesystem", "mount it before the trace, so that its files are found under their paths")
UNMOUNTED = ("unmounted a filesystem", "unmount it after the trace")
ROOT_CHANGED = ("changed its root directory", "trace the command inside the container instead")
KERNEL_CHANGED = ("changed the running kernel", "do it before the trace: a replay changes no kernel")
MACHINE_CHANGED = ("changed the machine itself", "do it before the trace: a replay runs on another machine")
OTHERS_MEMORY = ("reached into a process that is not part of the run", "start that process inside the run")

ESCAPES = {
    "chroot": (
        "changed its root directory",
        "its files are packed under the paths they have outside of it",
    ),
    "pivot_root": ROOT_CHANGED,
    "mount": MOUNTED,
    "move_mount": MOUNTED,
    "fsopen": MOUNTED,
    "fspick": ("changed how a filesystem is mounted", "mount it so before the trace"),
    "mount_setattr": ("changed how a filesystem is mounted", "mount it so before the trace"),
    "umount": UNMOUNTED,
    "umount2": UNMOUNTED,
    "oldumount": UNMOUNTED,
    "unshare": ("made its own namespaces", "trace the command inside the container instead"),
    "setns": ("entered another namespace", "trace the command inside the container instead"),
    "ptrace": ("traces other processes itself", "rtrace traces them already; trace without the debugger"),
    "process_vm_readv": OTHERS_MEMORY,
    "process_vm_writev": OTHERS_MEMORY,
    "pidfd_getfd": ("took an open file from another process", "let it open that file itself, so that it is packed"),
    "open_by_handle_at": ("opened files by handle", "add the files it needs to `include:` in the manifest"),
    "bpf": ("loaded a program into the kernel", "do it before the trace: a replay changes no kernel"),
    "init_module": KERNEL_CHANGED,
    "finit_module": KERNEL_CHANGED,
    "delete_module": KERNEL_CHANGED,
    "kexec_load": KERNEL_CHANGED,
    "kexec_file_load": KERNEL_CHANGED,
    "swapon": MACHINE_CHANGED,
    "swapoff": MACHINE_CHANGED,
    "acct": MACHINE_CHANGED,
    "reboot": MACHINE_CHANGED,
}

GRAPHICS = (b"/dev/nvidia", b"/dev/dri/", b"/dev/kfd", b"/dev/accel/", b"/dev/dxg")
FUSE = os.makedev(10, 229)  # who opens it mounts a filesystem, which is told by itself
MEMORY_MAJOR, TERMINAL_MAJOR, TTY_MAJOR, PTY_MAJORS = 1, 4, 5, range(136, 144)
FIRST_SERIAL_MINOR = 64
"""Device numbers of null, zero, random and their kin, of consoles (serial lines come after them) and of terminals: what
a replay has, too. See the kernel's Documentation/admin-guide/devices.txt."""


def describe_device(path: bytes, device: int) -> tuple[str, str] | None:
    """Say what was opened that no bundle can hold, and what to do; None for a device that a replay has, too."""
    major = os.major(device)
    console = major == TERMINAL_MAJOR and os.minor(device) < FIRST_SERIAL_MINOR
    if console or device == FUSE or major in (MEMORY_MAJOR, TTY_MAJOR, *PTY_MAJORS):
        return None
    name = path.decode(errors="backslashreplace")
    if path.startswith(GRAPHICS):
        return (
            f"the run computes on a GPU ({name})",
            "a replay has none unless it is given the device: check what the program does without",
        )
    return f"the run used the device {name}", "save what it reads from the device to a file before the run"


class NoticeBook:
    """Collects notices, each once a run."""

    def __init__(self, journal: Journal, run: int, trace: str | os.PathLike[str]) -> None:
        """Write to the notices of one run, which is being traced into the trace directory ``trace``."""
        self.run = run
        self.rows = journal.pending["notices"]
        self.told: set[tuple[str, str]] = set()
        self.fifos: set[bytes] = set()
        self.trace = os.path.realpath(os.fsencode(trace))

    def add(self, kind: str, what: str, advice: str) -> None:
        """Tell something, unless it was told before. Names in it may be any bytes: they are made text."""
        if (kind, what) not in self.told:
            self.told.add((kind, what))
            self.rows.append((self.run, kind, printable_text(what), printable_text(advice)))

    def add_escape(self, call: str, program: str) -> None:
        """Tell that a program made a call which takes it out of the tracer's sight."""
        what, advice = ESCAPES[call]
        self.add("escape", f"{program} {what} ({call})", advice)

    def add_failure(self, program: str, number: int, error: Exception) -> None:
        """Tell that rtrace failed to understand a call, and went on."""
        self.add(
            "failure",
            f"rtrace did not understand system call {number} of {program} ({type(error).__name__}: {error})",
            "please report this, with the command that was traced",
        )

    def add_x32(self, program: str) -> None:
        """Tell that a program made calls of the x32 ABI, which are refused (ENOSYS)."""
        self.add("x32", f"{program} uses the x32 interface of the kernel", "build it for x86-64 or i386")

    def add_unseen(self, program: str, audit: int) -> None:
        """Tell that a program's calls run unseen; ``audit`` is the AUDIT_ARCH value of its interface."""
        what = f"{program} is built for a system call interface that rtrace cannot watch here (AUDIT_ARCH {audit:#x})"
        self.add("unseen", what, "trace with a 64-bit Python, or build the program for this machine's own interface")

    def add_connection(self, program: str, address: str) -> None:
        """Tell that a program talked to something that no bundle can hold."""
        self.add(
            "connection",
            f"{program} connected to {address}",
            "a replay has no network: save what it fetches to a file before the run, or replay with the server there",
        )

    def add_service(self, program: str, address: str) -> None:
        """Tell that a program talked to a server on this machine by an AF_UNIX address; silent for name services."""
        service = services.find_service(address)
        if service is None:
            self.add_connection(program, address)
        elif service.what:
            self.add(service.kind, f"{program} {service.what} ({address})", service.advice)

    def add_queue(self, program: str, name: str) -> None:
        """Tell that a program used a message queue (mq_open) that was there before the run."""
        self.add(
            "connection",
            f"{program} used the message queue {name}, which another program had made",
            "start that program inside the run",
        )

    def watch_opening(self, path: bytes, status: os.stat_result) -> None:
        """Tell when what is opened is a device of this machine, or the trace that is being written."""
        if stat.S_ISCHR(status.st_mode) or stat.S_ISBLK(status.st_mode):
            device = describe_device(path, status.st_rdev)
            if device is not None:
                self.add("device", *device)
        elif stat.S_ISFIFO(status.st_mode):
            self.fifos.add(path)
        elif path.startswith(self.trace) and path[len(self.trace) :][:1] in (b"", b"/"):
            folder = self.trace.decode(errors="backslashreplace")
            self.add(
                "trace-directory",
                f"the run reads the folder {folder}, in which rtrace writes down the run",
                "trace into a folder elsewhere with `rtrace trace -d`",
            )
