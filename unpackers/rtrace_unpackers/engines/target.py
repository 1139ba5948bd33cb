"""A target: an image, and one container in which all runs are replayed, so that each finds what the last left.

Between replays the container does not run. For a replay it is started with the launcher ``pause`` as its first
process, and the run's own launcher is executed in it; then it ends. What runs wrote stays in it.
"""

from __future__ import annotations

import shlex
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY, is_in_memory
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.progress import SILENT, Progress
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Stamp, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.engines.belonging.identity import TARGET_LABEL, label_target, read_identity
from rtrace_unpackers.engines.belonging.possessions import (
    Context,
    Possessions,
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
    refuse_grants,
    refuse_ids,
    tell_closed,
    tell_missing,
)
from rtrace_unpackers.engines.container.exchanging import fetch_file, put_file
from rtrace_unpackers.engines.container.exported import ENGINES_OWN, PODMANS_OWN, add_volume, read_changes, read_export
from rtrace_unpackers.engines.container.limiting import refuse_unconfined
from rtrace_unpackers.engines.container.replaying import replay_in
from rtrace_unpackers.engines.container.restoring import (
    GIVEN,
    emptied_afterwards,
    put_launchers_back,
)
from rtrace_unpackers.engines.engine.choice import choose_engine, demand_answer
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.forwarding.process import FORWARDER
from rtrace_unpackers.engines.image.dockerfile import FOLDER, name_launchers
from rtrace_unpackers.engines.image.launcher import build_forwarder, build_launcher, build_programs
from rtrace_unpackers.engines.image.layers import NAMES, OLD, OWN, name_file, read_names
from rtrace_unpackers.granted.listening import listening
from rtrace_unpackers.limits.resources import may_forbid_core_dumps
from rtrace_unpackers.target.removal import refuse_others_files, remove_target
from rtrace_unpackers.target.state import MADE_BY_STATE, State, update_state

MADE = ("Dockerfile", ".dockerignore", *map(name_file, (*NAMES, OWN, OLD)), *MADE_BY_STATE)
"""All names that are ever in the folder of a target."""
KEEPING = "shared_memory"
"""The word of the state that says whether /dev/shm is kept: `yes`."""

LAYERS = "layers"
"""The word of the state for the names of the image's layers, with blanks between them."""

BASE = "base"
"""The word of the state for the image on which a person builds this one."""


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

    @property
    def context(self) -> Context:
        """The build context."""
        layers = read_names(self.state.facts.get(LAYERS))
        return Context(self.folder.descriptor, layers, self.manifest.runs, self.state.bundle)

    def runs(self) -> Sequence[Run]:
        """Return the runs of the bundle."""
        return self.manifest.runs

    def demand_engine(self) -> Engine:
        """Return the engine, which is asked whether it is there once. Raises TargetError when none answers."""
        engine = choose_engine(self.state.unpacker)
        if engine != self._answered:
            self._answered = demand_answer(engine, self.state.unpacker)
        return engine

    def run(
        self,
        run: Run,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
    ) -> Outcome:
        """Replay a run in the target's container. It ends when the caller ends or gets a signal.

        An engine tells the exit status as a shell would: 128+N, as exit code, when signal N ended the program.
        """
        refuse_ids((run,), ())
        refuse_grants(grants)
        engine = self.demand_engine()
        launcher, more = self.choose_launcher(run)
        if grants.ports:
            more[FORWARDER] = build_forwarder(self.manifest.runs[0].architecture)
        abilities = engine.describe()
        refuse_unconfined(engine, abilities)
        notes = (*tell_missing(limits, abilities), *tell_closed(grants.calls))
        with using(self.folder) as lock, listening(grants.ports) as listeners:
            possible = keep_possible(limits, abilities)
            debug(__name__, "the engine can do %s; limits kept: %s", abilities, possible)
            container = self.provide_container(engine, lock, possible)
            with emptied_afterwards(engine, container, more):
                put_launchers_back(engine, container, build_programs(self.manifest.runs), more)
                outcome = replay_in(
                    engine,
                    container,
                    run,
                    launcher,
                    streams,
                    possible,
                    allow_network=grants.network,
                    listeners=listeners,
                )
        return replace(outcome, notes=(*outcome.notes, *notes))

    def choose_launcher(self, run: Run) -> tuple[str, dict[str, bytes]]:
        """Return the path of a run's launcher, and what the container lacks of it: that of a changed or made-up run."""
        if run in self.manifest.runs:
            return name_launchers(self.manifest.runs)[run.id], {}
        return GIVEN, {GIVEN: build_launcher(run)}

    def provide_image(self, engine: Engine, lock: int | None) -> str:
        """Return the id of the target's image, and make it when it is not there."""
        images = find_images(engine, self.identity, self.path)
        if images:
            return images[0].id
        if BASE in self.state.facts:
            label, place = f"{TARGET_LABEL}={self.identity.number}", shlex.quote(str(self.path))
            build = f"{engine.name} build --tag {self.identity.image} --label {label} {place}"
            raise TargetError(f"{self.path} has no image yet, which is built on another one: `{build}` builds it")
        self.note_use()
        labels = label_target(self.identity, self.path)
        image = make_image(engine, self.context, labels, lock)
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
            forbids_dumps=may_forbid_core_dumps(),
            gives_own_limits=engine.is_podman,
        )
        engine.demand(*arguments, keep=lock)
        container = self.find_container(engine)
        if container is None:
            raise TargetError(f"`{engine.name} create` succeeded, but the container of {self.path} is gone: try again")
        return container

    def find_container(self, engine: Engine) -> Thing | None:
        """Return the target's container, None if it is not there. Raises TargetError if the name is another's."""
        return find_container(engine, self.identity, self.path)

    def note_use(self) -> None:
        """Write into the state, before anything is made, that an engine may have something of this target."""
        if not self.identity.used:
            self.identity = replace(self.identity, used=True)
            self.state = replace(self.state, facts={**self.state.facts, **self.identity.to_facts()})
            update_state(self.folder.descriptor, self.state)

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:
        """Return what is in the container."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            container = self.provide_container(engine, lock)
            entries, own = tuple(packed), FOLDER.encode()
            engines_own = PODMANS_OWN if engine.is_podman else ENGINES_OWN
            snapshot = read_export(lambda: engine.export(container.id), paths, entries, own, engines_own)
            if not self.keeps_shared_memory:
                return snapshot
            volume = SHARED_MEMORY.decode()
            return add_volume(snapshot, lambda: engine.copy(container.id, volume), paths, entries, own)

    def stamp(self, paths: Collection[bytes]) -> Mapping[bytes, Stamp]:
        """Return 1 for the files that differ from the image's by the engine's word, 0 for the others."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            container = self.provide_container(engine, lock)
            if self.keeps_shared_memory:  # of a volume the engine tells nothing
                paths = [path for path in paths if not is_in_memory(path)]
            return read_changes(engine.call("container", "diff", container.id), paths)

    def put(self, entry: Entry, content: BinaryIO) -> None:
        """Put a file into the container."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            container = self.provide_container(engine, lock)
            in_volume = self.keeps_shared_memory and is_in_memory(entry.path)
            put_file(engine, container, entry, content, in_volume=in_volume)

    def fetch(self, path: bytes, into: BinaryIO) -> None:
        """Copy a file out of the container."""
        engine = self.demand_engine()
        with using(self.folder) as lock:
            fetch_file(engine, self.provide_container(engine, lock).id, path, into)

    def reset(
        self,
        bundle: Path,  # noqa: ARG002 -- the image has all of it
        *,
        progress: Progress = SILENT,  # noqa: ARG002 -- it takes a moment
        sources: Sources = NO_SOURCES,  # noqa: ARG002
    ) -> None:
        """Remove the container: the image is as it was, and the next replay makes another container of it."""
        if self.identity.used:
            engine = self.demand_engine()
            with using(self.folder) as lock:
                container = self.find_container(engine)
                if container is not None:
                    remove_possessions(engine, Possessions((container,), ()), lock)

    def destroy(self) -> None:
        """Remove the container and the image that were made for this target, and the folder."""
        if self.identity.used:
            engine = choose_engine(self.state.unpacker)
            if engine != self._answered and not engine.answers():
                raise TargetError(
                    f"no container engine answers `{engine.name} version`, and {self.path} has an image there: "
                    "start the engine, then destroy the target"
                )
            refuse_others_files(self.folder, MADE)
            with using(self.folder) as lock:
                remove_possessions(engine, find_possessions(engine, self.identity, self.path), lock)
        remove_target(self.folder, MADE)
