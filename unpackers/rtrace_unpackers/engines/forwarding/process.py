"""Ports that lead into a container without a network: by a process of ours that is there before the run is.

It is started first, so that no run can have exchanged its program, which has no filter of system calls.
"""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator, Sequence

from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.forwarding.multiplexing import Multiplexer
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.granted.listening import Listener
from rtrace_unpackers.granted.relaying import relaying

FORWARDER = f"{FOLDER}/.forward"
"""The program, which a container gets for such a replay alone: no run of a bundle is called so."""


@contextlib.contextmanager
def forwarding(engine: Engine, container: str, listeners: Sequence[Listener]) -> Iterator[None]:
    """Carry what listeners accept into a running container while the block lasts. Raises TargetError."""
    if not listeners:
        yield
        return
    with tempfile.TemporaryFile() as said, contextlib.ExitStack() as stack:
        theirs_in, into = os.pipe()
        out_of, theirs_out = os.pipe()
        for ours in (into, out_of):
            stack.callback(os.close, ours)
        try:
            arguments = ("exec", "--interactive", "--user=0:0", "--workdir=/", container, FORWARDER)
            process = engine.start(arguments, (theirs_in, theirs_out, said.fileno()))
        finally:
            os.close(theirs_in)
            os.close(theirs_out)
        stack.callback(end, process)
        multiplexer = Multiplexer(into, out_of)
        if not multiplexer.start():
            status = process.wait()
            said.seek(0)
            raise engine.fail("exec", status, said.read().decode("utf-8", "replace"))
        with relaying(listeners, multiplexer.connect):
            yield


def end(process: subprocess.Popen[bytes]) -> None:
    """End the engine's command; who still reads or writes its streams sees their end."""
    process.kill()
    process.wait()
