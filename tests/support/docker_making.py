"""Docker targets for tests, gone when they are done, and what an engine has before and after."""

import contextlib
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bundle_making import BundleMaker
from rtrace.manifest.model import Run
from rtrace.replay.protocol import Outcome, Streams
from rtrace_unpackers.engines.belonging.identity import BUILDING_LABEL, FOLDER_LABEL, TARGET_LABEL, encode_path, resolve
from rtrace_unpackers.engines.docker import UNPACKER, EngineUnpacker
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Kind
from rtrace_unpackers.engines.target import DockerTarget

KINDS: tuple[Kind, ...] = ("image", "container")


@contextlib.contextmanager
def made_target(
    maker: BundleMaker, folder: Path, *runs: Run, unpacker: EngineUnpacker = UNPACKER
) -> Iterator[DockerTarget]:
    """Unpack a bundle with these runs, and destroy the target in the end."""
    bundle = maker.write(*runs, name=f"{len(os.listdir(maker.folder))}.rpz")
    target = unpacker.open(unpacker.unpack(bundle, folder / "target").target)
    try:
        yield target
    finally:
        target.destroy()


def replay(target: DockerTarget, run: Run, **options: Any) -> tuple[Outcome, bytes, bytes]:
    """Replay a run that reads nothing; return how it ended and what it printed."""
    out, err = target.path.parent / "out", target.path.parent / "err"
    with out.open("wb") as stdout, err.open("wb") as stderr, open(os.devnull, "rb") as null:
        outcome = target.run(run, streams=Streams(null.fileno(), stdout.fileno(), stderr.fileno()), **options)
    return outcome, out.read_bytes(), err.read_bytes()


def docker(*arguments: str) -> str:
    """Return what Docker's command says; it must succeed."""
    return subprocess.run(["docker", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def list_things(folder: Path) -> frozenset[str]:
    """Return the ids of all images and containers that the engine has of targets made in a folder.

    Other tests may use the engine meanwhile.
    """
    places = encode_path(resolve(folder))
    return frozenset(
        thing.id
        for kind in KINDS
        for thing in Engine(("docker",)).list(kind, TARGET_LABEL)
        if any(thing.labels.get(label, "").startswith(places) for label in (FOLDER_LABEL, BUILDING_LABEL))
    )


RUN = """\
import sys
from pathlib import Path
from rtrace_unpackers.engines import docker
unpacker = docker.PODMAN_UNPACKER if sys.argv[3] == "podman" else docker.UNPACKER
target = unpacker.open(Path(sys.argv[1]))
run = next(run for run in target.runs() if run.id == sys.argv[2])
sys.exit(target.run(run).exit_status)
"""


def start_run(target: DockerTarget, run: Run) -> "subprocess.Popen[bytes]":
    """Replay in a process of its own, whose output comes through a pipe."""
    paths = os.pathsep.join(path for path in sys.path if path)
    return subprocess.Popen(
        [sys.executable, "-c", RUN, target.path, run.id, target.state.unpacker],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": paths},
    )
