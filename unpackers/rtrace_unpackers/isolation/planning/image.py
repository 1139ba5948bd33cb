"""The launcher of a replay as an executable file: machine code, and the steps of `steps` laid out behind it.

    file offset   address
    0x0           0x400000  ELF header, three program headers; read and executed
    0x100         0x400100  machine code, of the architecture
    0x10000       0x410000  the addresses of the three lists, a flag, and the descriptor for reports; read and
                            written from here on
                            the lists, a step in nine words each, and then strings, structures and arrays of pointers

See elf(5). All numbers are little-endian, all words of eight bytes.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace_unpackers.isolation.planning.machine_code import LAUNCHERS, Launcher
from rtrace_unpackers.isolation.planning.steps import NUMBERS, Argument, Result, Step, Steps

BASE = 0x400000
CODE = 0x100
DATA = 0x10000
WORD = 8
WORDS_OF_STEP = 9
END_OF_LIST = -1
PARAMETERS = 5

PT_LOAD, PT_GNU_STACK = 1, 0x6474E551
EXECUTABLE, WRITABLE, READABLE = 1, 2, 4
PAGES = 0x10000
HEADER_SIZE, PROGRAM_HEADER_SIZE, SECTION_HEADER_SIZE = 64, 56, 64


def build_image(machine: str, steps: Steps) -> bytes:
    """Return the program for a machine, by the name that uname(2) has for it. Raises TargetError for an unknown one."""
    launcher = LAUNCHERS.get(machine)
    if launcher is None:
        known = " and ".join(sorted(LAUNCHERS))
        raise TargetError(f"the chroot unpacker cannot replay on {machine}, only on {known}; use the docker unpacker")
    data = Data(NUMBERS[machine])
    lists = [data.add_list(part) for part in (steps.before, steps.program, steps.after)]
    content = data.finish([*lists, int(steps.leads_group), steps.report])
    text = launcher.text.ljust(DATA - CODE, b"\0")
    return pack_headers(launcher, len(content)).ljust(CODE, b"\0") + text + content


class Data:
    """The data of a launcher while it is being laid out."""

    def __init__(self, numbers: dict[str, int]) -> None:
        self.numbers = numbers
        self.content = bytearray(PARAMETERS * WORD)

    @property
    def address(self) -> int:
        """Where what is added next comes to lie."""
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
                if isinstance(argument, Result) and argument.by_address:
                    pointers[number][place] = cells[argument.name]
                elif isinstance(argument, Result):  # the result goes straight to where it is an argument
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
        return 0


def pack_words(words: Sequence[int]) -> bytes:
    """Encode numbers, negative ones in two's complement."""
    return struct.pack(f"<{len(words)}Q", *(word & (1 << 64) - 1 for word in words))


def pack_headers(launcher: Launcher, size: int) -> bytes:
    """Return the ELF header and the program headers of a file with that much data."""
    header = struct.pack(
        "<4sBBBB8xHHIQQQIHHHHHH",
        b"\x7fELF",
        2,  # 64 bits
        1,  # little-endian
        1,  # version
        0,  # System V
        2,  # executable
        launcher.machine,
        1,  # version
        BASE + CODE,
        HEADER_SIZE,
        0,  # no sections
        0,  # no flags
        HEADER_SIZE,
        PROGRAM_HEADER_SIZE,
        3,
        SECTION_HEADER_SIZE,
        0,
        0,
    )
    text = (PT_LOAD, READABLE | EXECUTABLE, 0, BASE, BASE, DATA, DATA, PAGES)
    data = (PT_LOAD, READABLE | WRITABLE, DATA, BASE + DATA, BASE + DATA, size, size, PAGES)
    stack = (PT_GNU_STACK, READABLE | WRITABLE, 0, 0, 0, 0, 0, 16)
    return header + b"".join(struct.pack("<IIQQQQQQ", *program_header) for program_header in (text, data, stack))
