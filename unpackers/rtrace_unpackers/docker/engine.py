"""The container engine: Docker's or Podman's command line, called in one place."""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, cast

from rtrace.errors import TargetError
from rtrace.unpacker import Streams

VARIABLE = "RTRACE_DOCKER"


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine by its command."""

    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command as a person types it."""
        return shlex.join(self.command)

    def answers(self) -> bool:
        """Tell whether there is an engine behind the command."""
        try:
            return self.call("version").returncode == 0
        except OSError:
            return False

    def call(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        """Call the command and return what it said, whatever that is."""
        return subprocess.run(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
        )

    def demand(self, *arguments: str) -> str:
        """Call the command and return its output. Raises TargetError with the engine's words when it fails."""
        done = self.call(*arguments)
        if done.returncode != 0:
            raise TargetError(f"`{self.name} {arguments[0]}` failed: {find_reason(done)}")
        return done.stdout.strip()

    def holds(self, kind: str, name: str) -> bool:
        """Tell whether there is an image or a container of that name."""
        return self.call(kind, "inspect", name).returncode == 0

    def build(self, image: str, context: Path) -> None:
        """Build an image; what the builder has to say is shown only when it fails."""
        self.demand("build", "--tag", image, str(context))

    def attach(self, arguments: Sequence[str], streams: Streams) -> int:
        """Call the command with the given streams and return its exit status, negative when a signal ended it."""
        return subprocess.run(
            [*self.command, *arguments],
            stdin=streams.stdin,
            stdout=streams.stdout,
            stderr=streams.stderr,
            check=False,
        ).returncode

    @contextmanager
    def export(self, container: str) -> Iterator[IO[bytes]]:
        """Yield a container's files as a stream of tar. Raises TargetError when it breaks off."""
        with subprocess.Popen(
            [*self.command, "export", container],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        ) as process:
            stream = cast("IO[bytes]", process.stdout)  # a pipe was asked for
            try:
                yield stream
                stream.read()
            except BaseException:
                process.kill()
                raise
        if process.returncode != 0:
            raise TargetError(f"`{self.name} export` failed with status {process.returncode}")


def choose_engine() -> Engine:
    """Return the engine that the environment names, else Docker's, else Podman's, else Docker's though it is absent."""
    named = os.environ.get(VARIABLE)
    if named:
        return Engine(tuple(shlex.split(named)))
    return Engine(("podman",) if shutil.which("docker") is None and shutil.which("podman") is not None else ("docker",))


def demand_engine() -> Engine:
    """Return the engine. Raises TargetError when none answers."""
    engine = choose_engine()
    if not engine.answers():
        raise TargetError(f"no container engine answers `{engine.name} version`: start one, or name one in {VARIABLE}")
    return engine


def find_reason(done: subprocess.CompletedProcess[str]) -> str:
    """Return the line in which an engine says what went wrong: its last one."""
    lines = [line for line in done.stderr.splitlines() if line.strip()]
    return lines[-1].strip() if lines else f"exit status {done.returncode}"
