"""The calls that a launcher takes from the program it starts: what an engine's own filter may leave open, by version.

An engine's default filter is asked for as well (`rtrace_unpackers.docker.engine`), and is the longer one: mounts,
modules, clocks. This one holds what engines learnt to refuse late, or refuse by a missing capability only: keyrings,
nested namespaces, files by handle, and what the kernel keeps being attacked through. See seccomp(2).
"""

from __future__ import annotations

import errno
import struct
from dataclasses import dataclass

X32_BIT = 0x40000000
AF_VSOCK = 40
SYS_SOCKET = 1
"""What socketcall(2) has as its first argument for socket(2); its others are out of a filter's sight."""

NEW_NAMESPACES = 0x7E020000
"""CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID, NEWNET: bits that mean nothing else in clone(2)."""
NEW_TIME_NAMESPACE = 0x80
"""CLONE_NEWTIME, in unshare(2) only."""

# struct seccomp_data: int nr; __u32 arch; __u64 instruction_pointer; __u64 args[6] (little endian: low word first).
AT_NUMBER, AT_ARCHITECTURE, AT_FIRST_ARGUMENT = 0, 4, 16
LOAD, JUMP_IF_EQUAL, JUMP_IF_AT_LEAST, JUMP_IF_ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
RET_ALLOW = 0x7FFF0000
RET_ERRNO = 0x00050000


@dataclass(frozen=True, slots=True)
class Numbers:
    """The numbers of an architecture's calls; ``refused`` are add_key, request_key, keyctl, setns, bpf,
    perf_event_open, userfaultfd and open_by_handle_at.
    """  # noqa: D205 - the list is one sentence

    architecture: int
    refused: tuple[int, ...]
    unshare: int
    clone: int
    socket: int
    socketcall: int | None = None
    has_x32: bool = False


UNKNOWN = (425, 426, 427, 435)
"""io_uring_setup, io_uring_enter, io_uring_register and clone3, the same everywhere: programs do without them."""

X86_64 = Numbers(0xC000003E, (248, 249, 250, 308, 321, 298, 323, 304), 272, 56, 41, has_x32=True)
I386 = Numbers(0x40000003, (286, 287, 288, 346, 357, 336, 374, 342), 310, 120, 359, 102)
AARCH64 = Numbers(0xC00000B7, (217, 218, 219, 268, 280, 241, 282, 265), 97, 220, 198)
ARM = Numbers(0x40000028, (309, 310, 311, 375, 386, 364, 388, 371), 337, 120, 281, 102)


def build_filter() -> bytes:
    """Return the BPF program, for every architecture that the launchers' machines execute; calls of others fail."""
    blocks = b""
    for numbers in (ARM, AARCH64, I386, X86_64):
        body = build_checks(numbers)
        blocks = jump(JUMP_IF_EQUAL, numbers.architecture, len(body) // 8) + body + blocks
    return instruction(LOAD, AT_ARCHITECTURE) + blocks + refuse(errno.ENOSYS)


def build_checks(numbers: Numbers) -> bytes:
    """Return the checks of one architecture's calls."""
    checks = instruction(LOAD, AT_NUMBER)
    if numbers.has_x32:
        checks += when(JUMP_IF_AT_LEAST, X32_BIT, refuse(errno.ENOSYS))
    for number in UNKNOWN:
        checks += when(JUMP_IF_EQUAL, number, refuse(errno.ENOSYS))
    for number in numbers.refused:
        checks += when(JUMP_IF_EQUAL, number, refuse(errno.EPERM))
    forbidden = ((numbers.unshare, NEW_NAMESPACES | NEW_TIME_NAMESPACE), (numbers.clone, NEW_NAMESPACES))
    for number, bits in forbidden:
        checks += when(JUMP_IF_EQUAL, number, look_at_argument(JUMP_IF_ANY_BIT, bits, errno.EPERM))
    checks += when(JUMP_IF_EQUAL, numbers.socket, look_at_argument(JUMP_IF_EQUAL, AF_VSOCK, errno.EAFNOSUPPORT))
    if numbers.socketcall is not None:
        checks += when(
            JUMP_IF_EQUAL, numbers.socketcall, look_at_argument(JUMP_IF_EQUAL, SYS_SOCKET, errno.EAFNOSUPPORT)
        )
    return checks + instruction(RETURN, RET_ALLOW)


def look_at_argument(comparison: int, value: int, error: int) -> bytes:
    """Return instructions that refuse a call by its first argument, and else allow it."""
    return (
        instruction(LOAD, AT_FIRST_ARGUMENT) + when(comparison, value, refuse(error)) + instruction(RETURN, RET_ALLOW)
    )


def when(comparison: int, value: int, body: bytes) -> bytes:
    """Return a body that is executed when a comparison holds, and skipped when not."""
    return jump(comparison, value, len(body) // 8) + body


def refuse(error: int) -> bytes:
    """Return the instruction that fails a call."""
    return instruction(RETURN, RET_ERRNO | error)


def jump(comparison: int, value: int, over: int) -> bytes:
    """Return a comparison that skips that many instructions when it does not hold."""
    return instruction(comparison, value, over)


def instruction(code: int, value: int, if_false: int = 0) -> bytes:
    """Encode one ``struct sock_filter``, which goes on with the next one when it jumps and the comparison holds."""
    return struct.pack("<HBBI", code, 0, if_false, value)
