"""Asking a program of version control, with a time limit, an answer of limited length and an environment of our own."""

from __future__ import annotations

import contextlib
import os
import select
import selectors
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

from rtrace.files.workspaces import IN_MEMORY, temporary_folder, working

_PART = 1 << 16
_MEMORY = 2 << 30
"""Bytes that a program may take for itself: an object of a repository says how large it is, and may lie."""

_SPARE = 16 << 20


@contextlib.contextmanager
def make_folder(size: int = 0) -> Iterator[bytes]:
    """Yield the path of a private folder that is gone afterwards; in memory where files of that size have room there.

    Raises OSError.
    """
    place = temporary_folder()
    with contextlib.suppress(OSError):  # ENOENT: no /dev/shm
        room = os.statvfs(IN_MEMORY)
        if room.f_bavail * room.f_frsize > 2 * size + _SPARE and os.access(IN_MEMORY, os.W_OK | os.X_OK):
            place = IN_MEMORY
    with working(place, "rtrace-record-") as folder:
        yield os.fsencode(folder)


@contextlib.contextmanager
def open_given(given: bytes) -> Iterator[int]:
    """Yield a descriptor of a file to read something from. Raises OSError.

    At a pipe, a program that answers before it has read everything would wait for us as we wait for it.
    """
    descriptor = os.memfd_create("given") if given else os.open(os.devnull, os.O_RDONLY | os.O_CLOEXEC)
    try:
        with open(descriptor, "wb" if given else "rb", closefd=False) as file:
            if given:
                file.write(given)
        if given:
            os.lseek(descriptor, 0, os.SEEK_SET)
        yield descriptor
    finally:
        os.close(descriptor)


class Question:
    """A program that was started, and what it has answered so far."""

    def __init__(
        self,
        words: Sequence[str | bytes],
        environ: Mapping[str, str | bytes],
        *,
        limit: int,
        given: bytes = b"",
        folder: str | bytes = "/",
        first: Callable[[], None] | None = None,
    ) -> None:
        """Start it, in the folder that its relative names are of. Raises OSError.

        ``first`` is called in its process before it begins.
        """
        self.limit = limit
        self.answer = bytearray()
        self.is_cut = self.is_whole = False
        self.status: int | None = None
        with open_given(given) as source:
            self.process = subprocess.Popen(
                words, env=environ, cwd=folder, start_new_session=True, bufsize=0,
                stdin=source, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                preexec_fn=first,  # noqa: PLW1509 -- it takes no lock
            )  # fmt: skip
        with contextlib.suppress(OSError):  # ESRCH: it has ended already; EPERM: a limit below this one holds
            import resource  # not on every system

            resource.prlimit(self.process.pid, resource.RLIMIT_DATA, (_MEMORY, _MEMORY))

    @property
    def is_answered(self) -> bool:
        """Whether the program has said all that it had to say, and that it went well."""
        return self.status == 0 and self.is_whole and not self.is_cut

    def take(self, part: bytes) -> bool:
        """Take a part of the answer; return whether there may be more."""
        self.is_whole = not part
        self.answer += part[: self.limit - len(self.answer)]
        if part and len(self.answer) == self.limit:
            self.is_cut = True
        return bool(part) and not self.is_cut

    def end(self) -> None:
        """End the program and all that it has started, and take its status."""
        if self.process.poll() is None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
        self.status = self.process.wait()
        if self.process.stdout:
            self.process.stdout.close()


def collect(questions: Iterable[Question], deadline: float) -> None:
    """Wait for the answers of programs that run at once; those that take longer than the deadline are ended.

    The deadline is one of time.monotonic().
    """
    waiting = list(questions)
    with selectors.DefaultSelector() as selector:
        try:
            for question in waiting:
                selector.register(question.process.stdout or 0, selectors.EVENT_READ, question)
            while selector.get_map() and (left := deadline - time.monotonic()) > 0:
                for key, _events in selector.select(left):
                    if not key.data.take(os.read(key.fd, _PART)):
                        selector.unregister(key.fileobj)
                        _finish(key.data, deadline)
        finally:
            for question in waiting:
                question.end()


def _finish(question: Question, deadline: float) -> None:
    """Wait for the end of a program that has closed its output; one that was cut short is not waited for."""
    if question.is_cut or question.process.poll() is not None:
        return
    left = max(0.0, deadline - time.monotonic())
    try:
        descriptor = os.pidfd_open(question.process.pid)
    except OSError:  # ENOSYS, before Linux 5.3: then it is asked time and again
        with contextlib.suppress(subprocess.TimeoutExpired):
            question.process.wait(left)
        return
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        poll.poll(left * 1000)
        question.process.poll()
    finally:
        os.close(descriptor)


def find_program(name: str, environ: Mapping[str, str]) -> str | None:
    """Return the path of a program; folders of PATH that depend on where we are do not count."""
    for folder in environ.get("PATH", os.defpath).split(os.pathsep):
        path = os.path.join(folder, name)
        if os.path.isabs(folder) and os.access(path, os.X_OK) and os.path.isfile(path):
            return path
    return None


def absolute_path(environ: Mapping[str, str]) -> str:
    """Return PATH without the folders that depend on where we are."""
    return os.pathsep.join(filter(os.path.isabs, environ.get("PATH", os.defpath).split(os.pathsep)))
