"""One start of a machine: qemu with a disk, a job, and ports for streams; no network unless asked for.

Qemu gets everything by descriptor, so that for root it can be nobody, and ends with the thread that started it.
"""

from __future__ import annotations

import contextlib
import json
import os
import socket
import subprocess
import tempfile
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.files.workspaces import temporary_folder
from rtrace_unpackers.vm.kernel import KVM, QEMU, demand_program
from rtrace_unpackers.vm.relaying import SENT, Answering, Relay
from rtrace_unpackers.vm.words import AGAIN, CHANGES, INITRD, KERNEL, TREE

NOBODY = 65534
ENOUGH = 2
"""Lines that a guest tells: that it lives, and what came of its job."""
TOLD_LIMIT = 1 << 12
"""Bytes that are kept of what a guest tells: a replay as root can reach that port, too."""
MEBIBYTE = 1 << 20
MEMORY, LEAST_MEMORY = 1024, 256
"""Mebibytes."""
QUICK = "cryptomgr.notests nokaslr random.trust_cpu=on"
PATIENT = "nowatchdog rcupdate.rcu_cpu_stall_suppress=1"
COMMAND_LINE = f"rdinit=/init quiet panic=-1 {PATIENT} {QUICK}"
SANDBOX = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"
PART = 1 << 20


@dataclass(frozen=True, slots=True)
class Size:
    """Memory in mebibytes, and processors."""

    memory: int = MEMORY
    processors: int = 1


ORDINARY = Size()


class SilentError(TargetError):
    """A machine was started, and nothing came of it."""


@dataclass(slots=True)
class Machine:
    """What is started: the disk of a target's open folder, and a job; ``second`` is a file that the guest reads."""

    folder: int
    job: bytes
    second: int | None = None
    size: Size = ORDINARY
    changes: bool = True
    network: bool = False
    accelerator: str = "tcg"
    patience: float | None = None
    told: bytes = b""
    is_alive: threading.Event = field(default_factory=threading.Event, repr=False)
    said: str = ""
    _process: subprocess.Popen[bytes] | None = field(default=None, repr=False)
    _listener: threading.Thread | None = field(default=None, repr=False)

    def start(self, arguments: Sequence[str], streams: tuple[int, int, int]) -> subprocess.Popen[bytes]:  # noqa: ARG002
        """Start it, with these as the streams of what runs in it. Raises TargetError."""
        stdin, stdout, stderr = streams
        qemu, setpriv = demand_program(QEMU), demand_program("setpriv")
        with contextlib.ExitStack() as stack:
            told, telling = os.pipe()
            stack.callback(os.close, telling)
            answer, answered = socket.socketpair()
            stack.callback(answered.close)
            relays = Relay(stdout), Relay(stderr)
            ends = tuple(relay.end for relay in relays)
            for end in ends:
                stack.callback(os.close, end)
            kernel, initrd = self.open(KERNEL), self.make_initrd()
            files = {"tree": self.open(TREE, writable=not self.changes)}
            if self.changes:
                files["changes"] = self.open(CHANGES, writable=True)
            for descriptor in (kernel, initrd, *files.values()):
                stack.callback(os.close, descriptor)
            if self.second is not None:
                files["second"] = self.second
            words = (
                setpriv,
                "--pdeathsig",
                "KILL",
                *plan_identity(),
                qemu,
                *plan_machine(self.size, self.accelerator, kernel, initrd),
                *plan_disks(files),
                *plan_ports((*ends, telling), answered.fileno()),
                *plan_network(allowed=self.network),
            )
            debug(__name__, "starting %s", words)
            said = stack.enter_context(tempfile.TemporaryFile(dir=temporary_folder()))
            try:
                process = subprocess.Popen(
                    words,
                    stdin=stdin,
                    stdout=subprocess.DEVNULL,
                    stderr=said,
                    pass_fds=(*ends, telling, answered.fileno(), kernel, initrd, *files.values()),
                    cwd="/",
                    start_new_session=True,
                )
            except BaseException:
                os.close(told)
                answer.close()
                raise
            finally:
                for relay in relays:
                    relay.start()
            self._process = process
            given = (told, os.dup(said.fileno()), relays, answer)
            listener = threading.Thread(target=self.listen, args=given, daemon=True)
            self._listener = listener
            listener.start()
        return process

    def kill(self) -> None:
        """End it at once."""
        if self._process is not None:
            self._process.kill()

    def listen(self, told: int, said: int, relays: tuple[Relay, Relay], answer: socket.socket) -> None:
        """Keep the beginning of what the guest tells, and when it has ended, of what qemu said; let it end then."""
        with answer, open(told, "rb", buffering=0) as file:
            answering = Answering(relays, answer.fileno())
            while part := file.read(PART):
                self.is_alive.set()
                self.told += part[: TOLD_LIMIT - len(self.told)]
                answering.take(part)
        with open(said, "rb") as file:
            file.seek(0)
            self.said = file.read(TOLD_LIMIT).decode("utf-8", "replace")

    def finish(self) -> list[str]:
        """Wait until all has been told, and return that: a line each. Raises TargetError for a problem."""
        if self._listener is not None:
            self._listener.join()
        lines = [line.decode("ascii", "replace") for line in self.told.splitlines() if not SENT.fullmatch(line)]
        debug(__name__, "the guest told %s; qemu said %s", lines, self.said)
        for line in lines:
            kind, _, rest = line.partition(" ")
            if kind == "problem":
                raise TargetError(f"the target's machine reports: {rest if rest.isprintable() else '?'}; {AGAIN}")
        return lines

    def complain(self) -> TargetError:
        """Return the error for a machine that ended before its job was done."""
        last = [line for line in self.said.splitlines() if line.strip()][-1:]
        reason = f": {last[0].strip()}" if last and last[0].isprintable() else ""
        return TargetError(
            f"the machine ended before its job was done{reason}; `rtrace --debug` shows how it is started"
        )

    def run(self, output: int | None = None) -> list[str]:
        """Do the job, write what the guest sends to ``output``, and return what it told. Raises TargetError."""
        with contextlib.ExitStack() as stack:
            nothing = os.open(os.devnull, os.O_RDWR | os.O_CLOEXEC)
            stack.callback(os.close, nothing)
            error = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC)
            stack.callback(os.close, error)
            out = os.open(os.devnull, os.O_WRONLY | os.O_CLOEXEC) if output is None else os.dup(output)
            process = self.start((), (nothing, out, error))
            os.close(out)
            try:
                self.wait(process)
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()
        told = self.finish()
        if len(told) < ENOUGH:
            raise self.complain()
        return told

    def wait(self, process: subprocess.Popen[bytes]) -> None:
        """Wait for its end. Raises SilentError when no guest shows within its patience."""
        if self.patience is not None and not self.is_alive.wait(self.patience) and process.poll() is None:
            raise SilentError("the machine does not start")
        process.wait()

    def open(self, name: str, *, writable: bool = False) -> int:
        """Open a file of the target. Raises TargetError."""
        flags = (os.O_RDWR if writable else os.O_RDONLY) | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        try:
            return os.open(name, flags, dir_fd=self.folder)
        except OSError as error:
            raise TargetError(f"the target's {name} cannot be opened: {error.strerror}; {AGAIN}") from None

    def make_initrd(self) -> int:
        """Return an open file in memory with what the guest begins with, and the job."""
        descriptor = os.memfd_create("initrd")
        with open(self.open(INITRD), "rb") as file, open(descriptor, "wb", closefd=False) as whole:
            while part := file.read(PART):
                whole.write(part)
            whole.write(self.job)
        os.fchmod(descriptor, 0o444)
        return descriptor


@contextlib.contextmanager
def reading(machine: Machine) -> Iterator[int]:
    """Yield a pipe from which comes what a machine sends, while it does its job. Raises TargetError afterwards."""
    source, end = os.pipe()
    failures: list[BaseException] = []

    def work() -> None:
        try:
            machine.run(end)
        except BaseException as error:  # noqa: BLE001 -- it is raised below
            failures.append(error)
        finally:
            os.close(end)

    worker = threading.Thread(target=work, daemon=True)
    worker.start()
    try:
        yield source
    except BaseException:
        machine.kill()
        raise
    finally:
        os.close(source)
        worker.join()
    if failures:
        raise failures[0]


def plan_identity() -> tuple[str, ...]:
    """Return the options of setpriv(1): for root, qemu is nobody, with the group of /dev/kvm where that opens it."""
    if os.geteuid() != 0:
        return ("--no-new-privs",)
    group = NOBODY
    with contextlib.suppress(OSError):  # there is none
        group = os.stat(KVM).st_gid or NOBODY
    ids = (f"--reuid={NOBODY}", f"--regid={group}", "--clear-groups")
    return (*ids, "--no-new-privs", "--inh-caps=-all", "--bounding-set=-all")


def plan_machine(size: Size, accelerator: str, kernel: int, initrd: int) -> tuple[str, ...]:
    """Return qemu's options for the machine itself."""
    processor = "max,arch-capabilities=off" if accelerator == "kvm" else "max"  # which KVM in KVM refuses
    return (
        *("-no-user-config", "-nodefaults", "-sandbox", SANDBOX, "-no-reboot"),
        *("-display", "none", "-monitor", "none", "-machine", "q35", "-accel", accelerator, "-cpu", processor),
        *("-m", f"{size.memory}M", "-smp", str(size.processors)),
        *("-kernel", f"/proc/self/fd/{kernel}", "-initrd", f"/proc/self/fd/{initrd}", "-append", COMMAND_LINE),
    )


def plan_disks(files: dict[str, int]) -> tuple[str, ...]:
    """Return qemu's options for the disk, and for the file that the guest only reads."""
    words: list[str] = []
    for descriptor in files.values():
        words += ["-add-fd", f"fd={descriptor},set={descriptor}"]
    has_changes = "changes" in files

    def node(name: str, *, only_read: bool) -> dict[str, object]:
        file = {"driver": "file", "filename": f"/dev/fdset/{files[name]}", "locking": "off"}
        return {"driver": "raw", "file": file, "read-only": only_read}

    tree = node("tree", only_read=has_changes)
    if has_changes:
        tree = {**node("changes", only_read=False), "driver": "qcow2", "backing": tree}
    words += plan_disk("disk", tree)
    if "second" in files:
        words += plan_disk("second", node("second", only_read=True))
    return tuple(words)


def plan_disk(name: str, node: dict[str, object]) -> tuple[str, ...]:
    """Return qemu's options for one disk."""
    return ("-blockdev", json.dumps({**node, "node-name": name}), "-device", f"virtio-blk-pci,drive={name}")


def plan_ports(descriptors: Sequence[int], answered: int) -> tuple[str, ...]:
    """Return qemu's options for the streams: port 1 is its own input, the next ones are written to descriptors.

    The last one is a socket, by which the guest is answered.
    """
    words = ["-device", "virtio-serial-pci", "-chardev", "stdio,id=port1,signal=off", *plan_port(1)]
    for number, descriptor in enumerate(descriptors, start=2):
        words += ["-add-fd", f"fd={descriptor},set={descriptor}"]
        words += ["-chardev", f"file,id=port{number},path=/dev/fdset/{descriptor},append=on", *plan_port(number)]
    last = len(descriptors) + 2
    return (*words, "-chardev", f"socket,id=port{last},fd={answered}", *plan_port(last))


def plan_port(number: int) -> tuple[str, ...]:
    """Return qemu's options for one port."""
    return ("-device", f"virtserialport,nr={number},chardev=port{number},name=rtrace.{number}")


def plan_network(*, allowed: bool) -> tuple[str, ...]:
    """Return qemu's options for the network: none, or what its user may reach."""
    return ("-nic", "user,model=virtio-net-pci") if allowed else ("-nic", "none")


def write_beside(folder: int, name: str, content: bytes, mode: int) -> None:
    """Write a new file of a target that is being made. Raises OSError."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(name, flags, mode, dir_fd=folder), "wb") as file:
        os.fchmod(file.fileno(), mode)
        file.write(content)


def find_folder(descriptor: int) -> Path:
    """Return a path of an open folder, for programs of this machine that take paths alone."""
    return Path(f"/proc/{os.getpid()}/fd/{descriptor}")
