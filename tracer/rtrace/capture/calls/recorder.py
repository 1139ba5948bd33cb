"""Turn system calls at their entry into what the ledger keeps, and remember those that were decoded."""

from __future__ import annotations

import os
import struct
from collections.abc import Callable

from rtrace.capture.books.path_state import Uses
from rtrace.capture.books.unobserved import means_nothing
from rtrace.capture.calls import descriptor_calls, execution, pair_calls, place_calls
from rtrace.capture.calls.call_memory import Key
from rtrace.capture.calls.context import INT_MASK, LOOKUP, Context, Request
from rtrace.capture.calls.path_calls import CREATE, DECODERS
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.kernel.call_table import (
    AT_EMPTY_PATH,
    AT_FDCWD,
    AT_REMOVEDIR,
    AT_SYMLINK_FOLLOW,
    AT_SYMLINK_NOFOLLOW,
    IN_DONT_FOLLOW,
    OPEN_FLAGS,
    Action,
)
from rtrace.capture.processes.tracee import PAGE, READ_FIRST, Tracee

RESOLVE_IN_ROOT = 0x10  # openat2(2)
TALKING = (
    *(Action.CONNECT, Action.BIND, Action.SEND, Action.SEND_MESSAGE, Action.SEND_MESSAGES),
    *(Action.SOCKETCALL, Action.QUEUE, Action.ASK_ERROR),
)
NEVER_FOLLOWING = frozenset({Action.LOOKUP_LINK, Action.METADATA_LINK, Action.UNLINK, Action.RMDIR, Action.MAKE})


class Recorder:
    """Takes every call of a run; a call that was made in the same way before costs one look-up in a set."""

    def __init__(self, context: Context) -> None:
        """Decode with the state of one run."""
        self.context = context
        self.memory = context.memory
        self.ledger = context.ledger
        self.closed = False
        self.rarer: dict[Action, Callable[[Context, Request], None]] = {
            Action.OPEN_HOW: self._open_how,
            Action.RENAME: pair_calls.rename,
            Action.LINK: pair_calls.link,
            Action.SYMLINK: pair_calls.symlink,
            Action.CHDIR: place_calls.change_directory,
            Action.FCHDIR: place_calls.change_directory_by_descriptor,
            Action.CHROOT: place_calls.change_root,
            Action.ESCAPE: place_calls.escape,
            Action.EXECUTE: execution.begin_execution,
            Action.WATCH: descriptor_calls.watch,
            Action.METADATA_DESCRIPTOR: descriptor_calls.change_metadata,
            Action.FILTER: place_calls.install_filter,
            **dict.fromkeys(TALKING, self._talk),
        }

    def observe(self, tracee: Tracee, architecture: Architecture, number: int, arguments: list[int]) -> None:
        """Note what a call is about to do; it has not run yet, and its caller waits.

        ``arguments`` are the six registers as unsigned numbers. If the arguments are nowhere in memory, the
        kernel will answer EFAULT, or the caller was killed: there is nothing to note. Any other reason why the tracer
        cannot look is told.
        """
        context = self.context
        if context.moving or self.closed:
            if self.closed:
                return
            context.moving.discard(tracee.tid)
        simple = architecture.simple.get(number)
        try:
            if simple is None:
                tracee.answered = (number, arguments[1])
                context.caller = tracee.tid
                call = architecture.calls[number]
                self.rarer[call.action](context, Request(tracee, architecture, number, call, arguments))
                return
            action, path_index, dirfd_index, flags_index, mask, flags = simple
            if mask:
                flags = arguments[flags_index] & mask
            address = arguments[path_index]
            if address:  # read here, as Tracee.read_string would, and by it where the string is long
                memory = tracee.process.memory
                if memory < 0:
                    memory = tracee.open_memory()
                room = PAGE - address % PAGE
                path = os.pread(memory, min(room, READ_FIRST), address)
                end = path.find(0)
                path = path[:end] if end >= 0 else tracee.read_string(address)
            else:
                path = b""
            if path[:1] == b"/" and not context.rooted:
                base = b""
            else:
                if not path and address and not flags & AT_EMPTY_PATH and action is not Action.LOOKUP_LINK:
                    return  # ENOENT
                base = context.base(tracee, AT_FDCWD if dirfd_index < 0 else arguments[dirfd_index] & INT_MASK, path)
            key = (number, flags, base, path)
            if key not in tracee.process.seen:
                self.note(tracee, action, key)
        except OSError as error:
            if not means_nothing(error):
                context.notices.add_unobserved(context.program(tracee), error)
        except (ValueError, OverflowError, struct.error):  # an address may exceed what pread(2) takes
            return

    def finish(self, tracee: Tracee, result: int) -> None:
        """Take the result of the call that a thread was in, if it is awaited; an error's number is negative."""
        awaited, tracee.awaited = tracee.awaited, None
        if awaited is None or self.closed:
            return
        try:
            awaited(result)
        except (OSError, ValueError, OverflowError, struct.error):  # the thread was killed meanwhile
            return
        except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the program must go on
            self.tell_of_failure(tracee, tracee.answered[0], error)

    def close(self) -> None:
        """Take no more notes: the books are being closed."""
        self.closed = True

    def tell_of_failure(self, tracee: Tracee, number: int, error: Exception) -> None:
        """Tell that rtrace failed to understand a call: the error is ours, and the program goes on."""
        self.context.notices.add_failure(self.context.program(tracee), number, error)

    def refuse_x32(self, tracee: Tracee) -> None:
        """Note a call of the x32 ABI, which is answered with ENOSYS."""
        self.context.notices.add_x32(self.context.program(tracee))

    def _talk(self, context: Context, request: Request) -> None:
        """Take the first call on a socket, and load the code for such calls, which most runs do not need."""
        from rtrace.capture.calls.socket_calls import DECODERS

        self.rarer.update(DECODERS)
        self.rarer[request.call.action](context, request)

    def note(self, tracee: Tracee, action: Action, key: Key) -> None:
        """Note a call with one path that this process has not made before, or that may mean something else now."""
        process = tracee.process
        uses = self.memory.known.get(key)
        if uses is not None:
            process.seen.add(key)
        else:
            uses = self.memory.absent.get(key) or self._decode(tracee, action, key)
        use = self.ledger.use
        for state, how in uses:
            use(process, state, how)

    def _decode(self, tracee: Tracee, action: Action, key: Key) -> Uses:
        """Find out what a call means that was not made in this way before; remember it if it will mean the same."""
        _, flags, base, path = key
        self.context.caller = tracee.tid
        walk = self.context.walk(tracee, base, path, follow=follows(action, flags))
        if walk is None:
            return []
        if walk.volatile and walk.path.startswith(b"/proc/"):  # a replay has its own, behind the same symlinks
            return [(self.ledger.state(link), LOOKUP) for link in walk.passed]
        if walk.volatile and action is Action.OPEN and self.context.is_printing(walk, flags):
            return [(self.ledger.state(link), LOOKUP) for link in walk.passed]
        if self.context.notices.is_own(walk.path):
            return []
        if action is Action.UNLINK and flags & AT_REMOVEDIR:
            action = Action.RMDIR
        uses = DECODERS[action](self.context, walk, flags)
        makes = uses[0][1] & CREATE
        uses += [(self.ledger.state(link), LOOKUP) for link in walk.passed]
        if action is Action.RMDIR:
            self.context.forget_cwds(tracee)
            return uses
        if walk.volatile:
            return uses
        if walk.missing is None or makes:
            self.memory.keep(key, uses, makes=walk.path if makes else None)
        else:
            self.memory.keep_absent(key, uses, walk.missing.rstrip(b"/"))
        return uses

    def _open_how(self, _context: Context, request: Request) -> None:
        """Note openat2(2), whose flags are in memory: struct open_how {u64 flags, mode, resolve}."""
        tracee, arguments = request.tracee, request.arguments
        flags, _mode, resolve = struct.unpack("<QQQ", tracee.read(arguments[2], 24))
        path = tracee.read_string(arguments[request.call.path])
        if resolve & RESOLVE_IN_ROOT:
            path = path.lstrip(b"/") or b"."
        base = self.context.base(tracee, arguments[0] & INT_MASK, path)
        self.note(tracee, Action.OPEN, (request.number, flags & OPEN_FLAGS, base, path))


def follows(action: Action, flags: int) -> bool:
    """Whether a call follows a symlink that is the last component of its path."""
    if action in NEVER_FOLLOWING:
        return bool(flags & AT_SYMLINK_FOLLOW)  # name_to_handle_at(2) alone has such a flag
    if action is Action.OPEN:
        exclusive = os.O_CREAT | os.O_EXCL
        return not flags & os.O_NOFOLLOW and flags & exclusive != exclusive
    return action is Action.TRUNCATE or not flags & (AT_SYMLINK_NOFOLLOW | IN_DONT_FOLLOW)
