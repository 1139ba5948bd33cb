"""The kinds of processors that there are launchers for, and the numbers of the calls that these are told to make."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Processor:
    """A kind of processor: its ELF machine number, the kernel's machine, and how many bytes a word has."""

    name: str
    elf_machine: int
    kernel: str
    word: int


X86_64 = Processor("x86_64", 62, "x86_64", 8)
AARCH64 = Processor("aarch64", 183, "aarch64", 8)
I386 = Processor("i386", 3, "x86_64", 4)

PROCESSORS = {
    "x86_64": X86_64,
    "amd64": X86_64,
    "aarch64": AARCH64,
    "arm64": AARCH64,
    "i386": I386,
    "i486": I386,
    "i586": I386,
    "i686": I386,
}
"""By the names that uname(2) gives machines, and their other names."""

CALLS = {
    "x86_64": {
        "capset": 126,
        "close": 3,
        "close_range": 436,
        "dup3": 292,
        "execve": 59,
        "fchdir": 81,
        "fcntl": 72,
        "getpid": 39,
        "ioctl": 16,
        "lseek": 8,
        "openat": 257,
        "openat2": 437,
        "prctl": 157,
        "prlimit64": 302,
        "rt_sigaction": 13,
        "rt_sigprocmask": 14,
        "setgroups": 116,
        "sethostname": 170,
        "setpgid": 109,
        "setresgid": 119,
        "setresuid": 117,
        "setsid": 112,
        "umask": 95,
        "unshare": 272,
        "write": 1,
    },
    "aarch64": {
        "capset": 91,
        "close": 57,
        "close_range": 436,
        "dup3": 24,
        "execve": 221,
        "fchdir": 50,
        "fcntl": 25,
        "getpid": 172,
        "ioctl": 29,
        "lseek": 62,
        "openat": 56,
        "openat2": 437,
        "prctl": 167,
        "prlimit64": 261,
        "rt_sigaction": 134,
        "rt_sigprocmask": 135,
        "setgroups": 159,
        "sethostname": 161,
        "setpgid": 154,
        "setresgid": 149,
        "setresuid": 147,
        "setsid": 157,
        "umask": 166,
        "unshare": 97,
        "write": 64,
    },
    "i386": {
        "close": 6,
        "dup3": 330,
        "fcntl": 55,
        "lseek": 19,
        "prctl": 172,
        "setgroups32": 206,
        "setresgid32": 210,
        "setresuid32": 208,
    },
}
"""Numbers of system calls, by the name of the processor."""
