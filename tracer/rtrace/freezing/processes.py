"""The processes of a frozen tree: each has its clock, its random numbers and its memory."""

from __future__ import annotations

import hashlib
import os

from rtrace.freezing.clock import Clock

Line = tuple[int, ...]
"""Which child of which child of the first process: what names a process whatever its id is."""


class FrozenProcess:
    """A process: what all its threads share. It is known by its birth, not by its id."""

    __slots__ = ("born", "clock", "drawn", "line", "memory", "parent", "tgid", "threads")

    def __init__(self, tgid: int, line: Line, clock: Clock, parent: FrozenProcess | None) -> None:
        self.tgid = tgid
        self.line = line
        self.clock = clock
        self.parent = parent
        self.threads = 0
        self.born = 0
        self.drawn = 0
        self.memory = -1

    def bear(self, tgid: int) -> FrozenProcess:
        """Return a new child."""
        self.born += 1
        return FrozenProcess(tgid, (*self.line, self.born), self.clock.copy(), self)

    def draw(self, seed: int, size: int) -> bytes:
        """Return this process's next random bytes: the same for the same seed, line and number of earlier draws."""
        self.drawn += 1
        return make_bytes(f"{seed} {self.line} {self.drawn}", size)

    def open_memory(self, tid: int) -> int:
        """Open its address space, by one of its threads. Raises OSError."""
        self.forget_memory()
        self.memory = os.open(f"/proc/{tid}/mem", os.O_RDWR | os.O_CLOEXEC)
        return self.memory

    def forget_memory(self) -> None:
        """Close its address space: it ended, or executes another program."""
        if self.memory >= 0:
            os.close(self.memory)
            self.memory = -1

    def end(self) -> None:
        """Note that its last thread has ended: the clock of its parent is not behind its own."""
        self.forget_memory()
        if self.parent is not None:
            self.parent.clock.join(self.clock)


class FrozenThread:
    """A thread of a process."""

    __slots__ = ("process", "tid")

    def __init__(self, tid: int, process: FrozenProcess) -> None:
        self.tid = tid
        self.process = process
        process.threads += 1

    def read(self, address: int, size: int) -> bytes:
        """Read from its memory, fewer bytes at an unmapped page. Raises OSError."""
        memory = self.process.memory
        return os.pread(memory if memory >= 0 else self.process.open_memory(self.tid), size, address)

    def read_all(self, address: int, size: int) -> bytes:
        """Read so many bytes from its memory. Raises OSError."""
        data = self.read(address, size)
        if len(data) < size:
            raise OSError(f"only {len(data)} of {size} bytes at {address:#x} are mapped")
        return data

    def read_string(self, address: int, limit: int) -> bytes:
        """Read a string that ends in a NUL. Raises OSError."""
        return self.read(address, limit).partition(b"\0")[0]

    def write(self, address: int, content: bytes) -> None:
        """Write into its memory. Raises OSError."""
        memory = self.process.memory
        os.pwrite(memory if memory >= 0 else self.process.open_memory(self.tid), content, address)


def make_bytes(text: str, size: int) -> bytes:
    """Return bytes that look random, and are the same for the same text."""
    return hashlib.shake_256(text.encode()).digest(size)
