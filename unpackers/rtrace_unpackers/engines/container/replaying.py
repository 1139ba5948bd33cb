"""One replay in a container, from its start to the outcome: limits, network, streams, and what ended it."""

from __future__ import annotations

import errno
import signal
from collections.abc import Sequence

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.printable import format_size
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.engines.container.arguments import plan_execution
from rtrace_unpackers.engines.container.executing import (
    Cause,
    ContainerHandle,
    Reached,
    Signalled,
    Unwritable,
    execute,
    is_joined,
    is_terminal,
)
from rtrace_unpackers.engines.container.holding import running
from rtrace_unpackers.engines.container.limiting import DiskUse, change_limits, ran_out_of_memory
from rtrace_unpackers.engines.container.network import connected
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.forwarding.process import forwarding
from rtrace_unpackers.granted.listening import Listener
from rtrace_unpackers.limits.words import describe_limit

KILLED = 137
"""The status of a program that SIGKILL ended, as an engine tells it."""


def replay_in(  # noqa: PLR0913 -- each is a choice of its own
    engine: Engine,
    container: Thing,
    run: Run,
    launcher: str,
    streams: Streams,
    limits: Limits,
    *,
    allow_network: bool = False,
    listeners: Sequence[Listener] = (),
) -> Outcome:
    """Replay a run in a container, under limits that its machine can keep; return how it ended.

    What ``listeners`` accept is carried into the container, which holds the program for that.
    Raises TargetError when the engine fails, and the error that kept its output from being passed on.
    """
    with (
        connected(engine, container, allow_network=allow_network),
        running(engine, container.id),
        forwarding(engine, container.id, listeners),
    ):
        notes = change_limits(engine, container, limits)
        written = DiskUse(engine, container.id, is_wanted=limits.disk is not None)
        arguments = (
            *plan_execution(run, container.id, is_terminal=is_terminal(streams)),
            launcher,
            *plan_joining(streams),
        )
        handle = ContainerHandle(lambda: engine.kill(container.id), written.measure)
        status, cause = execute(engine, arguments, streams, limits, handle)
    if cause is None and limits.disk is not None and written.measure() > limits.disk:
        notes += (f"it wrote more than {format_size(limits.disk)} to the disk before it ended (--disk)",)
    if cause is None and limits.memory is not None:
        if ran_out_of_memory(engine, container.id):
            cause = Reached("memory")
        elif status == KILLED:  # Podman does not look at what is executed in a container later
            notes += ("it was killed, perhaps for lack of memory (--memory): the engine does not say",)
    debug(__name__, "%s ended with %s, brought about by %s", run.id, status, cause)
    if isinstance(cause, Reached):
        notes = (describe_limit(cause.limit, limits), *notes)
    return conclude(f"{engine.name} exec", run, status, cause, notes)


def conclude(command: str, run: Run, status: int, cause: Cause | None, notes: tuple[str, ...]) -> Outcome:
    """Return how a run ended. Raises the error that kept its output from being passed on, and TargetError."""
    match cause:
        case Signalled(number):
            return Outcome(run.id, None, number, notes=notes)
        case Reached(limit):
            return Outcome(run.id, None, signal.SIGKILL, limit, notes)
        case Unwritable(error) if error.errno == errno.EPIPE:  # as the kernel would have told the program
            return Outcome(run.id, None, signal.SIGPIPE, notes=notes)
        case Unwritable(error):
            raise error
    if status < 0:
        raise TargetError(f"`{command}` was ended by signal {-status} before the replay of {run.id} ended")
    return Outcome(run.id, status, None, notes=notes)


def plan_joining(streams: Streams) -> tuple[str, ...]:
    """Return the launcher's arguments: any makes standard error the same as standard output, so that order is kept."""
    return ("joined",) if is_joined(streams) else ()
