"""The listener of a seccomp filter: a notification at each call that matters, whose caller waits for the answer.

See seccomp_unotify(2).
"""

from __future__ import annotations

import contextlib
import fcntl
import struct
import threading
from collections.abc import Callable

from rtrace.capture import kernel
from rtrace.capture.architecture import Architecture
from rtrace.capture.bpf import ENOSYS, X32_BIT
from rtrace.capture.recorder import Recorder
from rtrace.capture.tree import ProcessTree

NOTIFICATION = struct.Struct("<QIIiIQ6Q")  # struct seccomp_notif: id, pid, flags, {nr, arch, ip, args}
RESPONSE = struct.Struct("<QqiI")  # struct seccomp_notif_resp: id, val, error, flags


def make_server(
    listener: int, architectures: dict[int, Architecture], recorder: Recorder, tree: ProcessTree, lock: threading.Lock
) -> Callable[[], bool]:
    """Make the function that serves one notification, with all it needs at hand: this is the hot path.

    It tells whether there was one; without any process under the filter it does not wait, and tells that there is none.

    ``architectures`` are by their AUDIT_ARCH value. ``lock`` is held while the books are written.
    """
    with contextlib.suppress(OSError):  # ENOTTY or EINVAL before Linux 6.6
        fcntl.ioctl(listener, kernel.SECCOMP_IOCTL_NOTIF_SET_FLAGS, kernel.SECCOMP_USER_NOTIF_FD_SYNC_WAKE_UP)
    request, response, zeroes = bytearray(NOTIFICATION.size), bytearray(RESPONSE.size), bytes(NOTIFICATION.size)
    receive, send = kernel.SECCOMP_IOCTL_NOTIF_RECV, kernel.SECCOMP_IOCTL_NOTIF_SEND
    proceed = kernel.SECCOMP_USER_NOTIF_FLAG_CONTINUE
    ioctl, unpack, pack = fcntl.ioctl, NOTIFICATION.unpack_from, RESPONSE.pack_into
    tracees, observe = tree.tracees, recorder.observe

    def serve() -> bool:
        request[:] = zeroes  # the kernel refuses a request that is not all zeroes
        try:
            ioctl(listener, receive, request)
        except (FileNotFoundError, InterruptedError):
            return False  # the caller was killed meanwhile, or a signal came; or nobody is left
        cookie, tid, _, number, audit, _, *arguments = unpack(request)
        with lock:
            tracee = tracees.get(tid)
            if tracee is None:
                if not is_waiting(listener, cookie):
                    return True  # it was killed, and its end is told already
                tracee = tree.adopt(tid)
            if number < X32_BIT:
                try:
                    observe(tracee, architectures[audit], number, arguments)
                except Exception as error:  # noqa: BLE001 - whatever is wrong with us, the program must go on
                    recorder.confess(tracee, number, error)
                tracee.answered = (number, arguments[1])
                pack(response, 0, cookie, 0, 0, proceed)
            else:
                recorder.refuse_x32(tracee)
                pack(response, 0, cookie, 0, -ENOSYS, 0)
        try:  # noqa: SIM105 - contextlib.suppress takes a microsecond
            ioctl(listener, send, response)
        except FileNotFoundError:
            pass
        return True

    return serve


def is_waiting(listener: int, cookie: int) -> bool:
    """Tell whether the caller of a notification still waits for the answer, and was not killed meanwhile."""
    try:
        fcntl.ioctl(listener, kernel.SECCOMP_IOCTL_NOTIF_ID_VALID, struct.pack("<Q", cookie))
    except FileNotFoundError:
        return False
    return True
