"""A docker target: an image, and one container in which all runs are replayed, so that each finds what the last left.

Between replays the container does not run. For a replay it is started with the launcher ``pause`` as its first
process, and the run's own launcher is executed in it; then it ends. What runs wrote stays in it.
"""

from __future__ import annotations

import contextlib
import errno
import signal
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY, is_in_memory
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.printable import format_size
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Stamp, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.engines.belonging.identity import label_target, read_identity
from rtrace_unpackers.engines.belonging.possessions import (
    find_container,
    find_images,
    find_possessions,
    make_image,
    name_possession,
    remove_possessions,
)
from rtrace_unpackers.engines.belonging.use import using
from rtrace_unpackers.engines.container.arguments import (
    keep_possible,
    plan_container,
    plan_execution,
    plan_limits,
    refuse_ids,
    tell_closed,
    tell_missing,
)
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
from rtrace_unpackers.engines.container.exported import add_volume, read_changes, read_export
from rtrace_unpackers.engines.container.holding import running
from rtrace_unpackers.engines.engine.choice import choose_engine, demand_answer
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Abilities, Thing
from rtrace_unpackers.engines.image.dockerfile import FOLDER, name_launchers
from rtrace_unpackers.isolation.running.watching import describe_limit
from rtrace_unpackers.target.removal import remove_target
from rtrace_unpackers.target.state import State, update_state

KEEPING = "shared_memory"
"""The word of the state that says whether /dev/shm is kept: `yes`."""
KILLED = 137
"""The status of a program that SIGKILL ended, as an engine tells it."""


class DockerTarget:
    """A build context, the image made of it, and the container of that image."""

    def __init__(self, folder: TargetFolder, state: State, manifest: Manifest) -> None:
        """Raise TargetError when the state names what rtrace does not make."""
        self.folder = folder
        self.state = state
        self.manifest = manifest
        self.identity = read_identity(state.facts, folder.path)
        self._answered: Engine | None = None
        refuse_ids(manifest.runs, ())

    @property
    def path(self) -> Path:
        """The folder, as the caller named it."""
        return self.folder.path

    @property
    def keeps_shared_memory(self) -> bool:
        """Whether the bundle's files in /dev/shm, and what replays write there, stay in a volume of the container."""
        return self.state.facts.get(KEEPING) == "yes"

    def runs(self) -> Sequence[Run]:
        """Return the runs of the bundle."""
        return self.manifest.runs

    def demand_engine(self) -> Engine:
        """Return the engine, which is asked whether it is there once. Raises TargetError when none answers."""
        engine = choose_engine()
        if engine != self._answered:
            self._answered = demand_answer(engine)
        return engine

    def run(
        self,
        run: Run,
        *,
        allow_network: bool = False,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        allowed: frozenset[str] = frozenset(),
    ) -> Outcome:
        """Replay a run in the target's container. A signal to the caller ends it, and so does the caller's end.

        An engine tells the exit status as a shell would: 128+N, as exit code, when signal N ended the program.
        """
        engine = self.demand_engine()
        launcher = name_launchers(self.manifest.runs).get(run.id)
        if launcher is None:
            raise TargetError(f"{self.path} has no run {run.id!r}")
        abilities = engine.describe()
        refuse_unconfined(engine, abilities)
        notes = (*tell_missing(limits, abilities), *tell_closed(allowed))
        with using(self.folder) as lock:
            possible = keep_possible(limits, abilities)
            debug(__name__, "the engine can do %s; limits kept: %s", abilities, possible)
            container = self.provide_container(engine, lock, possible)
            if (container.facts.get("State") or {}).get("Running"):  # somebody else started it
                engine.kill(container.id)
            with connected(engine, container, allow_network=allow_network), running(engine, container.id):
                notes += change_limits(engine, container, possible)
                written = DiskUse(engine, container.id, is_wanted=limits.disk is not None)
                arguments = (
                    *plan_execution(run, container.id, is_terminal=is_terminal(streams)),
                    launcher,
                    *plan_joining(streams),
                )
                watched = ContainerHandle(lambda: engine.kill(container.id), written.measure)
                status, cause = execute(engine, arguments, streams, limits, watched)
            if cause is None and limits.disk is not None and written.measure() > limits.disk:
                notes += (f"it wrote more than {format_size(limits.disk)} to the disk before it ended (--disk)",)
            if cause is None and limits.memory is not None:
                if ran_out_of_memory(engine, container.id):
                    cause = Reached("memory")
                elif status == KILLED:  # Podman does not look at what is executed in a container later
                    notes += ("it was killed, perhaps for want of memory (--memory): the engine does not say",)
        debug(__name__, "%s ended with %s, brought about by %s", run.id, status, cause)
        if isinstance(cause, Reached):
            notes = (describe_limit(cause.limit, limits), *notes)
        return conclude(engine, run, status, cause, notes)

    def provide_image(self, engine: Engine, lock: int | None) -> str:
        """Return the id of the target's image, and make it when it is not there."""
        images = find_images(engine, self.identity, self.path)
        if images:
            return images[0].id
        self.note_use()
        labels = label_target(self.identity, self.path)
        image = make_image(engine, self.folder.descriptor, self.manifest.runs, self.state.bundle, labels, lock)
        name_possession(engine, image, self.identity)
        return image.id

    def provide_container(self, engine: Engine, lock: int | None, limits: Limits = DEFAULT_LIMITS) -> Thing:
        """Return the target's container, and create it, with these limits, when it is not there."""
        container = self.find_container(engine)
        if container is not None:
            return container
        image = self.provide_image(engine, lock)
        self.note_use()
        labels = label_target(self.identity, self.path)
        arguments = plan_container(
            self.manifest.runs,
            image,
            self.identity,
            labels,
            limits,
            keeps_shared_memory=self.keeps_shared_memory,
        )
        engine.demand(*arguments, keep=lock)
        container = self.find_container(engine)
        if container is None:
            raise TargetError(f"`{engine.name} create` made the container of {self.path}, and it is gone: try again")
        return container

    def find_container(self, engine: Engine) -> Thing | None:
        """Return the target's container, None when there is none. Raises TargetError when the name is another's."""
        return find_container(engine, self.identity, self.path)

    def note_use(self) -> None:
        """Remember, before anything is made, that an engine may have something of this target."""
        if not self.identity.used:
            self.identity = replace(self.identity, used=True)
            self.state = replace(self.state, facts={**self.state.facts, **self.identity.to_facts()})
            update_state(self.folder.descriptor, self.state)

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Look at the container's files."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            container = self.provide_container(engine, lock)
            entries, own = tuple(packed), FOLDER.encode()
            snapshot = read_export(lambda: engine.export(container.id), paths, entries, own)
            if not self.keeps_shared_memory:
                return snapshot
            volume = SHARED_MEMORY.decode()
            return add_volume(snapshot, lambda: engine.copy(container.id, volume), paths, entries, own)

    def stamp(self, paths: Collection[bytes]) -> Mapping[bytes, Stamp]:
        """Tell by 1 what the engine says is another than in the image, and by 0 what is not."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            container = self.provide_container(engine, lock)
            if self.keeps_shared_memory:  # of a volume the engine tells nothing
                paths = [path for path in paths if not is_in_memory(path)]
            return read_changes(engine.call("container", "diff", container.id), paths)

    def destroy(self) -> None:
        """Remove the container and the image that were made for this target, and the folder."""
        if self.identity.used:
            engine = choose_engine()
            if engine != self._answered and not engine.answers():
                raise TargetError(
                    f"no container engine answers `{engine.name} version`, and {self.path} has an image there: "
                    "start the engine, then destroy the target"
                )
            with using(self.folder) as lock:
                remove_possessions(engine, find_possessions(engine, self.identity, self.path), lock)
        remove_target(self.folder)


class DiskUse:
    """What is written in a container from now on, in bytes; the engine is not asked when nobody wants to know."""

    def __init__(self, engine: Engine, container: str, *, is_wanted: bool) -> None:
        self._engine = engine
        self._container = container
        self._size = 0
        self._before = self._ask() if is_wanted else 0

    def measure(self) -> int:
        """Return the bytes that were written."""
        return self._ask() - self._before

    def _ask(self) -> int:
        """Return the size of all that differs from the image; the last known one while the engine does not tell."""
        told = self._engine.call("container", "inspect", "--size", "--format", "{{.SizeRw}}", self._container).stdout
        if told.strip().isdigit():
            self._size = int(told)
        return self._size


def refuse_unconfined(engine: Engine, abilities: Abilities) -> None:
    """Raise TargetError when the engine lets containers make every system call."""
    if not abilities.is_confined:
        raise TargetError(
            f"`{engine.name} info` tells of no seccomp filter for containers, so that nothing keeps a replay from the "
            "kernel: start the engine with its default profile, or use the chroot unpacker"
        )


def change_limits(engine: Engine, container: Thing, limits: Limits) -> tuple[str, ...]:
    """Give a running container other limits than it has; say which ones the engine has no way to change.

    Raises TargetError when it refuses to.
    """
    notes = []
    for name, options in plan_limits(limits, container.facts.get("HostConfig") or {}).items():
        done = engine.call("update", *options, container.id)
        if "unknown flag" in done.stderr:
            notes.append(
                f"this version of `{engine.name}` cannot change the limit of {name} that the container began with"
            )
        elif done.returncode != 0:
            raise engine.fail("update", done.returncode, done.stderr)
    return tuple(notes)


def ran_out_of_memory(engine: Engine, container: str) -> bool:
    """Whether the kernel killed something in a container when it last ran, for want of memory."""
    found = engine.find("container", container)
    return found is not None and (found.facts.get("State") or {}).get("OOMKilled") is True


def conclude(engine: Engine, run: Run, status: int, cause: Cause | None, notes: tuple[str, ...]) -> Outcome:
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
        raise TargetError(f"`{engine.name} exec` was ended by signal {-status} before the replay of {run.id} ended")
    return Outcome(run.id, status, None, notes=notes)


def plan_joining(streams: Streams) -> tuple[str, ...]:
    """Return the launcher's arguments: any makes standard error the same as standard output, so that order is kept."""
    return ("joined",) if is_joined(streams) else ()


@contextlib.contextmanager
def connected(engine: Engine, container: Thing, *, allow_network: bool) -> Iterator[None]:
    """Give a container the engine's default network for a while, when it is allowed to have one.

    One that a killed rtrace left it is taken away first.
    """
    networks = (container.facts.get("NetworkSettings") or {}).get("Networks") or {}
    for name in networks:
        if name != "none":
            engine.demand("network", "disconnect", "--force", name, container.id)
    if not allow_network:
        yield
        return
    if "none" in networks:
        engine.demand("network", "disconnect", "none", container.id)
    try:
        engine.demand("network", "connect", "bridge", container.id)
        try:
            yield
        finally:
            engine.demand("network", "disconnect", "bridge", container.id)
    finally:
        engine.demand("network", "connect", "none", container.id)
