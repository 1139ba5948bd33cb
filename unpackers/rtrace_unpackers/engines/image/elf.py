"""Programs of a few hundred bytes and their data, that start a recorded run exactly as it was.

A Dockerfile can say neither an argument that is not UTF-8, nor a program whose argv[0] is not its path, nor a umask,
nor an environment of any size. So the image gets one launcher for each run: a static ELF program that holds all this
as data, and is the run's init besides (it reaps orphans, hands signals on and ends when all descendants have).

    0x400000  ELF header, two program headers (the file in memory; a stack that is not executable)
    0x400100  machine code, of the architecture
    0x400800  parameters, a word each: umask, directory, path, argv, envp, message, length, message, length, steps,
              seccomp filter, message, length
    and then  lists of steps, arrays of pointers, each ended by a null pointer, and strings, each ended by a NUL

See elf(5). All numbers are little-endian.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace_unpackers.engines.image.descriptors import Step, lay_out, plan_steps
from rtrace_unpackers.engines.image.machine_code import ARCHITECTURES, MachineCode
from rtrace_unpackers.isolation.kernel.seccomp import build_filter

BASE = 0x400000
CODE = 0x100
PARAMETERS = 0x800
PARAMETER_COUNT = 13

PT_LOAD, PT_GNU_STACK = 1, 0x6474E551
EXECUTABLE, WRITABLE, READABLE = 1, 2, 4


def find_code(architecture: str) -> MachineCode:
    """Return the machine code of an architecture, by the name that uname(2) has for it. Raises TargetError."""
    code = ARCHITECTURES.get(architecture)
    if code is None:
        raise TargetError(
            f"the docker unpacker cannot replay programs for {architecture}, only for x86_64, aarch64 and i386; "
            "use the chroot unpacker on such a machine"
        )
    return code


def build_launcher(run: Run) -> bytes:
    """Return the program that starts a run. Raises TargetError for an unknown architecture."""
    code = find_code(run.architecture)
    environ = [name if value is None else name + b"=" + value for name, value in run.environ]
    not_there = b"rtrace: cannot enter the working directory " + run.workingdir + b"\n"
    not_started = b"rtrace: cannot execute " + run.binary + b"\n"
    given = [one.path for one in run.descriptors if one.path is not None]
    no_input = b"rtrace: cannot open the standard input " + (run.stdin.path if run.stdin is not None else b"") + b"\n"
    if given:
        no_input = b"rtrace: cannot open what the run was given: " + b", ".join(given) + b", or its standard input\n"
    data = Data(code.word)
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
        data.add_steps(plan_steps(run, code)),
        data.add_filter(build_filter(code.kernel)),
        data.add_string(no_input),
        len(no_input),
    ]
    return build_program(code, code.launcher, data.pack(parameters))


def build_pause(architecture: str) -> bytes:
    """Return the program that keeps a container running, and reaps. Raises TargetError for an unknown architecture."""
    code = find_code(architecture)
    return build_program(code, code.pause, b"")


class Data:
    """The data of a launcher while it is being laid out, from the end of the parameters on."""

    def __init__(self, word: int) -> None:
        self.word = word
        self.start = BASE + PARAMETERS + PARAMETER_COUNT * word
        self.content = bytearray()

    def add_string(self, string: bytes) -> int:
        """Add a string and return its address."""
        address = self.start + len(self.content)
        self.content += string + b"\0"
        return address

    def add_array(self, strings: Sequence[bytes]) -> int:
        """Add strings and the array of their addresses; return that of the array."""
        addresses = [self.add_string(string) for string in strings]
        self.align()
        address = self.start + len(self.content)
        self.content += self.pack_words([*addresses, 0])
        return address

    def add_steps(self, steps: tuple[Step, ...]) -> int:
        """Add a list of steps and return its address."""
        words = lay_out(steps, self.add_string)
        self.align()
        address = self.start + len(self.content)
        self.content += self.pack_words(words)
        return address

    def add_filter(self, program: bytes) -> int:
        """Add a BPF program and its ``struct sock_fprog``; return the address of that."""
        self.align()
        address = self.start + len(self.content)
        self.content += program
        self.align()
        head = self.start + len(self.content)
        self.content += self.pack_words([len(program) // 8, address])
        return head

    def align(self) -> None:
        """Go on at a multiple of a word."""
        self.content += bytes(-(self.start + len(self.content)) % self.word)

    def pack_words(self, words: Sequence[int]) -> bytes:
        """Encode numbers in words of the architecture."""
        mask = (1 << 8 * self.word) - 1
        return struct.pack(f"<{len(words)}{'Q' if self.word == 8 else 'I'}", *(word & mask for word in words))  # noqa: PLR2004

    def pack(self, parameters: Sequence[int]) -> bytes:
        """Return the parameters with all the data."""
        return self.pack_words(parameters) + bytes(self.content)


def build_program(code: MachineCode, text: bytes, parameters: bytes) -> bytes:
    """Put an ELF program together."""
    size = PARAMETERS + len(parameters)
    headers = pack_headers(code, size)
    return headers.ljust(CODE, b"\0") + text.ljust(PARAMETERS - CODE, b"\0") + parameters


def pack_headers(code: MachineCode, size: int) -> bytes:
    """Return the ELF header and the program headers of a file of that size."""
    wide = code.word == 8  # noqa: PLR2004
    header_size, program_header_size, section_header_size = (64, 56, 64) if wide else (52, 32, 40)
    header = struct.pack(
        "<4sBBBB8xHHI" + ("QQQ" if wide else "III") + "IHHHHHH",
        b"\x7fELF",
        2 if wide else 1,  # 64 or 32 bits
        1,  # little-endian
        1,  # version
        0,  # System V
        2,  # executable
        code.machine,
        1,  # version
        BASE + CODE,
        header_size,
        0,  # no sections
        0,  # no flags
        header_size,
        program_header_size,
        2,
        section_header_size,
        0,
        0,
    )
    whole = (PT_LOAD, READABLE | EXECUTABLE, 0, BASE, BASE, size, size, 0x10000)
    stack = (PT_GNU_STACK, READABLE | WRITABLE, 0, 0, 0, 0, 0, 16)
    for kind, flags, offset, virtual, physical, in_file, in_memory, alignment in (whole, stack):
        if wide:
            fields = (kind, flags, offset, virtual, physical, in_file, in_memory, alignment)
            header += struct.pack("<IIQQQQQQ", *fields)
        else:
            fields = (kind, offset, virtual, physical, in_file, in_memory, flags, alignment)
            header += struct.pack("<8I", *fields)
    return header
