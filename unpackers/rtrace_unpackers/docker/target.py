"""A docker target: an image, and one container in which all runs are replayed, so that each finds what the last left.

Between replays the container does not run. For a replay it is started with the launcher ``pause`` as its first
process, and the run's own launcher is executed in it; afterwards it is killed. What runs wrote stays in it.
"""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from rtrace import interrupts
from rtrace.bundle.entry import Entry
from rtrace.errors import TargetError
from rtrace.manifest.model import Manifest, Run
from rtrace.unpacker import OWN_STREAMS, Expected, Outcome, Snapshot, Streams
from rtrace_unpackers.docker.dockerfile import FOLDER, PAUSE, name_launchers
from rtrace_unpackers.docker.engine import Engine, choose_engine, demand_engine
from rtrace_unpackers.docker.snapshot import take_snapshot
from rtrace_unpackers.removal import remove_tree
from rtrace_unpackers.state import State, update_state

SHARED_MEMORY = "1g"
"""The size /dev/shm may grow to; Docker's own default is 64 MiB, which a program that does not expect it dies of."""

_HOSTNAME = re.compile(r"[A-Za-z0-9]([A-Za-z0-9.-]{0,61}[A-Za-z0-9])?\Z")


class DockerTarget:
    """A build context, the image made of it, and the container of that image."""

    def __init__(self, path: Path, state: State, manifest: Manifest) -> None:
        self.path = path
        self.state = state
        self.manifest = manifest

    def runs(self) -> Sequence[Run]:
        """Tell the runs of the bundle."""
        return self.manifest.runs

    def run(self, run: Run, *, allow_network: bool = False, streams: Streams = OWN_STREAMS) -> Outcome:
        """Replay a run in the target's container. A signal to the caller ends it.

        An engine tells the exit status as a shell would: 128+N, as exit code, when signal N ended the program.
        """
        engine = demand_engine()
        container = self.provide_container(engine)
        launcher = name_launchers(self.manifest.runs).get(run.id)
        if launcher is None:
            raise TargetError(f"{self.path} has no run {run.id!r}")
        engine.call("kill", container)  # a caller that was killed may have left it running
        with connected(engine, container, allow_network=allow_network):
            engine.demand("start", container)
            try:
                with ending_at_signals(engine, container) as signals:
                    status = engine.attach(
                        [*plan_execution(run, container, streams), launcher, *plan_joining(streams)],
                        streams,
                    )
            finally:
                engine.call("kill", container)
        if signals:
            return Outcome(run.id, None, signals[0])
        if status < 0:
            raise TargetError(f"`{engine.name} exec` was ended by signal {-status} before the replay of {run.id} ended")
        return Outcome(run.id, status, None)

    def provide_image(self, engine: Engine) -> str:
        """Return the name of the target's image, and build it when it is not there."""
        image = self.state.facts["image"]
        if not engine.holds("image", image):
            engine.build(image, self.path)
            self.note(image_is_ours="yes")
        return image

    def provide_container(self, engine: Engine) -> str:
        """Return the name of the target's container, and create it when it is not there."""
        container = self.state.facts.get("container")
        if container is None or not engine.holds("container", container):
            image = self.provide_image(engine)
            container = engine.demand(*plan_container(self.manifest.runs, image))
            self.note(container=container)
        return container

    def note(self, **facts: str) -> None:
        """Remember facts beyond this process."""
        self.state = replace(self.state, facts={**self.state.facts, **facts})
        update_state(self.path, self.state)

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Look at the container's files."""
        engine = demand_engine()
        container = self.provide_container(engine)
        return take_snapshot(lambda: engine.export(container), paths, packed, FOLDER.encode())

    def destroy(self) -> None:
        """Remove the container, the image when it was made for this target, and the folder."""
        container = self.state.facts.get("container")
        image_is_ours = self.state.facts.get("image_is_ours") == "yes"
        if container is not None or image_is_ours:
            engine = choose_engine()
            engine_is_there = engine.answers()
            if not engine_is_there:
                raise TargetError(
                    f"no container engine answers `{engine.name} version`, and {self.path} has an image there: "
                    "start the engine, then destroy the target"
                )
            if container is not None and engine.holds("container", container):
                engine.demand("rm", "--force", container)
            if image_is_ours and engine.holds("image", self.state.facts["image"]):
                engine.demand("rmi", self.state.facts["image"])
        remove_tree(self.path)


def plan_container(runs: Sequence[Run], image: str) -> tuple[str, ...]:
    """Return the engine's arguments that create the container of a target: no network, no new privileges."""
    first = runs[0]
    groups = sorted({group for run in runs for group in run.groups} - {first.gid})
    return (
        "create",
        "--pull=never",
        "--network=none",
        "--security-opt=no-new-privileges",
        f"--shm-size={SHARED_MEMORY}",
        *([f"--hostname={first.hostname}"] if _HOSTNAME.match(first.hostname) else []),
        *(f"--group-add={group}" for group in groups),
        image,
        f"{FOLDER}/{PAUSE}",
    )


def plan_execution(run: Run, container: str, streams: Streams) -> tuple[str, ...]:
    """Return the engine's arguments that execute something in a container as the run's user.

    A terminal is passed on as one when both input and output are.
    """
    is_terminal = os.isatty(streams.stdin) and os.isatty(streams.stdout)
    return (
        "exec",
        "--interactive",
        *(["--tty"] if is_terminal else []),
        f"--user={run.uid}:{run.gid}",
        "--workdir=/",
        container,
    )


def plan_joining(streams: Streams) -> tuple[str, ...]:
    """Return the launcher's arguments: any makes standard error the same as standard output, so that order is kept."""
    return ("joined",) if streams.stdout == streams.stderr else ()


@contextlib.contextmanager
def connected(engine: Engine, container: str, *, allow_network: bool) -> Iterator[None]:
    """Give a container the engine's default network for a while, when it is allowed to have one."""
    if not allow_network:
        yield
        return
    engine.demand("network", "disconnect", "none", container)
    try:
        engine.demand("network", "connect", "bridge", container)
        try:
            yield
        finally:
            engine.demand("network", "disconnect", "bridge", container)
    finally:
        engine.demand("network", "connect", "none", container)


@contextlib.contextmanager
def ending_at_signals(engine: Engine, container: str) -> Iterator[list[int]]:
    """Kill the container when a signal asks this process to end; yield the signals that came.

    `docker exec` hands no signals on. Only the main thread can do this; elsewhere signals do what they did before.
    """
    came: list[int] = []
    if threading.current_thread() is not threading.main_thread():
        yield came
        return

    def kill(number: int, _frame: object) -> None:
        came.append(number)
        interrupts.note(number)
        engine.call("kill", container)

    numbers = [getattr(signal, name) for name in ("SIGHUP", "SIGINT", "SIGTERM") if hasattr(signal, name)]
    before = {number: signal.signal(number, kill) for number in numbers if signal.getsignal(number) != signal.SIG_IGN}
    try:
        yield came
    finally:
        for number, handler in before.items():
            signal.signal(number, handler if handler is not None else signal.SIG_DFL)
