"""A process that is being traced, and what its memory says."""

from __future__ import annotations

import errno
import os
from collections.abc import Callable

from rtrace.linux.credentials import as_user_of

PAGE = 4096
READ_FIRST = 256  # bytes that are read of a string at once: most strings are shorter
PATH_MAX = 4096
MAX_ARGUMENT = 131072  # MAX_ARG_STRLEN of execve(2): 32 pages


class Process:
    """A thread group: what all threads of a program share, such as its address space."""

    __slots__ = ("id", "memory", "opened", "seen", "tgid", "threads", "uses")

    def __init__(self, identity: int, tgid: int, opened: dict[Process, None]) -> None:
        """Begin with nothing seen and its memory unopened.

        ``identity`` is the row in the trace database, ``tgid`` the process id; ``opened`` are those whose memory is
        open, the longest one first.
        """
        self.id = identity
        self.tgid = tgid
        self.opened = opened
        self.memory = -1
        self.threads = 0
        self.seen: set[tuple[int, int, bytes, bytes]] = set()
        self.uses: set[int] = set()

    def open_memory(self, tid: int) -> int:
        """Open its address space by one of its threads, until ``forget_memory``; close others where that needs room.

        Opened once, it can be read whatever the process makes of its rights later. Raises OSError.
        """
        self.forget_memory()
        name = f"/proc/{tid}/mem"
        try:
            self.memory = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except PermissionError:
            if os.geteuid() != 0:
                raise
            with as_user_of(tid):
                self.memory = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        except OSError as error:
            if error.errno not in {errno.EMFILE, errno.ENFILE} or not self.opened:
                raise
            for other in tuple(self.opened)[: len(self.opened) // 2 + 1]:
                other.forget_memory()
            self.memory = os.open(name, os.O_RDONLY | os.O_CLOEXEC)
        self.opened[self] = None
        return self.memory

    def forget_memory(self) -> None:
        """Close the address space: the process ended or executed another program."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1
            del self.opened[self]


class Tracee:
    """One thread, by its thread id, in the life between its first and its last stop."""

    __slots__ = ("answered", "awaited", "cwd", "process", "row", "tid")

    def __init__(self, tid: int, process: Process, row: int) -> None:
        """Begin with its cwd unknown; ``row`` is its own row in ``processes``."""
        self.tid = tid
        self.process = process
        self.row = row
        self.cwd: bytes | None = None
        self.awaited: Callable[[int], None] | None = None  # what is to be done with its call's result
        self.answered: tuple[int, int] = (-1, 0)  # number and second argument of its last call, if not a simple one

    def read(self, address: int, size: int) -> bytes:
        """Read from its memory, fewer bytes at an unmapped page. Raises OSError (EFAULT) when nothing is mapped there.

        An address space that has gone reads as empty: then the process has executed a program unseen.
        """
        memory = self.process.memory
        try:
            return (os.pread(memory, size, address) if memory >= 0 else b"") or os.pread(
                self.open_memory(), size, address
            )
        except OSError as error:
            if error.errno == errno.EIO and error.filename is None:  # what proc(5) says of an address without a page
                raise OSError(errno.EFAULT, os.strerror(errno.EFAULT)) from None
            raise

    def open_memory(self) -> int:
        """Open the address space of its process."""
        return self.process.open_memory(self.tid)

    def read_string(self, address: int, limit: int = PATH_MAX) -> bytes:
        """Read a NUL-terminated string, page by page so as never to touch a page the string does not reach."""
        data = self.read(address, min(PAGE - address % PAGE, READ_FIRST))
        end = data.find(0)
        if end >= 0:
            return data[:end]
        while len(data) < limit:
            position = address + len(data)
            more = self.read(position, PAGE - position % PAGE)
            if not more:
                break
            end = more.find(0)
            if end >= 0:
                return data + more[:end]
            data += more
        return data[:limit]

    def read_pointers(self, address: int, word: int) -> list[int]:
        """Read a NULL-terminated array of pointers of ``word`` bytes each, as argv is."""
        pointers: list[int] = []
        while address:
            data = self.read(address, PAGE - address % PAGE)
            if not data:
                break
            for index in range(0, len(data) - len(data) % word, word):
                pointer = int.from_bytes(data[index : index + word], "little")
                if not pointer:
                    return pointers
                pointers.append(pointer)
            address += len(data) - len(data) % word
        return pointers

    def read_arguments(self, address: int, word: int) -> tuple[bytes, ...]:
        """Read an argv: the strings that a NULL-terminated array points to."""
        return tuple(self.read_string(pointer, MAX_ARGUMENT) for pointer in self.read_pointers(address, word))

    def read_link(self, name: str) -> bytes:
        """Read one of its magic links: ``cwd``, ``root``, ``exe`` or ``fd/N`` of proc(5). Raises OSError."""
        link = f"/proc/{self.tid}/{name}".encode()
        try:
            return os.readlink(link)
        except PermissionError:
            if os.geteuid() != 0:
                raise
            with as_user_of(self.tid):
                return os.readlink(link)
