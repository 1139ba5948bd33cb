"""One replay in a machine, from its start to the outcome: streams, limits, and what ended it."""

from __future__ import annotations

import contextlib
import dataclasses
import os
from collections.abc import Iterator

from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.engines.container.executing import ContainerHandle, Reached, execute
from rtrace_unpackers.engines.container.replaying import conclude
from rtrace_unpackers.isolation.streams.pumps import Pump
from rtrace_unpackers.limits.words import describe_limit
from rtrace_unpackers.vm.kernel import QEMU
from rtrace_unpackers.vm.machine import Machine
from rtrace_unpackers.vm.words import CHANGES

SIGN = b"!"
"""What a guest waits for before its standard input."""
BLOCK = 512


def replay_in(machine: Machine, run: Run, streams: Streams, limits: Limits) -> Outcome:
    """Replay a run; return how it ended. Raises TargetError, and what kept its output from being passed on."""
    before = measure(machine)
    with feeding(streams) as own:
        handle = ContainerHandle(machine.kill, lambda: measure(machine) - before)
        _, cause = execute(machine, (), own, limits, handle, knows_terminals=False)
    told = machine.finish()
    if isinstance(cause, Reached):
        return conclude(QEMU, run, 0, cause, (describe_limit(cause.limit, limits),))
    statuses = [line.partition(" ")[2] for line in told if line.startswith("status ")]
    if cause is None and not (statuses and statuses[0].isdigit()):
        raise machine.complain()
    return conclude(QEMU, run, int(statuses[0]) & 0xFF if cause is None else 0, cause, ())


def measure(machine: Machine) -> int:
    """Return how many bytes the changes of a disk take."""
    return os.stat(CHANGES, dir_fd=machine.folder, follow_symlinks=False).st_blocks * BLOCK


@contextlib.contextmanager
def feeding(streams: Streams) -> Iterator[Streams]:
    """Yield the streams with a pipe as input: no descriptor of the caller's is qemu's. It begins with a sign."""
    source, end = os.pipe()
    stop, stopping = os.pipe()
    os.write(end, SIGN)
    pump = Pump(os.dup(streams.stdin), end, stop=stop)
    pump.start()
    try:
        yield dataclasses.replace(streams, stdin=source)
    finally:
        os.close(stopping)
        os.close(source)
        pump.join()
        os.close(stop)
