"""What could not be captured faithfully, in plain words, each with what to do about it."""

from __future__ import annotations

import os
import stat

from rtrace.capture.books import services
from rtrace.capture.books.devices import describe_device, has_driver
from rtrace.capture.books.journal import Journal
from rtrace.capture.books.unobserved import describe_unobserved, is_inside_process
from rtrace.printable import printable, printable_text

MOUNTED = ("mounted a filesystem", "mount it before the trace, so that its files are found under their paths")
UNMOUNTED = ("unmounted a filesystem", "unmount it after the trace")
ROOT_CHANGED = ("changed its root directory", "trace the command inside the container instead")
KERNEL_CHANGED = ("changed the running kernel", "do it before the trace: a replay changes no kernel")
MACHINE_CHANGED = ("changed the machine itself", "do it before the trace: a replay runs on another machine")
OTHERS_MEMORY = ("reached into a process that is not part of the run", "start that process inside the run")

NO_NETWORK = "a replay has no network: save what it fetches to a file before the run, or replay with the server there"
MAX_PROGRAMS = 3  # that a notice names

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
    "ptrace": ("traced a process that is not part of the run", "start that process inside the run"),
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
    "seccomp": (
        "watches system calls by a listener of its own",
        "what it answers itself is not seen: trace with it switched off",
    ),
}

PRIVILEGES = {
    "set-uid": "is set-uid or set-gid, and the kernel gives a traced program no privileges",
    "capabilities": "has file capabilities, and the kernel gives a traced program none",
}
REFUSALS = {
    "ptrace": (
        "could not trace another process, because rtrace traces it already",
        "trace without the debugger",
    ),
    "listener": (
        "could not get a listener of its own for system calls (seccomp): the kernel allows one, and rtrace has it",
        "trace with RTRACE_ENGINE=seccomp, which needs none",
    ),
    "strict": (
        "could not enter the strict mode of seccomp, because rtrace has a filter in place",
        "trace with RTRACE_ENGINE=stops, which needs none",
    ),
}
"""What fails because of rtrace is told, too."""
PLURALS = {"is": "are", "has": "have", "watches": "watch"}
"""The verbs for several programs, by those for one."""


class Tally:
    """How often something was told, and of which programs."""

    def __init__(self, told: str) -> None:
        """Begin at 0; ``told`` is the sentence that told of it first."""
        self.told = told
        self.programs: dict[str, None] = {}
        self.count = 0

    def sum_up(self, what: str) -> str:
        """Return one sentence for all of it."""
        names = tuple(self.programs)
        if len(names) > MAX_PROGRAMS:
            names = (*names[: MAX_PROGRAMS - 1], f"{len(names) - MAX_PROGRAMS + 1} more programs")
        who = names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
        verb, _, rest = what.partition(" ")
        if len(names) > 1 and verb in PLURALS:
            what = f"{PLURALS[verb]} {rest}"
        return f"{who} {what}" + (f" ({self.count} times)" if self.count > 1 else "")


class NoticeBook:
    """Collects notices, each once a run."""

    def __init__(self, journal: Journal, run: int, trace: str | bytes | os.PathLike[str]) -> None:
        """Write to the notices of one run; rtrace writes the trace to the folder ``trace``."""
        self.run = run
        self.rows, self.sums = journal.pending["notices"], journal.pending["sums"]
        self.tallies: dict[tuple[str, str], Tally] = {}
        self.told: set[tuple[str, str]] = set()
        self.fifos: dict[bytes, bool] = {}
        """The FIFOs that were opened, and whether one of these calls waits for the other end."""
        self.trace = os.path.realpath(os.fsencode(trace))
        self.unobserved: set[tuple[str, int | None, bool]] = set()

    def add(self, kind: str, what: str, advice: str) -> None:
        """Tell something, unless it was told before. Names in it may be any bytes: they are made text."""
        if (kind, what) not in self.told:
            self.told.add((kind, what))
            self.rows.append((self.run, kind, printable_text(what), printable_text(advice)))

    def add_deed(self, kind: str, program: str, what: str, advice: str) -> None:
        """Tell what a program did; the same of further programs, and further times, is added up by ``finish``."""
        tally = self.tallies.get((kind, what))
        if tally is None:
            tally = self.tallies[kind, what] = Tally(printable_text(f"{program} {what}"))
            self.add(kind, f"{program} {what}", advice)
        tally.programs[program] = None
        tally.count += 1

    def finish(self) -> None:
        """Add to what was told once how often it happened, and which programs did it."""
        for (kind, what), tally in self.tallies.items():
            if tally.count > 1:
                self.sums.append((printable_text(tally.sum_up(what)), self.run, kind, tally.told))
        self.tallies.clear()

    def add_escape(self, call: str, program: str) -> None:
        """Tell that a program made a call which took it out of the tracer's sight."""
        what, advice = ESCAPES[call]
        self.add_deed("escape", program, f"{what} ({call})", advice)

    def add_refusal(self, name: str, program: str) -> None:
        """Tell that a program was refused something because rtrace traces it."""
        self.add_deed("refused", program, *REFUSALS[name])

    def add_privileges(self, kind: str, program: str) -> None:
        """Tell that a program did not get the privileges that its file gives."""
        self.add_deed(kind, program, PRIVILEGES[kind], "trace as root if the run needs them")

    def add_failure(self, program: str, number: int, error: Exception) -> None:
        """Tell that rtrace failed to understand a call, and went on."""
        self.add(
            "failure",
            f"rtrace did not understand system call {number} of {program} ({type(error).__name__}: {error})",
            "please report this, with the command that was traced",
        )

    def add_unobserved(self, program: str, error: OSError) -> None:
        """Tell, once for each program and reason, that rtrace could not look at what a program used."""
        key = (program, error.errno, is_inside_process(error))
        if key not in self.unobserved:
            self.unobserved.add(key)
            self.add("unobserved", *describe_unobserved(program, error))

    def add_time(self, path: bytes) -> None:
        """Tell, once a run, that a file has a date that cannot be kept: whole folders have such dates."""
        if ("time", "") not in self.told:
            self.told.add(("time", ""))
            what = f"{printable(path)}, and maybe more, is dated before 1677 or after 2262, which rtrace cannot keep"
            self.add("time", what, "`touch` gives it another date; a replay has the nearest one that can be kept")

    def add_x32(self, program: str) -> None:
        """Tell that a program made calls of the x32 ABI, which are refused (ENOSYS)."""
        self.add("x32", f"{program} uses the x32 interface of the kernel", "build it for x86-64 or i386")

    def add_unseen(self, program: str, audit: int) -> None:
        """Tell that a program's calls run unseen; ``audit`` is the AUDIT_ARCH value of its interface."""
        what = f"{program} is built for a system call interface that rtrace cannot watch here (AUDIT_ARCH {audit:#x})"
        self.add("unseen", what, "trace with a 64-bit Python, or build the program for this machine's own interface")

    def add_connection(self, program: str, address: str) -> None:
        """Tell that a program talked to something that no bundle can hold, or gave work to somebody out of sight."""
        handing = services.HANDING.get(program)
        if handing is not None and not address.startswith(("/", "@")):
            what, advice = handing
            self.add("escape", f"{program} {what.format(address=address)}", advice)
            return
        self.add_deed("connection", program, f"connected to {address}", NO_NETWORK)

    def add_attempt(self, program: str, address: str) -> None:
        """Tell of a connection that may or may not have been made."""
        what = f"began to connect to {address}; whether that succeeded could not be seen"
        self.add_deed("connection", program, what, NO_NETWORK)

    def add_question(self, program: str, name: str, server: str = "") -> None:
        """Tell that a program asked for the address of a host, or, where its name was not seen, which ``server``."""
        what = f"asked for the address of the host {name}" if name else f"asked the name server {server}"
        self.add_deed("connection", program, what, NO_NETWORK)

    def add_service(self, program: str, address: str) -> None:
        """Tell that a program talked to a server on this machine by an AF_UNIX address; silent for name services."""
        service = services.find_service(address)
        if service is None:
            self.add_connection(program, address)
        elif service.what:
            what = service.what if service.kind == "display" else f"{service.what} ({address})"
            self.add_deed(service.kind, program, what, service.advice)

    def add_queue(self, program: str, name: str) -> None:
        """Tell that a program used a message queue (mq_open) that was there before the run."""
        what = f"used the message queue {name}, which another program had made"
        self.add_deed("connection", program, what, "start that program inside the run")

    def watch_opening(self, path: bytes, status: os.stat_result, flags: int) -> None:
        """Tell when what is opened is a device of this machine, for which the kernel has a driver; note a FIFO."""
        if stat.S_ISFIFO(status.st_mode):
            self.fifos[path] = self.fifos.get(path, False) or not flags & os.O_NONBLOCK
            return
        device = describe_device(path, status.st_rdev)
        if device is not None and has_driver(status.st_rdev, is_block=stat.S_ISBLK(status.st_mode)):
            self.add("device", *device)

    def is_own(self, path: bytes) -> bool:
        """Whether a path is in the folder of the trace that is being written, which no replay has; that is told."""
        if not path.startswith(self.trace) or path[len(self.trace) :][:1] not in (b"", b"/"):
            return False
        folder = self.trace.decode(errors="backslashreplace")
        self.add(
            "trace-directory",
            f"the run looked into the folder {folder}, in which rtrace writes down the run",
            "set XDG_STATE_HOME to a folder that the run does not look at, and trace again",
        )
        return True
