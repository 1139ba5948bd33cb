"""What a frozen program is told at a call: an answer in place of the kernel's, or the kernel's mended afterwards."""

from __future__ import annotations

import errno
import os
import struct
from collections.abc import Callable
from typing import TYPE_CHECKING

from rtrace.freezing.clock import SECOND, find_base
from rtrace.freezing.listings import Listings
from rtrace.freezing.model import APART, Freeze
from rtrace.freezing.waiting import MICROSECOND, TIMESPEC, Finish, begin_wait, sign
from rtrace.linux.descriptors import take_descriptor

if TYPE_CHECKING:
    from rtrace.freezing.processes import FrozenThread

RANDOM_DEVICES = (b"/dev/urandom", b"/dev/random")
STREAM = 8 << 20
"""Bytes of the file that stands in for the random devices: a program that reads more comes to its end."""
STREAM_PART = 1 << 16
"""Each time that it is opened, reading begins so many bytes further on."""
PATH_PART = 256
EXCLUSIVE = os.O_CREAT | os.O_EXCL
LONGEST_RANDOM = 1 << 25  # getrandom(2)
RUSAGE, TMS = 144, 32
"""Bytes of struct rusage of getrusage(2), of struct tms of times(2)."""
TICK = SECOND // 100
UTSNAME = 65
"""Bytes of each string of uname(2): sysname, nodename, release, version, machine, domainname."""
SYSINFO = struct.Struct("=q3Q2Q4QHxxxxxxQQI4x")
"""sysinfo(2): uptime, loads, total and free memory, shared, buffers, swap, free swap, processes, high memory, unit."""
GIGABYTE = 1 << 30
STAT_TIMES, STATX_TIMES = (72, 88, 104), (64, 96, 112, 80)
"""Where struct stat has the times of access, content, inode; struct statx of access, inode, content, birth."""
STAT_CONTENT, STATX_CONTENT = 88, 112
BUFFER_ARGUMENT = {"stat": 1, "lstat": 1, "fstat": 1, "newfstatat": 2, "statx": 4}

Answer = int | Finish | None
"""The result of a call that is not made at all; what is to be done after it; or None for a call as any other."""


class Answers:
    """How the calls of one frozen tree are answered.

    ``release`` is what uname(2) tells of the kernel, None to leave that alone. ``told`` is given the names of new
    files that a program makes. ``since`` is when the tree began, in seconds since the Epoch: what was written before
    keeps its time.
    """

    def __init__(self, freeze: Freeze, release: bytes | None, told: Callable[[bytes], None], since: float) -> None:
        self.freeze = freeze
        self.release = release
        self.told = told
        self.since = int(since)
        self.began = freeze.clock
        self.written = freeze.began + freeze.of("file-times") * (APART + 22_222)
        self.seed = freeze.of("random")
        self.listings = Listings(backwards=freeze.of("directory-order") % 2 == 1)
        self.opened = 0

    def answer(self, thread: FrozenThread, name: str, arguments: list[int]) -> Answer:
        """Answer a call at its entry. What is wrong with its memory, the kernel may say."""
        try:
            known = _ANSWERS.get(name)
            if known is not None:
                return known(self, thread, arguments)
            if name in BUFFER_ARGUMENT:
                return self.mend_times(thread, name, arguments)
            return begin_wait(thread, name, arguments, self.began)
        except (OSError, OverflowError, ValueError):  # EFAULT, EIO: an address that is not mapped
            return None

    def tell_clock(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer clock_gettime(2)."""
        clock = sign(arguments[0])
        moment = find_base(clock, self.began, self.freeze.of("time")) + thread.process.clock.look()
        thread.write(arguments[1], TIMESPEC.pack(*divmod(moment, SECOND)))
        return 0

    def tell_time_of_day(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer gettimeofday(2), whose time zone is of no use."""
        seconds, rest = divmod(self.began * SECOND + thread.process.clock.look(), SECOND)
        if arguments[0]:
            thread.write(arguments[0], TIMESPEC.pack(seconds, rest // MICROSECOND))
        if arguments[1]:
            thread.write(arguments[1], bytes(8))
        return 0

    def tell_seconds(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer time(2)."""
        seconds = self.began + thread.process.clock.look() // SECOND
        if arguments[0]:
            thread.write(arguments[0], seconds.to_bytes(8, "little"))
        return seconds

    def tell_usage(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer getrusage(2): nothing was used, or as much as another clock says."""
        used = self.freeze.of("time")
        thread.write(arguments[1], TIMESPEC.pack(used, used).ljust(RUSAGE, b"\0"))
        return 0

    def tell_ticks(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer times(2)."""
        if arguments[0]:
            thread.write(arguments[0], bytes(TMS))
        return thread.process.clock.look() // TICK + 1

    def draw(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer getrandom(2)."""
        content = thread.process.draw(self.seed, min(arguments[1], LONGEST_RANDOM))
        thread.write(arguments[0], content)
        return len(content)

    def tell_memory(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer sysinfo(2)."""
        size = (8 + 8 * self.freeze.of("machine")) * GIGABYTE
        thread.write(arguments[0], SYSINFO.pack(1000, 0, 0, 0, size, size // 2, 0, 0, 0, 0, 1, 0, 0, 1))
        return 0

    def tell_processor(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer getcpu(2): the first one."""
        for pointer in arguments[:2]:
            if pointer:
                thread.write(pointer, bytes(4))
        return 0

    def mend_system(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Mend what uname(2) tells of the kernel."""
        release = self.release
        if release is None:
            return None
        if self.freeze.of("machine"):
            release += b"-other"

        def finish(result: int) -> None:
            if result == 0:
                strings = (release, b"#1 SMP")
                content = b"".join(string[: UTSNAME - 1].ljust(UTSNAME, b"\0") for string in strings)
                thread.write(arguments[0] + 2 * UTSNAME, content)

        return finish

    def list_folder(self, thread: FrozenThread, arguments: list[int], *, old: bool = False) -> Answer:
        """Answer getdents64(2)."""
        try:
            descriptor = take_descriptor(thread.process.tgid, sign(arguments[0]))
        except OSError:
            return None
        try:
            content = self.listings.read(descriptor, thread.process.tgid, sign(arguments[2]), old=old)
        except OSError as error:
            return -errno.EINVAL if error.errno == errno.EINVAL else None
        finally:
            os.close(descriptor)
        thread.write(arguments[1], content)
        return len(content)

    def list_folder_of_old(self, thread: FrozenThread, arguments: list[int]) -> Answer:
        """Answer getdents(2)."""
        return self.list_folder(thread, arguments, old=True)

    def look_at_open(self, thread: FrozenThread, path_at: int, flags: int) -> Answer:
        """Note a name that is made, or let a random device begin elsewhere each time."""
        path = thread.read_string(path_at, PATH_PART)
        if flags & EXCLUSIVE == EXCLUSIVE:
            self.told(path.rpartition(b"/")[2])
        if path not in RANDOM_DEVICES:
            return None
        self.opened += 1
        offset = self.opened * STREAM_PART % STREAM

        def finish(result: int) -> None:
            if result >= 0:
                descriptor = take_descriptor(thread.process.tgid, result)
                try:
                    os.lseek(descriptor, offset, os.SEEK_SET)
                finally:
                    os.close(descriptor)

        return finish

    def mend_times(self, thread: FrozenThread, name: str, arguments: list[int]) -> Answer:
        """Mend the times that a call of stat(2) tells: those of what was written since, and what nobody can set."""
        address = arguments[BUFFER_ARGUMENT[name]]
        extended = name == "statx"
        times, content = (STATX_TIMES, STATX_CONTENT) if extended else (STAT_TIMES, STAT_CONTENT)
        first = times[0]
        size = max(times) - first + TIMESPEC.size

        def finish(result: int) -> None:
            if result != 0:
                return
            data = bytearray(thread.read_all(address + first, size))
            for place in times:
                (seconds,) = struct.unpack_from("=q", data, place - first)
                if place != content or seconds >= self.since:
                    TIMESPEC.pack_into(data, place - first, self.written, 0)
            thread.write(address + first, bytes(data))

        return finish


_ANSWERS: dict[str, Callable[[Answers, FrozenThread, list[int]], Answer]] = {
    "clock_gettime": Answers.tell_clock,
    "gettimeofday": Answers.tell_time_of_day,
    "time": Answers.tell_seconds,
    "getrusage": Answers.tell_usage,
    "times": Answers.tell_ticks,
    "getrandom": Answers.draw,
    "sysinfo": Answers.tell_memory,
    "getcpu": Answers.tell_processor,
    "uname": Answers.mend_system,
    "getdents": Answers.list_folder_of_old,
    "getdents64": Answers.list_folder,
    "open": lambda self, thread, arguments: self.look_at_open(thread, arguments[0], arguments[1]),
    "openat": lambda self, thread, arguments: self.look_at_open(thread, arguments[1], arguments[2]),
    "openat2": lambda self, thread, arguments: self.look_at_open(
        thread, arguments[1], int.from_bytes(thread.read_all(arguments[2], 8), "little")
    ),
    "mkdir": lambda self, thread, arguments: self.look_at_open(thread, arguments[0], EXCLUSIVE),
    "mkdirat": lambda self, thread, arguments: self.look_at_open(thread, arguments[1], EXCLUSIVE),
}
