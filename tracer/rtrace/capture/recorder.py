"""Turns system calls, told at their entry, into what the ledger keeps: one method for each kind of call."""

from __future__ import annotations

import os
import stat
import struct
from collections.abc import Callable
from dataclasses import dataclass

from rtrace.capture.architecture import Architecture
from rtrace.capture.calls import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    O_TMPFILE,
    OPEN_FLAGS,
    RENAME_EXCHANGE,
    Action,
    Call,
)
from rtrace.capture.executable import read_interpreter
from rtrace.capture.ledger import Ledger, PathState
from rtrace.capture.notices import NoticeBook
from rtrace.capture.sockets import MAX_ADDRESS, parse_address
from rtrace.capture.tracee import Process, Tracee
from rtrace.capture.walker import Walk, Walker
from rtrace.trace.schema import Use

MAX_INTERPRETERS = 5  # the kernel's limit on chains of interpreters, fs/exec.c
DELETED = b" (deleted)"
INT_MASK = 0xFFFFFFFF
RESOLVE_IN_ROOT = 0x10  # openat2(2)
CLONE_NEW_NAMESPACES = 0x20000 | 0x10000000  # CLONE_NEWNS, CLONE_NEWUSER of unshare(2)
PTRACE_BEGINNINGS = (0, 16, 0x4206)  # PTRACE_TRACEME, PTRACE_ATTACH, PTRACE_SEIZE

READ, WRITE, TRUNCATE, CREATE = int(Use.READ), int(Use.WRITE), int(Use.TRUNCATE), int(Use.CREATE)
LIST, LOOKUP, EXECUTE, REMOVE = int(Use.LIST), int(Use.LOOKUP), int(Use.EXECUTE), int(Use.REMOVE)
METADATA, SOCKET = int(Use.METADATA), int(Use.SOCKET)

Key = tuple[int, int, bytes, bytes]
Uses = list[tuple[PathState, int]]


@dataclass(frozen=True, slots=True)
class Request:
    """One system call at its entry: who makes it, in which interface, with which six registers."""

    tracee: Tracee
    architecture: Architecture
    number: int
    call: Call
    arguments: list[int]


@dataclass(slots=True)
class Execution:
    """An execve that has begun: kept until the kernel says that it happened."""

    state: PathState
    loaders: list[PathState]
    argv: tuple[bytes, ...]
    workingdir: bytes
    time: int


class Recorder:
    """Decodes calls, and remembers what they meant: the same call again costs a look-up in a set.

    ``known`` holds calls on paths that are there; they mean the same for every process until a folder or symlink
    changes place. ``absent`` holds calls on paths that are not there, until something appears at the component
    that was missing; ``waiting`` finds them by that component. ``makers`` finds the calls that make a path.
    """

    def __init__(self, ledger: Ledger, notices: NoticeBook) -> None:
        """Write to the books of one run."""
        self.ledger = ledger
        self.notices = notices
        self.walker = Walker()
        self.known: dict[Key, Uses] = {}
        self.absent: dict[Key, Uses] = {}
        self.waiting: dict[bytes, list[Key]] = {}
        self.makers: dict[bytes, list[Key]] = {}
        self.moving: set[int] = set()
        self.rooted = False
        self.environments: dict[bytes, int] = {}
        self.loaders: dict[bytes, tuple[tuple[int, int, int], list[PathState]]] = {}
        self.tracees: dict[int, Tracee] = {}
        self.actions: dict[Action, Callable[[Walk, int, bool], Uses]] = {
            Action.OPEN: self._open,
            Action.LOOKUP: self._look_up,
            Action.LOOKUP_LINK: self._look_up,
            Action.METADATA: self._change_metadata,
            Action.METADATA_LINK: self._change_metadata,
            Action.TRUNCATE: self._truncate,
            Action.MAKE: self._make,
            Action.UNLINK: self._unlink,
            Action.RMDIR: self._rmdir,
        }
        self.rarer: dict[Action, Callable[[Request], None]] = {
            Action.OPEN_HOW: self._open_how,
            Action.RENAME: self._rename,
            Action.LINK: self._link,
            Action.SYMLINK: self._symlink,
            Action.CHDIR: self._chdir,
            Action.FCHDIR: self._fchdir,
            Action.CHROOT: self._chroot,
            Action.EXECUTE: self._execute,
            Action.CONNECT: self._connect,
            Action.BIND: self._bind,
            Action.ESCAPE: self._escape,
        }

    # Every call comes in here.

    def observe(self, tracee: Tracee, architecture: Architecture, number: int, arguments: list[int]) -> None:
        """Note what a call, which has not run yet and whose caller waits, is about to do.

        ``arguments`` are the six registers as unsigned numbers. A call whose arguments cannot be read is one that
        the kernel will answer with EFAULT, or whose caller was killed meanwhile: there is nothing to note.
        """
        call = architecture.calls[number]
        if self.moving:
            self.moving.discard(tracee.tid)
        try:
            if call.action in self.rarer:
                self.rarer[call.action](Request(tracee, architecture, number, call, arguments))
                return
            flags = call.implied if call.flags is None else arguments[call.flags] & call.mask
            address = arguments[call.path]
            path = tracee.read_string(address) if address else b""
            dirfd = AT_FDCWD if call.dirfd is None else arguments[call.dirfd] & INT_MASK
            self._note(tracee, call.action, number, flags, dirfd, path)
        except (OSError, ValueError, struct.error):
            return

    def _note(self, tracee: Tracee, action: Action, number: int, flags: int, dirfd: int, path: bytes) -> None:
        base = self._base(tracee, dirfd, path)
        process = tracee.process
        key = (number, flags, base, path)
        if key in process.seen:
            return
        uses = self.known.get(key)
        if uses is not None:
            process.seen.add(key)
        else:
            uses = self.absent.get(key) or self._decode(tracee, action, key)
        use = self.ledger.use
        for state, how in uses:
            use(process, state, how)

    def _decode(self, tracee: Tracee, action: Action, key: Key) -> Uses:
        """Find out what a call means that was not seen in this way before; remember it if it will mean the same."""
        _, flags, base, path = key
        follow = not (
            action in (Action.LOOKUP_LINK, Action.METADATA_LINK, Action.UNLINK, Action.RMDIR, Action.MAKE)
            or (action is Action.OPEN and (flags & os.O_NOFOLLOW or flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL))
            or (action in (Action.LOOKUP, Action.METADATA) and flags & AT_SYMLINK_NOFOLLOW)
        )
        walk = self._walk(tracee, base, path, follow=follow)
        if walk is None or (walk.volatile and walk.path.startswith(b"/proc/")):
            return []
        if action is Action.UNLINK and flags & AT_REMOVEDIR:
            action = Action.RMDIR
        uses = self.actions[action](walk, flags, follow)
        uses += [(self.ledger.state(link), LOOKUP) for link in walk.links]
        if walk.volatile or action is Action.RMDIR:
            return uses
        if walk.missing is None or uses[0][1] & CREATE:
            self.known[key] = uses
            if uses[0][1] & CREATE:
                self.makers.setdefault(walk.path, []).append(key)
        else:
            self.absent[key] = uses
            self.waiting.setdefault(walk.missing, []).append(key)
            for maker in self.makers.pop(walk.missing, ()):  # what they made was removed again: they may make it anew
                self._forget_call(maker)
        return uses

    # Where a path leads.

    def _base(self, tracee: Tracee, dirfd: int, path: bytes) -> bytes:
        """Name the folder from which a call's path is resolved; empty for an absolute path under the usual root."""
        if path.startswith(b"/"):
            if not self.rooted:
                return b""
            root = tracee.read_link("root")
            return b"" if root == b"/" else root
        if dirfd != AT_FDCWD:
            return tracee.read_link(f"fd/{dirfd}")
        return self.cwd(tracee)

    def cwd(self, tracee: Tracee) -> bytes:
        """Name a thread's working directory, remembered while no thread is in the middle of changing one."""
        if tracee.cwd is not None:
            return tracee.cwd
        cwd = tracee.read_link("cwd")
        if not self.moving:
            tracee.cwd = cwd
        return cwd

    def _walk(self, tracee: Tracee, base: bytes, path: bytes, *, follow: bool) -> Walk | None:
        """Resolve a path; None where it names no file (a pipe's descriptor, a removed folder)."""
        if not base.startswith(b"/") and base:
            return None
        if base.endswith(DELETED) and not os.path.lexists(base):
            return None
        root = base if path.startswith(b"/") else b""
        return self.walker.walk(base, path, follow=follow, tgid=tracee.process.tgid, tid=tracee.tid, root=root)

    def _state(self, walk: Walk) -> PathState:
        return self.ledger.state(walk.path, walk.status, missing=walk.missing is not None)

    def _walk_argument(self, request: Request, *, other: bool = False, follow: bool = False) -> Walk | None:
        """Read and resolve the path, or the ``other`` path, of a call."""
        call = request.call
        index, dirfd_index = (call.other_path, call.other_dirfd) if other else (call.path, call.dirfd)
        address = request.arguments[index]
        path = request.tracee.read_string(address) if address else b""
        dirfd = AT_FDCWD if dirfd_index is None else request.arguments[dirfd_index] & INT_MASK
        return self._walk(request.tracee, self._base(request.tracee, dirfd, path), path, follow=follow)

    # What is remembered must be forgotten when it may no longer hold.

    def _forget_call(self, key: Key) -> None:
        self.known.pop(key, None)
        for tracee in self.tracees.values():
            tracee.process.seen.discard(key)

    def _appear(self, path: bytes) -> None:
        """Something is being made at a path where nothing was: calls that missed it will find it now."""
        for key in self.waiting.pop(path, ()):
            self.absent.pop(key, None)

    def _forget_all(self) -> None:
        """A folder or a symlink changes place: any path may lead elsewhere from now on."""
        self.walker.forget()
        for memory in (self.known, self.absent, self.waiting, self.makers):
            memory.clear()
        for tracee in self.tracees.values():
            tracee.process.seen.clear()

    # Calls with one path: each returns the uses, the path's own first.

    def _open(self, walk: Walk, flags: int, _follow: bool) -> Uses:
        access = flags & os.O_ACCMODE
        if walk.missing is not None:
            if not flags & os.O_CREAT or walk.missing != walk.path:
                return [(self._state(walk), LOOKUP)]
            state = self._state(walk)
            self._appear(walk.path)
            return [(state, CREATE | (0 if access == os.O_RDONLY else WRITE))]
        state = self._state(walk)
        status = walk.status or os.lstat(walk.path)
        if stat.S_ISDIR(status.st_mode):
            if access == os.O_RDONLY and not flags & (os.O_PATH | O_TMPFILE):
                self.ledger.list_directory(state)
                return [(state, LIST)]
            return [(state, LOOKUP)]
        exclusive = flags & (os.O_CREAT | os.O_EXCL) == os.O_CREAT | os.O_EXCL
        if flags & os.O_PATH or exclusive or stat.S_ISLNK(status.st_mode):
            return [(state, LOOKUP)]
        writes = access != os.O_RDONLY or flags & os.O_TRUNC
        if not writes:
            return [(state, READ)]
        if not os.access(walk.path, os.W_OK, effective_ids=True):
            return [(state, LOOKUP)]  # EACCES, EROFS: programs then try again for reading
        self.ledger.before_change(state)
        if flags & os.O_TRUNC:
            return [(state, TRUNCATE | (0 if access == os.O_RDONLY else WRITE))]
        return [(state, WRITE | (READ if access == os.O_RDWR else 0))]

    def _look_up(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        return [(self._state(walk), LOOKUP)]

    def _change_metadata(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        return [(self._state(walk), METADATA if walk.missing is None else LOOKUP)]

    def _truncate(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        state = self._state(walk)
        if walk.missing is not None:
            return [(state, LOOKUP)]
        self.ledger.before_change(state)
        return [(state, WRITE)]

    def _make(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        state = self._state(walk)
        if walk.missing != walk.path:
            return [(state, LOOKUP)]
        self._appear(walk.path)
        return [(state, CREATE)]

    def _unlink(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        state = self._state(walk)
        if walk.missing is not None:
            return [(state, LOOKUP)]
        self.ledger.before_change(state)
        if walk.path in self.walker.links:
            self._forget_all()
        return [(state, REMOVE)]

    def _rmdir(self, walk: Walk, _flags: int, _follow: bool) -> Uses:
        state = self._state(walk)
        if walk.missing is not None:
            return [(state, LOOKUP)]
        self.ledger.list_directory(state)
        self.walker.directories.discard(walk.path)
        return [(state, REMOVE)]

    # Calls with two paths, or with arguments of their own.

    def _use(self, process: Process, walk: Walk, use: int) -> PathState:
        state = self._state(walk)
        self.ledger.use(process, state, use)
        for link in walk.links:
            self.ledger.use(process, self.ledger.state(link), LOOKUP)
        return state

    def _open_how(self, request: Request) -> None:
        tracee, call, arguments = request.tracee, request.call, request.arguments
        flags, _mode, resolve = struct.unpack("<QQQ", tracee.read(arguments[2], 24))
        path = tracee.read_string(arguments[call.path])
        dirfd = arguments[0] & INT_MASK
        if resolve & RESOLVE_IN_ROOT:
            path = path.lstrip(b"/") or b"."
        self._note(tracee, Action.OPEN, request.number, flags & OPEN_FLAGS, dirfd, path)

    def _move(self, request: Request, kind: str, source: PathState, destination: PathState) -> None:
        ledger = self.ledger
        row = (ledger.run, request.tracee.process.id, ledger.now(), kind, source.id, destination.id)
        ledger.journal.pending["moves"].append(row)

    def _rename(self, request: Request) -> None:
        source, destination = self._walk_argument(request), self._walk_argument(request, other=True)
        if source is None or destination is None:
            return
        process, call, ledger = request.tracee.process, request.call, self.ledger
        flags = 0 if call.flags is None else request.arguments[call.flags] & call.mask
        reachable = destination.missing in (None, destination.path)
        if source.missing is not None or not reachable:
            self._use(process, source, LOOKUP)
            self._use(process, destination, LOOKUP)
            return
        old, new = self._state(source), self._state(destination)
        for state in (old, new):
            ledger.before_change(state)
        folders = [walk.path for walk in (source, destination) if os.path.isdir(walk.path)]
        if source.path in folders:
            ledger.keep_tree(source.path, destination.path)
        if flags & RENAME_EXCHANGE and destination.path in folders:
            ledger.keep_tree(destination.path, source.path)
        exchanged = flags & RENAME_EXCHANGE
        self._use(process, source, REMOVE | (CREATE if exchanged else 0))
        self._use(process, destination, CREATE | (REMOVE if destination.missing is None else 0))
        self._move(request, "exchange" if exchanged else "rename", old, new)
        links = self.walker.links
        if folders or source.path in links or destination.path in links or os.path.islink(source.path):
            self._forget_all()
        else:
            self._appear(destination.path)

    def _link(self, request: Request) -> None:
        flags = 0 if request.call.flags is None else request.arguments[request.call.flags]
        follow = bool(flags & (AT_SYMLINK_FOLLOW | AT_EMPTY_PATH))
        source = self._walk_argument(request, follow=follow)
        destination = self._walk_argument(request, other=True)
        if destination is None:
            return
        process = request.tracee.process
        if destination.missing != destination.path:
            self._use(process, destination, LOOKUP)
            return
        new = self._use(process, destination, CREATE)
        self._appear(destination.path)
        if source is not None and not source.volatile:
            old = self._use(process, source, LOOKUP)
            self.ledger.link_made(old)
            self._move(request, "link", old, new)

    def _symlink(self, request: Request) -> None:
        walk = self._walk_argument(request)
        if walk is None:
            return
        made = walk.missing == walk.path
        self._use(request.tracee.process, walk, CREATE if made else LOOKUP)
        if made and walk.path in self.makers:
            self._forget_all()
        elif made:
            self._appear(walk.path)

    def _chdir(self, request: Request) -> None:
        walk = self._walk_argument(request, follow=True)
        self._forget_cwd(request.tracee)
        if walk is not None and not walk.volatile:
            self._use(request.tracee.process, walk, LOOKUP)

    def _fchdir(self, request: Request) -> None:
        self._forget_cwd(request.tracee)

    def _forget_cwd(self, mover: Tracee) -> None:
        """Forget all working directories: threads, and processes made with CLONE_FS, share theirs with the mover.

        Until the mover's next call its chdir may or may not have happened, so nothing is remembered meanwhile.
        """
        for tracee in self.tracees.values():
            tracee.cwd = None
        self.moving.add(mover.tid)

    def _chroot(self, request: Request) -> None:
        walk = self._walk_argument(request, follow=True)
        if walk is not None:
            self._use(request.tracee.process, walk, LOOKUP)
        self.rooted = True
        self._forget_all()
        self._escape(request)

    def _escape(self, request: Request) -> None:
        name = request.architecture.names[request.number]
        if name == "unshare" and not request.arguments[0] & CLONE_NEW_NAMESPACES:
            return
        if name == "ptrace" and request.arguments[0] not in PTRACE_BEGINNINGS:
            return
        if name in ("mount", "umount2", "move_mount", "setns"):
            self._forget_all()
        self.notices.add_escape(name, self._program(request.tracee))

    def _program(self, tracee: Tracee) -> str:
        try:
            return os.path.basename(tracee.read_link("exe")).decode(errors="backslashreplace")
        except OSError:
            return f"process {tracee.process.tgid}"

    # Sockets.

    def _connect(self, request: Request) -> None:
        self._socket(request, "connect")

    def _bind(self, request: Request) -> None:
        self._socket(request, "bind")

    def _socket(self, request: Request, call: str) -> None:
        tracee, arguments, ledger = request.tracee, request.arguments, self.ledger
        size = min(arguments[2] & INT_MASK, MAX_ADDRESS)
        address = parse_address(tracee.read(arguments[1], size))
        if address is None:
            return
        name = address.host
        if address.family == "unix":
            if not address.path:
                return
            name = address.path.decode(errors="backslashreplace").replace("\0", "@")
            if not address.path.startswith(b"\0"):
                base = self._base(tracee, AT_FDCWD, address.path)
                walk = self._walk(tracee, base, address.path, follow=True)
                if walk is None:
                    return
                made = call == "bind" and walk.missing == walk.path
                self._use(tracee.process, walk, CREATE | SOCKET if made else SOCKET)
                if made:
                    self._appear(walk.path)
                if walk.missing is not None:
                    return
                if not self._state(walk).existed:
                    return  # a server of the run's own
        row = (ledger.run, tracee.process.id, ledger.now(), call, address.family, name, address.port)
        ledger.journal.pending["connections"].append(row)
        if call == "connect" and not address.is_local:
            port = "" if address.port is None else f" port {address.port}"
            self.notices.add_connection(self._program(tracee), name + port)

    # Executions.

    def _execute(self, request: Request) -> None:
        tracee, arguments = request.tracee, request.arguments
        walk = self._walk_argument(request, follow=True)
        tracee.execution = None
        if walk is None:
            return
        state = self._use(tracee.process, walk, LOOKUP)
        if walk.missing is not None:
            return
        tracee.execution = Execution(
            state=state,
            loaders=self._loaders(tracee, state),
            argv=tracee.read_arguments(arguments[request.call.other_path], request.architecture.word),
            workingdir=self.cwd(tracee),
            time=self.ledger.now(),
        )

    def _loaders(self, tracee: Tracee, program: PathState) -> list[PathState]:
        """Find the files that the kernel loads to execute a program: its chain of interpreters, links included."""
        status = os.lstat(program.path)
        identity = (status.st_dev, status.st_ino, status.st_mtime_ns)
        remembered = self.loaders.get(program.path)
        if remembered is not None and remembered[0] == identity:
            return remembered[1]
        found: list[PathState] = []
        path = program.path
        for _ in range(MAX_INTERPRETERS):
            interpreter = read_interpreter(path)
            if interpreter is None:
                break
            walk = self._walk(tracee, self._base(tracee, AT_FDCWD, interpreter), interpreter, follow=True)
            if walk is None:
                break
            found += [self.ledger.state(link) for link in walk.links]
            found.append(self._state(walk))
            path = walk.path
        self.loaders[program.path] = (identity, found)
        if status.st_mode & (stat.S_ISUID | stat.S_ISGID) and os.geteuid() != 0:
            self.notices.add(
                "set-uid",
                f"{os.fsdecode(program.path)} is set-uid, and the kernel gives a traced program no privileges",
                "trace as root if the run needs them",
            )
        return found

    def executed(self, tracee: Tracee) -> None:
        """Note that the execve which a thread had begun happened: the kernel has just stopped it in its new program."""
        tracee.forget_memory()
        execution, tracee.execution = tracee.execution, None
        if not isinstance(execution, Execution):
            return
        process, ledger = tracee.process, self.ledger
        ledger.use(process, execution.state, EXECUTE)
        for loader in execution.loaders:
            ledger.use(process, loader, EXECUTE)
        try:
            with open(f"/proc/{tracee.tid}/environ", "rb") as file:
                content = file.read()
        except OSError:
            content = b""
        environment = self.environments.get(content)
        if environment is None:
            environment = self.environments[content] = self.first_environment + len(self.environments)
            ledger.journal.pending["environments"].append((environment, content))
        argv = b"".join(argument + b"\0" for argument in execution.argv)
        row = (ledger.run, process.id, execution.time, execution.state.id, argv, environment, execution.workingdir)
        ledger.journal.pending["executions"].append(row)

    first_environment = 1
    """The first free row of ``environments``; a run that is added to others begins after theirs."""
