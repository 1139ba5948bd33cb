"""execve(2) with exactly the bytes that are given: Python's own loses an environment's duplicates."""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Sequence

from rtrace.linux.libc import load_libc


def prepare_execve(binary: bytes, argv: Sequence[bytes], environ: Sequence[bytes]) -> Callable[[], int]:
    """Return a function that executes a program; it returns only when the kernel refuses, with the error's number.

    What needs memory is done here.
    """
    path = ctypes.c_char_p(binary)
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    variables = (ctypes.c_char_p * (len(environ) + 1))(*environ, None)
    call = load_libc().execve

    def execute() -> int:
        call(path, arguments, variables)
        return ctypes.get_errno()

    return execute
