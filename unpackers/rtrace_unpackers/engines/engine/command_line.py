"""The command line of a container engine, Docker's or Podman's."""

from __future__ import annotations

import errno
import io
import json
import os
import shlex
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from typing import IO, cast

from rtrace.debugging import debug, is_debugging
from rtrace.errors import TargetError
from rtrace.files.workspaces import temporary_folder
from rtrace_unpackers.engines.engine.facts import Abilities, Kind, Thing, read_things

MISSING = ("could not find the file", "no such container:path", "could not be found", "no such file", "not a directory")
"""What engines say of a path at which there is nothing."""
LIST_COMMANDS: Mapping[Kind, str] = {"image": "images", "container": "ps"}


@dataclass(frozen=True, slots=True)
class Engine:
    """A container engine by its command."""

    command: tuple[str, ...]

    @property
    def name(self) -> str:
        """The command as a person types it."""
        return shlex.join(self.command)

    @property
    def is_podman(self) -> bool:
        """Whether the command is Podman's by its name."""
        return any(os.path.basename(word) == "podman" for word in self.command)

    def answers(self) -> bool:
        """Whether there is an engine behind the command."""
        return self.find_problem() is None

    def find_problem(self) -> str | None:
        """Return why no engine answers behind the command, None where one does."""
        try:
            done = self.call("version")
        except OSError as error:
            return str(error.strerror).lower()
        return None if done.returncode == 0 else str(self.fail("version", done.returncode, done.stderr))

    def call(self, *arguments: str, keep: int | None = None) -> subprocess.CompletedProcess[str]:
        """Call the command and return what it said, whatever that is. It inherits the descriptor ``keep``."""
        began = time.monotonic()
        done = subprocess.run(
            [*self.command, *arguments],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            encoding="utf-8",
            errors="replace",
            check=False,
            pass_fds=() if keep is None else (keep,),
        )
        self.tell_call(arguments, done.returncode, began)
        return done

    def tell_call(self, arguments: Sequence[str], status: int, began: float) -> None:
        """Log a call that has ended, with its status and time."""
        if is_debugging():
            seconds = time.monotonic() - began
            debug(__name__, "`%s` ended with %d after %.3f s", shlex.join((*self.command, *arguments)), status, seconds)

    def demand(self, *arguments: str, keep: int | None = None) -> str:
        """Call the command and return its output. Raises TargetError with the engine's words when it fails."""
        done = self.call(*arguments, keep=keep)
        if done.returncode != 0:
            raise self.fail(arguments[0], done.returncode, done.stderr)
        return done.stdout.strip()

    def fail(self, verb: str, status: int, stderr: str) -> TargetError:
        """Return the error for a command that failed: its last line is the one in which engines say what went wrong."""
        lines = [line for line in stderr.splitlines() if line.strip() and not line.startswith(("See '", "Run '"))]
        return TargetError(f"`{self.name} {verb}` failed: {lines[-1].strip() if lines else f'exit status {status}'}")

    def holds(self, kind: Kind, name: str) -> bool:
        """Whether there is an image or a container of that name."""
        return self.find(kind, name) is not None

    def find(self, kind: Kind, name: str) -> Thing | None:
        """Return the image or container of a name, None if there is no such thing."""
        return next(iter(self.find_all(kind, (name,))), None)

    def find_all(self, kind: Kind, names: Iterable[str]) -> tuple[Thing, ...]:
        """Return the images or containers that there are of some names or ids, each once.

        Engines describe those that they find, and fail because of the rest.
        """
        wanted = tuple(dict.fromkeys(names))
        described = read_things(kind, self.call(kind, "inspect", *wanted).stdout) if wanted else ()
        return tuple({thing.id: thing for thing in described}.values())

    def list(self, kind: Kind, label: str, *, besides: tuple[str, ...] = ()) -> tuple[Thing, ...]:
        """Return all images or containers that have a label, ``name`` or ``name=value``, and those of some names."""
        listed = self.demand(LIST_COMMANDS[kind], "--all", "--quiet", "--no-trunc", "--filter", f"label={label}")
        return self.find_all(kind, (*listed.split(), *besides))

    def kill(self, container: str) -> None:
        """Kill a container, if it runs."""
        self.call("kill", container)

    def describe(self) -> Abilities:
        """Return what the engine can do. Raises TargetError when it does not say."""
        told = json.loads(self.demand("info", "--format", "{{json .}}"))
        match told:
            case {"host": {"security": {"seccompEnabled": seccomp}, "cgroupControllers": list(controllers)}}:  # Podman
                return Abilities(bool(seccomp), "memory" in controllers, "cpu" in controllers, "pids" in controllers)
            case {"SecurityOptions": list(options)}:
                filters = [str(option) for option in options if str(option).split(",")[0] == "name=seccomp"]
                is_confined = any("unconfined" not in option for option in filters)
                return Abilities(
                    is_confined,
                    told.get("MemoryLimit") is True,
                    told.get("CpuCfsQuota") is True,
                    told.get("PidsLimit") is not False,  # older engines do not tell
                )
        raise TargetError(f"`{self.name} info` does not say how containers are confined: rtrace needs a newer engine")

    def load(self, write: Callable[[IO[bytes]], None], *, keep: int | None = None) -> None:
        """Load an image that ``write`` writes, whole or not at all. Raises TargetError."""
        self._feed(("load", "--quiet"), write, keep)

    def put(self, container: str, write: Callable[[IO[bytes]], None]) -> None:
        """Put the files of a tar that ``write`` writes into a container, in the place of what it has there.

        They belong to whom the tar says, which Podman has to be told. Raises TargetError.
        """
        self._feed(("cp", "--archive=false", "-", f"{container}:/"), write, None)

    def _feed(self, arguments: Sequence[str], write: Callable[[IO[bytes]], None], keep: int | None) -> None:
        """Call the command, which reads what ``write`` writes. Raises TargetError."""
        began = time.monotonic()
        with subprocess.Popen(
            [*self.command, *arguments],
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            pass_fds=() if keep is None else (keep,),
        ) as process:
            stream = cast("IO[bytes]", process.stdin)  # a pipe was asked for
            try:
                with suppress(BrokenPipeError):  # it says why on standard error
                    write(stream)
                _, stderr = process.communicate()
            except BaseException:
                process.kill()
                raise
        self.tell_call(arguments, process.returncode, began)
        if process.returncode != 0:
            raise self.fail(arguments[0], process.returncode, stderr.decode("utf-8", "replace"))

    def start(self, arguments: Sequence[str], streams: tuple[int, int, int]) -> subprocess.Popen[bytes]:
        """Start the command with these streams, away from the signals of a terminal.

        It is started in the folder for temporary files: Podman's conmon(8) leaves a file ``oom`` in the folder in which
        it was started when a container has run out of memory.
        """
        stdin, stdout, stderr = streams
        program = self.command[0]
        debug(__name__, "starting `%s`", shlex.join((*self.command, *arguments)))
        return subprocess.Popen(
            [os.path.abspath(program) if "/" in program else program, *self.command[1:], *arguments],
            stdin=stdin,
            stdout=stdout,
            stderr=stderr,
            start_new_session=True,
            cwd=temporary_folder(),
        )

    def export(self, container: str) -> AbstractContextManager[IO[bytes]]:
        """Yield a container's files, but for volumes, as a stream of tar. Raises TargetError when it breaks off."""
        return self._stream("export", container)

    def copy(self, container: str, path: str) -> AbstractContextManager[IO[bytes]]:
        """Yield a folder of a container as a stream of tar, in which it has its name alone. Raises TargetError."""
        return self._stream("cp", f"{container}:{path}", "-")

    @contextmanager
    def begin_copy(self, container: str, path: str) -> Iterator[IO[bytes]]:
        """Yield what `copy` would, for whoever reads as much of it as they like.

        Raises FileNotFoundError when there is nothing at the path, TargetError when the engine fails.
        """
        with (
            tempfile.TemporaryFile(dir=temporary_folder()) as said,
            subprocess.Popen(
                [*self.command, "cp", f"{container}:{path}", "-"],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=said,
            ) as process,
        ):
            stream = cast("io.BufferedReader", process.stdout)  # a pipe was asked for
            try:
                if stream.peek(1):
                    yield stream
                if stream.peek(1):  # no more of it is wanted
                    process.kill()
                    return
            except BaseException:
                process.kill()
                raise
            process.wait()
            said.seek(0)
            words = said.read().decode("utf-8", "replace")
        if process.returncode == 0:
            return
        if any(word in words.lower() for word in MISSING):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), path)
        raise self.fail("cp", process.returncode, words)

    @contextmanager
    def _stream(self, *arguments: str) -> Iterator[IO[bytes]]:
        """Yield what the command writes. Raises TargetError when it breaks off."""
        began = time.monotonic()
        with subprocess.Popen(
            [*self.command, *arguments],
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
        self.tell_call(arguments, process.returncode, began)
        if process.returncode != 0:
            raise TargetError(f"`{self.name} {arguments[0]}` failed with status {process.returncode}")
