"""What decoding a call needs at hand: the ledger, path resolution, and what must be forgotten when."""

from __future__ import annotations

import os
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from rtrace.capture.books.ledger import Ledger
from rtrace.capture.books.notices import NoticeBook
from rtrace.capture.books.path_state import PathState
from rtrace.capture.books.walker import Walk, Walker
from rtrace.capture.calls.call_memory import CallMemory
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import AT_EMPTY_PATH, AT_FDCWD, Call
from rtrace.capture.processes.tracee import Process, Tracee
from rtrace.trace.schema import Use

if TYPE_CHECKING:
    from rtrace.capture.calls.loading import Execution, Loading
    from rtrace.capture.network.peers import Peers
    from rtrace.capture.network.talks import Talks

DELETED = b" (deleted)"
INT_MASK = 0xFFFFFFFF
LOOKUP = int(Use.LOOKUP)


class Request(NamedTuple):
    """One system call at its entry: who makes it, in which interface, with which six registers."""

    tracee: Tracee
    architecture: Architecture
    number: int
    call: Call
    arguments: list[int]


class Context:
    """The state that all decoders of a run share."""

    def __init__(self, ledger: Ledger, notices: NoticeBook, first_environment: int) -> None:
        """Write to the books of one run; ``first_environment`` is the first free row of ``environments``.

        ``moving`` are the threads whose chdir(2) may or may not have happened yet; ``rooted`` says that some process
        has another root than the tracer's; ``pids`` are all processes and threads that there ever were; ``meetings``
        are the socket addresses that are done with, by process and call, ``noted`` those that are in ``connections``;
        ``serving`` that a FUSE filesystem is about to be mounted; ``loadings`` remembers by program how it is
        loaded, ``executions`` by thread what it has begun to execute; ``caller`` is the thread whose call is being
        decoded; ``printed_to`` are the files that the run has as its standard output and error, ``reopened`` those of
        them that it opened once more as /dev/stdout and its kin.
        """
        self.ledger = ledger
        self.notices = notices
        self.walker = Walker()
        ledger.served = self.walker.served
        ledger.tell_unobserved = lambda error: notices.add_unobserved("the run", error)
        ledger.tell_of_time = notices.add_time
        self.caller = 0
        self.printed_to: frozenset[bytes] = frozenset()
        self.reopened: set[bytes] = set()
        self.tracees: dict[int, Tracee] = {}
        self.memory = CallMemory(self.tracees)
        self.moving: set[int] = set()
        self.rooted = False
        self.serving = False
        self.environments: dict[bytes, int] = {}
        self.first_environment = first_environment
        self.pids: set[int] = set()
        self.meetings: set[tuple[int, str, bytes]] = set()
        self.noted: set[tuple[int, str, str, int | None]] = set()
        self.loadings: dict[bytes, Loading] = {}
        self.executions: dict[int, Execution] = {}

    @cached_property
    def peers(self) -> Peers:
        """Whose sockets the run meets; made when it meets one."""
        from rtrace.capture.network.peers import Peers

        return Peers(self.tracees)

    @cached_property
    def talks(self) -> Talks:
        """Whom the run talks to; made when it does."""
        from rtrace.capture.network.talks import Talks

        return Talks(self.notices)

    def finish_talks(self) -> None:
        """Tell at the end of the run what is known of those it talked to."""
        if "talks" in self.__dict__:
            self.talks.finish()

    def base(self, tracee: Tracee, dirfd: int, path: bytes) -> bytes:
        """Return the folder from which a call's path is resolved; empty for an absolute path under the usual root."""
        if path.startswith(b"/"):
            if not self.rooted:
                return b""
            root = tracee.read_link("root")
            return b"" if root == b"/" else root
        if dirfd != AT_FDCWD:
            return tracee.read_link(f"fd/{dirfd}")
        return self.cwd(tracee)

    def cwd(self, tracee: Tracee) -> bytes:
        """Return a thread's working directory; it is remembered unless a thread is in the middle of changing one."""
        if tracee.cwd is not None:
            return tracee.cwd
        cwd = tracee.read_link("cwd")
        if not self.moving:
            tracee.cwd = cwd
        return cwd

    def walk(self, tracee: Tracee, base: bytes, path: bytes, *, follow: bool) -> Walk | None:
        """Resolve a path; None if it names no file (a pipe's descriptor, a removed folder)."""
        if not base.startswith(b"/") and base:
            return None
        if base.endswith(DELETED) and not os.path.lexists(base):
            return None
        if self.walker.served:
            self.walker.refuse_served(base)
        root = b""
        if self.rooted:
            root = base if path.startswith(b"/") else tracee.read_link("root").rstrip(b"/")
        return self.walker.walk(base, path, follow=follow, tgid=tracee.process.tgid, tid=tracee.tid, root=root)

    def state(self, walk: Walk) -> PathState:
        """Return the state of the path that a walk led to; of one that is missing, note also where it would be."""
        if walk.missing is not None:
            self.ledger.state(walk.missing.rpartition(b"/")[0] or b"/")
        return self.ledger.state(walk.path, walk.status, missing=walk.missing is not None)

    def walk_argument(self, request: Request, *, other: bool = False, follow: bool = False) -> Walk | None:
        """Read and resolve the path, or the ``other`` path, of a call."""
        call = request.call
        index, dirfd_index = (call.other_path, call.other_dirfd) if other else (call.path, call.dirfd)
        address = request.arguments[index]
        path = request.tracee.read_string(address) if address else b""
        if not path and not (call.flags is not None and request.arguments[call.flags] & AT_EMPTY_PATH):
            return None  # ENOENT or EFAULT
        dirfd = AT_FDCWD if dirfd_index is None else request.arguments[dirfd_index] & INT_MASK
        return self.walk(request.tracee, self.base(request.tracee, dirfd, path), path, follow=follow)

    def is_printing(self, walk: Walk, flags: int) -> bool:
        """Whether a file is opened that takes what the run prints, by a name like /dev/stdout; that is remembered."""
        is_it = walk.path in self.printed_to and flags & os.O_ACCMODE == os.O_WRONLY
        if is_it:
            self.reopened.add(walk.path)
        return is_it

    def use(self, process: Process, walk: Walk, use: int) -> PathState:
        """Note the use of a path, and the symlinks on the way to it as looked up."""
        state = self.state(walk)
        self.ledger.use(process, state, use)
        for link in walk.passed:
            self.ledger.use(process, self.ledger.state(link), LOOKUP)
        return state

    def forget_all(self) -> None:
        """Forget where paths led: a folder or a symlink changes place."""
        self.walker.forget()
        self.memory.forget()

    def forget_everything(self) -> None:
        """Free what was remembered for the books: they are closed."""
        self.forget_all()
        self.ledger.states.clear()
        self.ledger.ids.clear()
        for tracee in self.tracees.values():
            tracee.process.uses.clear()

    def forget_cwds(self, mover: Tracee) -> None:
        """Forget all working directories: threads, and processes made with CLONE_FS, share theirs with the mover.

        Until the mover's next call, its change may or may not have happened, so no working directory is remembered.
        """
        for tracee in self.tracees.values():
            tracee.cwd = None
        self.moving.add(mover.tid)

    def program(self, tracee: Tracee) -> str:
        """Return the name of the program that a thread runs, for a message."""
        try:
            return os.path.basename(tracee.read_link("exe")).decode(errors="backslashreplace")
        except OSError:  # EACCES: it is another user's, or protects itself
            return self._program_by_name(tracee)

    @staticmethod
    def _program_by_name(tracee: Tracee) -> str:
        """Return the name that everybody may read: ``comm`` of proc(5), its first 15 bytes."""
        try:
            with open(f"/proc/{tracee.tid}/comm", "rb") as file:
                return file.read().decode(errors="backslashreplace").strip()
        except OSError:  # it is gone
            return f"process {tracee.process.tgid}"
