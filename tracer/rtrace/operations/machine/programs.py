"""Which programs that can run a bundle are here and answer: container engines, virtual machines."""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from rtrace.debugging import debug
from rtrace.printable import printable
from rtrace.replay.protocol import Ability

PATIENCE = 20
"""Seconds for a program to answer."""


@dataclass(frozen=True)
class Program:
    """A program, how it is asked whether it works, and what it is good for."""

    name: str
    arguments: tuple[str, ...]
    use: str

    @property
    def question(self) -> str:
        """The question as it is typed."""
        return " ".join((self.name, *self.arguments))


def list_programs() -> tuple[Program, ...]:
    """Return the programs to ask. `docker version` asks the engine; `podman version` would make files."""
    return (
        Program("docker", ("version",), "`--unpacker docker` replays with it"),
        Program(
            "podman",
            ("--version",),
            "there, not tried; `--unpacker podman` replays with it",
        ),
        Program(f"qemu-system-{platform.machine()}", ("--version",), "a virtual machine"),
    )


class PendingAnswer:
    """A program that was asked."""

    def __init__(self, program: Program) -> None:
        """Ask, and do not wait for the answer."""
        self._program = program
        self._problem: str | None = None
        self._process: subprocess.Popen[bytes] | None = None
        path = shutil.which(program.name)
        if path is None:
            self._problem = "it is not installed"
            return
        try:
            self._process = subprocess.Popen(
                [path, *program.arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            self._problem = f"it cannot be started ({error.strerror})"

    def finish(self) -> Ability:
        """Wait for the answer."""
        problem = self._problem or self._wait()
        debug(__name__, "%s: %s", self._program.question, problem or "it answers")
        return Ability(self._program.name, works=problem is None, detail=problem or self._program.use)

    def _wait(self) -> str | None:
        process = self._process
        if process is None:
            return None
        try:
            _, errors = process.communicate(timeout=PATIENCE)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()
            return f"`{self._program.question}` does not answer"
        if process.returncode != 0:
            reason = printable(errors.strip().split(b"\n")[-1])
            return f"`{self._program.question}` fails: {reason}"
        return None


def examine_kvm() -> Iterator[Ability]:
    """Open what makes virtual machines fast."""
    device = "/dev/kvm"
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError as error:
        detail = f"{device}: {error.strerror}; a virtual machine is slow without it"
        yield Ability("kvm", works=False, detail=detail)
    else:
        yield Ability("kvm", works=True, detail="virtual machines are fast")
