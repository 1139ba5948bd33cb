"""A process that is being traced, and what its memory says."""

from __future__ import annotations

import os
from collections.abc import Callable

PAGE = 4096
READ_FIRST = 256  # bytes read at once of a string, most of which are shorter
PATH_MAX = 4096
MAX_ARGUMENT = 131072  # MAX_ARG_STRLEN of execve(2): 32 pages


class Process:
    """A thread group: what is common to all threads of a program."""

    __slots__ = ("id", "seen", "tgid", "uses")

    def __init__(self, identity: int, tgid: int) -> None:
        """Begin with nothing seen; ``identity`` is the row in the trace database, ``tgid`` the process id."""
        self.id = identity
        self.tgid = tgid
        self.seen: set[tuple[int, int, bytes, bytes]] = set()
        self.uses: set[int] = set()


class Tracee:
    """One thread, by its thread id, in the life between its first and its last stop."""

    __slots__ = ("answered", "awaited", "cwd", "execution", "memory", "process", "row", "started", "tid")

    def __init__(self, tid: int, process: Process, row: int) -> None:
        """Begin with its memory unopened and its cwd unknown; ``row`` is its own row in ``processes``."""
        self.tid = tid
        self.process = process
        self.row = row
        self.memory = -1
        self.cwd: bytes | None = None
        self.execution: object = None
        self.awaited: Callable[[int], None] | None = None  # what is to be done with its call's result
        self.answered: tuple[int, int] = (-1, 0)  # number and second argument of its last call, if not a simple one

    def forget_memory(self) -> None:
        """Let go of the address space: the thread ended or executed another program."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def read(self, address: int, size: int) -> bytes:
        """Read from its memory, fewer bytes at an unmapped page. Raises OSError when nothing is mapped there."""
        return os.pread(self.memory if self.memory >= 0 else self.open_memory(), size, address)

    def open_memory(self) -> int:
        """Open its address space, until ``forget_memory``."""
        self.memory = os.open(f"/proc/{self.tid}/mem", os.O_RDONLY | os.O_CLOEXEC)
        return self.memory

    def read_string(self, address: int, limit: int = PATH_MAX) -> bytes:
        """Read a NUL-terminated string, page by page so as never to touch a page the string does not reach."""
        memory = self.memory
        if memory < 0:
            memory = self.open_memory()
        data = os.pread(memory, min(PAGE - address % PAGE, READ_FIRST), address)
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
        """Read one of its magic links: ``cwd``, ``root``, ``exe`` or ``fd/N`` of proc(5)."""
        return os.readlink(f"/proc/{self.tid}/{name}".encode())
