"""The listener of a seccomp filter: each call that matters is notified, and its caller waits for the answer.

See seccomp_unotify(2).
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import struct
import threading
from collections.abc import Callable

from rtrace.capture.calls.recorder import Recorder
from rtrace.capture.kernel.architecture import Architecture
from rtrace.capture.loop.process_tree import ProcessTree
from rtrace.linux.interfaces import X32_BIT
from rtrace.linux.seccomp import (
    SECCOMP_IOCTL_NOTIF_ID_VALID,
    SECCOMP_IOCTL_NOTIF_RECV,
    SECCOMP_IOCTL_NOTIF_SEND,
    SECCOMP_IOCTL_NOTIF_SET_FLAGS,
    SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP,
    SECCOMP_USER_NOTIF_FLAG_CONTINUE,
)

NOTIFICATION = struct.Struct("<QI4xiI8x6Q")  # struct seccomp_notif: id, pid, flags, {nr, arch, ip, args}
RESPONSE = struct.Struct("<QqiI")  # struct seccomp_notif_resp: id, val, error, flags
WINDOW = 128
TURNS = 48
"""After how many notifications the way of waking is chosen again, and how many of them must come from another thread
than the one before for callers to count as running side by side. A shell that starts programs in turn stays below."""


def make_server(
    listener: int, architectures: dict[int, Architecture], recorder: Recorder, tree: ProcessTree, lock: threading.Lock
) -> Callable[[], None]:
    """Return the function that serves notifications until no more come for now, with all that it needs at hand.

    This is the hot path. ``architectures`` are by their AUDIT_ARCH value. ``lock`` is held while the books are written.
    """
    wake = Waking(listener)
    receive, send = SECCOMP_IOCTL_NOTIF_RECV, SECCOMP_IOCTL_NOTIF_SEND
    proceed = SECCOMP_USER_NOTIF_FLAG_CONTINUE
    request, response, zeroes = bytearray(NOTIFICATION.size), bytearray(RESPONSE.size), bytes(NOTIFICATION.size)
    ioctl, unpack, pack = fcntl.ioctl, NOTIFICATION.unpack_from, RESPONSE.pack_into
    tracees, observe = tree.tracees, recorder.observe

    def serve() -> None:
        """Return when a caller was killed, when a signal came, or when no process is left under the filter."""
        served = turns = last = 0
        while True:
            request[:] = zeroes  # the kernel refuses a request that is not all zeroes
            try:
                ioctl(listener, receive, request)
            except (FileNotFoundError, InterruptedError):
                return
            cookie, tid, number, audit, *arguments = unpack(request)
            served += 1
            if tid != last:
                last = tid
                turns += 1
            if served == WINDOW:
                wake.choose(side_by_side=turns > TURNS)
                served = turns = 0
            with lock:
                tracee = tracees.get(tid)
                if tracee is None:
                    if not is_waiting(listener, cookie):
                        continue  # it was killed, and its end is told already
                    tracee = tree.find(tid)  # its maker kept CLONE_UNTRACED from being taken away
                if number < X32_BIT:
                    try:
                        observe(tracee, architectures[audit], number, arguments)
                    except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the program must go on
                        recorder.tell_of_failure(tracee, number, error)
                    pack(response, 0, cookie, 0, 0, proceed)
                else:
                    recorder.refuse_x32(tracee)
                    pack(response, 0, cookie, 0, -errno.ENOSYS, 0)
            try:  # noqa: SIM105 - contextlib.suppress takes a microsecond
                ioctl(listener, send, response)
            except FileNotFoundError:
                pass

    return serve


class Waking:
    """How the kernel wakes tracer and caller: on one processor, or on any that is free.

    To stay on one processor is fastest while one thread at a time makes calls. When several run side by side it would
    draw them all to the tracer's processor, while others stand idle (measured: a compilation two at a time took 3.9
    times the bare run's time then, and 2.9 times without).
    """

    def __init__(self, listener: int) -> None:
        """Begin on one processor, where the kernel can (Linux 6.6)."""
        self.listener = listener
        self.together = False
        self.choose(side_by_side=False)

    def choose(self, *, side_by_side: bool) -> None:
        """Tell the kernel, unless it is set already."""
        if self.together == (not side_by_side):
            return
        self.together = not side_by_side
        flags = SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP if self.together else 0
        with contextlib.suppress(OSError):  # ENOTTY or EINVAL before Linux 6.6
            fcntl.ioctl(self.listener, SECCOMP_IOCTL_NOTIF_SET_FLAGS, flags)


def is_waiting(listener: int, cookie: int) -> bool:
    """Whether the caller of a notification still waits for the answer, and was not killed meanwhile."""
    try:
        fcntl.ioctl(listener, SECCOMP_IOCTL_NOTIF_ID_VALID, struct.pack("<Q", cookie))
    except FileNotFoundError:
        return False
    return True
