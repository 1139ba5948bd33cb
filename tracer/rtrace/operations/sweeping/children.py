"""Combinations replayed on this machine: so many processes of rtrace at a time, all of them gone in the end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO, TYPE_CHECKING

from rtrace.files.workspaces import temporary_folder
from rtrace.interrupts import shielded

if TYPE_CHECKING:
    from types import TracebackType

    from rtrace.sweep.combinations import Combination

PATIENCE = 20.0
"""Seconds in which a replay that is to end cleans up; then it is killed, and the next command cleans up."""
_LONGEST_LOG = 4096
_START = "import sys; sys.path[:] = {paths!r}; from rtrace.cli import main; main()"


def command_of(arguments: Sequence[str]) -> list[str]:
    """Return the command that starts this very rtrace again, whatever lies in the working directory."""
    return [sys.executable, "-c", _START.format(paths=[path for path in sys.path if path]), *arguments]


@dataclass(frozen=True, slots=True)
class Ended:
    """A process that replayed a combination: its wait status as `subprocess` has it, and the last that it said."""

    combination: Combination
    returncode: int
    said: str


class Children:
    """The processes of a sweep; as a block, none of them is left in the end."""

    def __init__(self, write_command: Callable[[Combination], list[str]]) -> None:
        self._write_command = write_command
        self._running: dict[int, tuple[Combination, subprocess.Popen[bytes], IO[bytes]]] = {}

    def __enter__(self) -> Children:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with shielded():
            self.end_all()

    def __len__(self) -> int:
        return len(self._running)

    def start(self, combination: Combination) -> None:
        """Start a process. It is in a session of its own: a terminal's Ctrl-C is for us, who end it. Raises OSError."""
        with shielded():
            log = tempfile.TemporaryFile(dir=temporary_folder())  # noqa: SIM115 -- closed when it was read
            try:
                process = subprocess.Popen(
                    self._write_command(combination),
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )
            except BaseException:
                log.close()
                raise
            self._running[process.pid] = (combination, process, log)

    def wait(self) -> Ended:
        """Wait until one of them ends."""
        while True:
            os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOWAIT)
            for pid, (combination, process, log) in tuple(self._running.items()):
                returncode = process.poll()
                if returncode is not None:
                    del self._running[pid]
                    return Ended(combination, returncode, read_end(log))

    def end_all(self) -> None:
        """Ask all to end, and kill those that do not."""
        for _, process, _ in self._running.values():
            process.send_signal(signal.SIGTERM)
        deadline = time.monotonic() + PATIENCE
        for _, process, log in self._running.values():
            try:
                process.wait(max(0.0, deadline - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            log.close()
        self._running.clear()


def read_end(log: IO[bytes]) -> str:
    """Return the last line of a log, and close it."""
    with log:
        size = log.seek(0, os.SEEK_END)
        log.seek(max(0, size - _LONGEST_LOG))
        return last_line(log.read())


def last_line(content: bytes) -> str:
    """Return the last line of what rtrace said, without its own name before it."""
    lines = [line for line in content.decode("utf-8", "backslashreplace").splitlines() if line.strip()]
    return lines[-1].removeprefix("rtrace:").strip() if lines else ""


def die_with_parent(parent: int) -> None:
    """End this process by SIGTERM, which lets it clean up, as soon as its parent is gone. See prctl(2)."""
    if sys.platform != "linux":
        return
    from rtrace.linux.libc import PR_SET_PDEATHSIG, control

    with contextlib.suppress(OSError):
        control(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != parent:  # it went before
        os.kill(os.getpid(), signal.SIGTERM)
