"""The launchers of an image: programs that start a recorded run exactly as it was, each with its data.

A Dockerfile can say neither an argument that is not UTF-8, nor a program whose argv[0] is not its path, nor a umask,
nor an environment of any size. So the image gets one launcher for each run: a static ELF program that holds all this
as data, and is the run's init besides (it reaps orphans, hands signals on and ends when all descendants have).

    0x400800  parameters, a word each: umask, directory, path, argv, envp, message, length, message, length, steps,
              seccomp filter, message, length
    and then  lists of steps, arrays of pointers, each ended by a null pointer, and strings, each ended by a NUL

What lies before that is in `rtrace_unpackers.launchers.elf`.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from typing import TypeAlias

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace_unpackers.engines.image.descriptors import Step, lay_out, plan_descriptors
from rtrace_unpackers.engines.image.dockerfile import FOLDER, PAUSE, name_launchers
from rtrace_unpackers.isolation.kernel.seccomp import build_filter
from rtrace_unpackers.launchers.elf import BASE, CODE_OFFSET, EXECUTABLE, READABLE, WIDE, Segment, build_program
from rtrace_unpackers.launchers.machine_code import CODE
from rtrace_unpackers.launchers.processors import PROCESSORS, Processor

PARAMETERS = 0x800
"""Where they lie in the file; container.c knows."""
PARAMETER_COUNT = 13


def find_processor(name: str) -> Processor:
    """Return a kind of processor by the name that uname(2) has for it. Raises TargetError for an unknown one."""
    processor = PROCESSORS.get(name)
    if processor is None:
        raise TargetError(
            f"an image cannot replay programs for {name}, only for x86_64, aarch64 and i386; "
            "use the chroot unpacker on such a machine"
        )
    return processor


def build_programs(runs: Sequence[Run]) -> dict[str, bytes]:
    """Return the launchers of an image by their paths."""
    return {**build_launchers(runs), f"{FOLDER}/{PAUSE}": build_pause(runs[0].architecture)}


def build_launchers(runs: Sequence[Run]) -> dict[str, bytes]:
    """Return the programs that start the runs by their paths."""
    launchers = name_launchers(runs)
    return {launchers[run.id]: build_launcher(run) for run in runs}


def no_steps(_data: LauncherData, _processor: Processor) -> Sequence[Step]:
    """Return nothing that is to be done first."""
    return ()


def build_launcher(run: Run, plan_first: PlanFirst = no_steps, calls: bytes | None = None) -> bytes:
    """Return the program that starts a run. Raises TargetError for an unknown architecture.

    ``plan_first`` tells what else it does, before it opens what the run was given; ``calls`` is a filter of
    system calls in the place of that which replays have.
    """
    processor = find_processor(run.architecture)
    environ = [name if value is None else name + b"=" + value for name, value in run.environ]
    not_there = b"rtrace: cannot enter the working directory " + run.workingdir + b"\n"
    not_started = b"rtrace: cannot execute " + run.binary + b"\n"
    given = [one.path for one in run.descriptors if one.path is not None]
    no_input = b"rtrace: cannot open the standard input " + (run.stdin.path if run.stdin is not None else b"") + b"\n"
    if given:
        no_input = b"rtrace: cannot open what the run was given: " + b", ".join(given) + b", or its standard input\n"
    data = LauncherData(processor.word, BASE + PARAMETERS + PARAMETER_COUNT * processor.word)
    parameters = [
        run.umask,
        data.add_string(run.workingdir),
        data.add_string(run.binary),
        data.add_array(run.argv),
        data.add_array(environ),
        data.add_string(not_there),
        len(not_there),
        data.add_string(not_started),
        len(not_started),
        data.add_steps((*plan_first(data, processor), *plan_descriptors(run, processor))),
        data.add_filter(build_filter(processor.kernel) if calls is None else calls),
        data.add_string(no_input),
        len(no_input),
    ]
    return assemble("container", processor, data.pack(parameters))


def build_pause(architecture: str) -> bytes:
    """Return the program that keeps a container running, and reaps. Raises TargetError for an unknown architecture."""
    return assemble("pause", find_processor(architecture), b"")


def build_forwarder(architecture: str) -> bytes:
    """Return the program that carries connections into a container. Raises TargetError for an unknown architecture."""
    processor = find_processor(architecture)
    code = CODE["forward", processor.name]
    size = CODE_OFFSET + len(code)
    return build_program(processor, code, (Segment(0, size, READABLE | EXECUTABLE),), b"", size)


def assemble(program: str, processor: Processor, data: bytes) -> bytes:
    """Return a program with its data."""
    whole = Segment(0, PARAMETERS + len(data), READABLE | EXECUTABLE)
    return build_program(processor, CODE[program, processor.name], (whole,), data, PARAMETERS)


class LauncherData:
    """Lays out the data of a launcher, which follow the parameters and begin at an address."""

    def __init__(self, word: int, start: int) -> None:
        self.word = word
        self.start = start
        self.content = bytearray()

    def add_string(self, string: bytes) -> int:
        """Add a string and return its address."""
        address = self.start + len(self.content)
        self.content += string + b"\0"
        return address

    def add_array(self, strings: Sequence[bytes]) -> int:
        """Add strings and the array of their addresses; return that of the array."""
        addresses = [self.add_string(string) for string in strings]
        return self.add_block(self.pack_words([*addresses, 0]))

    def add_steps(self, steps: tuple[Step, ...]) -> int:
        """Add a list of steps and return its address."""
        return self.add_block(self.pack_words(lay_out(steps, self.add_string)))

    def add_filter(self, program: bytes) -> int:
        """Add a BPF program and its ``struct sock_fprog``; return the address of that."""
        return self.add_block(self.pack_words([len(program) // 8, self.add_block(program)]))

    def add_block(self, block: bytes) -> int:
        """Add words, or what begins like one, and return their address."""
        self.align()
        address = self.start + len(self.content)
        self.content += block
        return address

    def align(self) -> None:
        """Pad to a multiple of a word."""
        self.content += bytes(-(self.start + len(self.content)) % self.word)

    def pack_words(self, words: Sequence[int]) -> bytes:
        """Return numbers as words of the processor."""
        mask = (1 << 8 * self.word) - 1
        return struct.pack(f"<{len(words)}{'Q' if self.word == WIDE else 'I'}", *(word & mask for word in words))

    def pack(self, parameters: Sequence[int]) -> bytes:
        """Return the parameters with all the data."""
        return self.pack_words(parameters) + bytes(self.content)


PlanFirst: TypeAlias = "Callable[[LauncherData, Processor], Sequence[Step]]"
"""Tells what a launcher does first, as steps, whose data it may add."""
