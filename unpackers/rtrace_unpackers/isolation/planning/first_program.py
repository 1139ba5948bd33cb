"""The first process of a replay as an executable file: machine code, and the steps of `steps` laid out behind it.

    0x410000    the addresses of the three lists, a flag, and the descriptor for reports
    and then    the lists, a step in nine words each, and strings, structures and arrays of pointers

What lies before that is in `rtrace_unpackers.launchers.elf`, and executed alone; this is read and written. All words
have eight bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace_unpackers.isolation.planning.steps import Argument, CallResult, Filter, Step, Steps
from rtrace_unpackers.launchers.elf import BASE, EXECUTABLE, READABLE, WRITABLE, Segment, build_program
from rtrace_unpackers.launchers.machine_code import CODE
from rtrace_unpackers.launchers.processors import CALLS, PROCESSORS

DATA = 0x10000
"""Where they lie in the file; namespaces.c knows."""
WORD = 8
WORDS_OF_STEP = 9
END_OF_LIST = -1
PARAMETERS = 5


def build_first_program(machine: str, steps: Steps) -> bytes:
    """Return the program for a machine, by the name that uname(2) has for it. Raises TargetError for an unknown one."""
    code = CODE.get(("namespaces", machine))
    if code is None:
        known = " and ".join(sorted(architecture for program, architecture in CODE if program == "namespaces"))
        raise TargetError(f"the chroot unpacker cannot replay on {machine}, only on {known}; use the docker unpacker")
    data = FirstProgramData(CALLS[machine])
    lists = [data.add_list(part) for part in (steps.before, steps.program, steps.after)]
    content = data.finish([*lists, int(steps.leads_group), steps.report])
    segments = (Segment(0, DATA, READABLE | EXECUTABLE), Segment(DATA, len(content), READABLE | WRITABLE))
    return build_program(PROCESSORS[machine], code, segments, content, DATA)


class FirstProgramData:
    """Lays out the data of a launcher."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self.numbers = numbers
        self.content = bytearray(PARAMETERS * WORD)

    @property
    def address(self) -> int:
        """The address of what is added next."""
        return BASE + DATA + len(self.content)

    def finish(self, parameters: Sequence[int]) -> bytes:
        """Return all data, with the parameters in front."""
        self.content[: PARAMETERS * WORD] = pack_words(parameters)
        return bytes(self.content)

    def add_bytes(self, content: bytes) -> int:
        """Add bytes and a NUL, at a multiple of a word; return their address."""
        self.content += bytes(-len(self.content) % WORD)
        address = self.address
        self.content += content + b"\0"
        return address

    def add_array(self, strings: Sequence[bytes]) -> int:
        """Add strings and the array of their addresses; return that of the array."""
        addresses = [self.add_bytes(string) for string in strings]
        return self.add_bytes(pack_words([*addresses, 0]))

    def add_list(self, steps: Sequence[Step]) -> int:
        """Add a list of steps and all that they point to; return its address."""
        pointers = [[self.add_argument(argument) for argument in step.arguments] for step in steps]
        cells = {step.result: self.add_bytes(bytes(WORD)) for step in steps if step.result is not None}
        self.content += bytes(-len(self.content) % WORD)
        start = self.address
        for number, step in enumerate(steps):
            for place, argument in enumerate(step.arguments):
                if isinstance(argument, CallResult) and argument.by_address:
                    pointers[number][place] = cells[argument.name]
                elif isinstance(argument, CallResult):  # the result goes straight to where it is an argument
                    cells[argument.name] = start + (number * WORDS_OF_STEP + 1 + place) * WORD
        for step, arguments in zip(steps, pointers, strict=True):
            words = [self.numbers[step.call], *arguments, *[0] * (6 - len(arguments))]
            self.content += pack_words([*words, cells[step.result] if step.result else 0, int(step.stage or 0)])
        self.content += pack_words([END_OF_LIST])
        return start

    def add_argument(self, argument: Argument) -> int:
        """Return the word for an argument, and add what it points to; that of a result is not known yet."""
        if isinstance(argument, int):
            return argument
        if isinstance(argument, bytes):
            return self.add_bytes(argument)
        if isinstance(argument, tuple):
            return self.add_array(argument)
        if isinstance(argument, Filter):
            return self.add_bytes(pack_words([len(argument.program) // WORD, self.add_bytes(argument.program)]))
        return 0


def pack_words(words: Sequence[int]) -> bytes:
    """Encode numbers, negative ones in two's complement."""
    return struct.pack(f"<{len(words)}Q", *(word & (1 << 64) - 1 for word in words))
