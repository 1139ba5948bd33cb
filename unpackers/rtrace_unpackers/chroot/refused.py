"""Whether this machine refuses what a replay in namespaces needs, by trying it in a process that ends afterwards."""

from __future__ import annotations

import functools
import os

from rtrace.debugging import debug
from rtrace.linux.probing import try_in_child
from rtrace_unpackers.isolation.kernel import mounting
from rtrace_unpackers.isolation.kernel.mounting import MountFlag
from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.running.refusal import find_cause
from rtrace_unpackers.isolation.users.user_namespace import write_to

ALL = Namespace.USER | Namespace.MOUNT | Namespace.UTS | Namespace.IPC | Namespace.PID | Namespace.NET


@functools.cache
def find_refusal() -> str | None:
    """Return why there are no namespaces for a replay here, and what would allow them; None where there are."""
    problem = try_in_child(enter_namespaces)
    debug(__name__, "namespaces of a replay: %s", problem or "entered")
    if problem is None:
        return None
    number = next((number for number in range(1, 134) if os.strerror(number) == problem), 0)
    return find_cause(number, "get namespaces", as_root=os.geteuid() == 0)


def enter_namespaces() -> None:
    """Enter the namespaces of a replay, and mount in them what it needs. Raises OSError.

    Some machines give a user namespace, and no rights in it (AppArmor); some containers give both, and no new /proc.
    """
    user, group = os.geteuid(), os.getegid()
    unshare(ALL)
    write_to("/proc/self/setgroups", "deny")
    write_to("/proc/self/uid_map", f"{user} {user} 1")
    write_to("/proc/self/gid_map", f"{group} {group} 1")
    child = os.fork()  # the first process of the new namespace, which alone can mount its /proc
    if child == 0:
        number = 0
        try:
            mounting.mount(b"none", b"/", None, MountFlag.RECURSIVE | MountFlag.PRIVATE, None)
            mounting.mount(b"proc", b"/proc", b"proc", MountFlag.NO_SETUID | MountFlag.NO_DEVICES, None)
        except OSError as error:
            number = error.errno or 1
        finally:
            os._exit(number)
    number = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    if number:
        raise OSError(number, os.strerror(number))
