"""Rtrace in a process of its own: there it may handle signals and wait for processes as it needs to.

What the child prints goes where this program prints: into the cell of a notebook, too.
"""

from __future__ import annotations

import codecs
import os
import subprocess
import sys
import threading
from collections.abc import Sequence
from contextlib import ExitStack
from typing import IO, TextIO

import rtrace

# Of `python -c` the first folder of imports is the working directory, whose files may have any name.
_PROGRAM = "import sys; sys.path[0] = {root!r}; sys.argv[0] = 'rtrace'; from rtrace.cli import main; main()"
_PART = 1 << 16


def run_rtrace(arguments: Sequence[str | bytes], **variables: str) -> int:
    """Run rtrace with arguments, and with more environment variables; return its exit status.

    Standard input is empty.
    """
    root = os.path.dirname(rtrace.__path__[0])
    command = [sys.executable, "-c", _PROGRAM.format(root=root), *arguments]
    streams = [(sys.stdout, 1), (sys.stderr, 2)]
    own = [is_own(stream, number) for stream, number in streams]
    for (stream, _number), is_inherited in zip(streams, own, strict=True):
        if is_inherited and stream is not None:
            stream.flush()
    environment = {**os.environ, **variables}
    ends = [None if is_inherited else subprocess.PIPE for is_inherited in own]
    with (
        subprocess.Popen(command, env=environment, stdin=subprocess.DEVNULL, stdout=ends[0], stderr=ends[1]) as child,
        ExitStack() as closing,
    ):
        for pipe, (stream, _number) in zip((child.stdout, child.stderr), streams, strict=True):
            if pipe is not None:
                thread = threading.Thread(target=pass_on, args=(pipe, stream), daemon=True)
                thread.start()
                closing.callback(thread.join)
        try:
            status = child.wait()
        except BaseException:
            child.terminate()  # an interrupt: rtrace passes it on, and keeps what was traced
            child.wait()
            raise
    return status if status >= 0 else 128 - status


def is_own(stream: TextIO | None, number: int) -> bool:
    """Whether a stream of this program is the one that a child inherits; that of a notebook is not."""
    if stream is None:
        return True
    try:
        return stream.fileno() == number
    except (OSError, ValueError, AttributeError):  # no file behind it: UnsupportedOperation is both of the first
        return False


def pass_on(pipe: IO[bytes], stream: TextIO | None) -> None:
    """Write what comes out of a pipe to a stream, as it comes."""
    decoder = codecs.getincrementaldecoder("utf-8")("replace")
    while part := os.read(pipe.fileno(), _PART):
        if stream is not None:
            stream.write(decoder.decode(part))
            stream.flush()
