"""Keep a container running as long as this process lives: its first process reads a pipe, and ends when that does."""

from __future__ import annotations

import contextlib
import os
import subprocess
import tempfile
from collections.abc import Iterator

from rtrace_unpackers.engines.engine.command_line import Engine

ENDING_TIME = 10.0
"""Seconds that a container gets to end by itself once nobody holds it."""


@contextlib.contextmanager
def running(engine: Engine, container: str) -> Iterator[None]:
    """Run a container's first process while the block lasts. Raises TargetError when it does not start.

    The engine's command is attached to it, with one end of a pipe as standard input. Whatever ends this process, the
    kernel closes the other end; then `pause` reads the end of its input, and with the first process all others go.
    """
    with contextlib.ExitStack() as stack, tempfile.TemporaryFile() as said:
        life, held = os.pipe()
        sign, signing = os.pipe()
        ours = stack.enter_context(closing(held, sign))
        with closing(life, signing):
            process = engine.start(["start", "--attach", "--interactive", container], (life, signing, said.fileno()))
        try:
            if not os.read(sign, 1):
                status = process.wait()
                said.seek(0)
                raise engine.fail("start", status, said.read().decode("utf-8", "replace"))
            yield
        finally:
            ours.close()
            end(engine, container, process)


@contextlib.contextmanager
def closing(*descriptors: int) -> Iterator[contextlib.ExitStack]:
    """Close descriptors when the block ends, or when the stack that is yielded does."""
    with contextlib.ExitStack() as stack:
        for descriptor in descriptors:
            stack.callback(os.close, descriptor)
        yield stack


def end(engine: Engine, container: str, process: subprocess.Popen[bytes]) -> None:
    """Wait for the end of a container that nobody holds any more, and bring it about when it does not come."""
    try:
        process.wait(ENDING_TIME)
    except subprocess.TimeoutExpired:  # it was paused, or the engine lost the connection
        engine.kill(container)
    except BaseException:
        engine.kill(container)
        process.kill()
        raise
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
