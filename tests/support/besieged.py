"""A machine with a secret in each place that a hostile program may look into, and what tells that it got out."""

from __future__ import annotations

import contextlib
import ctypes
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

SETTINGS = (
    "/proc/sys/kernel/core_pattern",
    "/proc/sys/kernel/modprobe",
    "/proc/sys/kernel/hostname",
    "/proc/sys/kernel/domainname",
    "/proc/sys/kernel/ctrl-alt-del",
    "/proc/sys/fs/binfmt_misc/status",
    "/sys/kernel/uevent_helper",
)
KEYRING, KEYCTL_READ, KEYCTL_UNLINK, USER_KEYRING = b"user", 11, 9, -4
ADD_KEY, KEYCTL = 248, 250
PRIVATE, IPC_CREAT, IPC_RMID = 0x5EC2E7, 0o1000, 0
ESCAPEE = "rtrace-escapee"
libc = ctypes.CDLL(None, use_errno=True)
libc.shmat.restype = ctypes.c_void_p


def read(path: str | Path) -> bytes | None:
    """Return the content of a file; None where there is none."""
    try:
        return Path(path).read_bytes()
    except OSError:
        return None


@dataclass(frozen=True)
class Besieged:
    """What is guarded: a folder with a file and a socket, servers, a process, a key, shared memory and settings."""

    folder: Path
    secret: bytes
    port: int
    victim: subprocess.Popen[bytes]
    shared: int
    servers: tuple[socket.socket, ...]
    settings: dict[str, bytes | None]
    groups: bytes | None
    disk: bytes

    @property
    def words(self) -> tuple[bytes, ...]:
        """What the program is told of it."""
        return os.fsencode(self.folder), b"%d" % self.port, b"%d" % self.victim.pid, b"%d" % self.shared

    def list_damage(self, said: bytes) -> list[str]:
        """Return what got out, a sentence each: the secret is in what a program said, or something is not as it was."""
        found = []
        if self.secret in said:
            before = said[: said.index(self.secret)].rpartition(b"by_")[2].partition(b" ")[0]
            found.append(f"the secret was read by_{before.decode()}")
        if self.disk and self.disk in said:
            found.append("the machine's disk was read")
        if read(self.folder / "secret") != self.secret or sorted(os.listdir(self.folder)) != ["secret", "socket"]:
            found.append(f"the folder was changed: {os.listdir(self.folder)}")
        for server in self.servers:
            with contextlib.suppress(BlockingIOError):
                server.recvfrom(10) if server.type == socket.SOCK_DGRAM else server.accept()[0].close()
                found.append(f"something came to {server.getsockname()!r}")
        if self.victim.poll() is not None:
            found.append(f"the process ended with {self.victim.returncode}")
        elif (read(f"/proc/{self.victim.pid}/cgroup"), read(f"/proc/{self.victim.pid}/oom_score_adj")) != (
            self.groups,
            b"0\n",
        ):
            found.append("the process was moved, or may be killed sooner")
        for path, content in self.settings.items():
            if read(path) != content:
                found.append(f"{path} is {read(path)!r} and was {content!r}")
        if self.secret not in (read(f"/dev/shm/rtrace-canary-{self.port}") or b""):
            found.append("the file in /dev/shm was changed")
        if b"rtrace-canary" in (read("/proc/self/mountinfo") or b""):
            found.append("something is mounted")
        found += [f"{path} was made" for path in ("/rtrace-canary",) if os.path.lexists(path)]
        for entry in Path("/proc").iterdir():
            is_one = entry.name.isdigit() and (read(entry / "comm") or b"").decode(errors="replace").strip() == ESCAPEE
            if is_one and os.fsencode(self.folder) in (read(entry / "cmdline") or b"").split(b"\0"):
                found.append(f"process {entry.name} goes on")
        return found


@contextlib.contextmanager
def besieged() -> Iterator[Besieged]:
    """Put secrets into all places, and take them away."""
    secret = b"S3CRET" + secrets.token_hex(16).encode()
    folder = Path(tempfile.mkdtemp(prefix="rtrace-canary-", dir="/var/tmp"))
    with contextlib.ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        folder.chmod(0o777)
        (folder / "secret").write_bytes(secret)
        (folder / "secret").chmod(0o666)
        stream = stack.enter_context(socket.create_server(("0.0.0.0", 0)))  # noqa: S104 -- what listens everywhere
        port = stream.getsockname()[1]
        datagram, path, abstract = (
            stack.enter_context(socket.socket(family, kind))
            for family, kind in (
                (socket.AF_INET, socket.SOCK_DGRAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
                (socket.AF_UNIX, socket.SOCK_STREAM),
            )
        )
        datagram.bind(("0.0.0.0", port))  # noqa: S104
        path.bind(str(folder / "socket"))
        (folder / "socket").chmod(0o777)
        abstract.bind(f"\0rtrace-canary-{port}")
        for server in (path, abstract):
            server.listen()
        servers = stream, datagram, path, abstract
        for server in servers:
            server.settimeout(0)
        memory = Path(f"/dev/shm/rtrace-canary-{port}")
        memory.write_bytes(secret)
        memory.chmod(0o666)
        stack.callback(memory.unlink)
        shared = PRIVATE + port
        segment = libc.shmget(shared, 4096, IPC_CREAT | 0o666)
        assert segment >= 0
        stack.callback(libc.shmctl, segment, IPC_RMID, None)
        place = libc.shmat(segment, None, 0)
        ctypes.memmove(place, secret, len(secret))
        stack.callback(libc.shmdt, ctypes.c_void_p(place))
        key = libc.syscall(ADD_KEY, KEYRING, b"rtrace-canary", secret, len(secret), USER_KEYRING)
        stack.callback(libc.syscall, KEYCTL, KEYCTL_UNLINK, key, USER_KEYRING)
        victim = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-c", "input()"],
                stdin=subprocess.PIPE,
                env={"SECRET": secret.decode()},
                start_new_session=True,
            )
        )
        stack.callback(victim.kill)
        settings = {path: read(path) for path in SETTINGS}
        groups = read(f"/proc/{victim.pid}/cgroup")
        yield Besieged(folder, secret, port, victim, shared, servers, settings, groups, find_disk())


def find_disk() -> bytes:
    """Return what tells the file system of the machine's root, as the program prints it; nothing without a disk."""
    device = os.stat("/").st_dev
    name = f"/sys/dev/block/{os.major(device)}:{os.minor(device)}/uevent"
    words = dict(line.split("=", 1) for line in (read(name) or b"").decode().splitlines())
    try:
        with open(f"/dev/{words['DEVNAME']}", "rb") as disk:
            disk.seek(1024 + 104)
            return disk.read(16).hex().encode()
    except (KeyError, OSError):
        return b""
