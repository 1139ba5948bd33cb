"""What a verified program prints, on its way to a person: on a terminal escaped as all that a bundle says."""

from __future__ import annotations

import codecs
import io
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from rtrace.cli.terminal import speaking

_PART = 1 << 16
_PATIENCE = 5.0
"""Seconds to wait for what is still on its way from a program that was killed."""


@contextmanager
def shown_output() -> Iterator[int]:
    """Yield a descriptor for what programs print: standard error itself, unless that is a terminal."""
    if sys.stderr is None or not sys.stderr.isatty():
        yield 2
        return
    reading, writing = os.pipe()
    thread = threading.Thread(target=_pass_on, args=(reading,), daemon=True)
    thread.start()
    try:
        yield writing
    finally:
        os.close(writing)
        thread.join(_PATIENCE)


def _pass_on(reading: int) -> None:
    """Write what comes, line by line; a carriage return begins a new line instead of writing over the last one."""
    decode = io.IncrementalNewlineDecoder(codecs.getincrementaldecoder("utf-8")("surrogateescape"), translate=True)
    while part := os.read(reading, _PART):
        speaking.tell_text(decode.decode(part))
    speaking.tell_text(decode.decode(b"", final=True))
    os.close(reading)
