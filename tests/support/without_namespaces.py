"""Run a command as a user who can make no namespaces, in a way that concerns nobody else on the machine.

    without_namespaces.py limit UID PROGRAM ...    in a user namespace, with all ids, whose own limit of namespaces is 0
    without_namespaces.py one UID PROGRAM ...      the same, where it is 1
    without_namespaces.py filter UID PROGRAM ...   under the filter of system calls that replays have, as in a container

Needs root.
"""

from __future__ import annotations

import ctypes
import os
import platform
import sys

CLONE_NEWUSER = 0x10000000
EVERYBODY = "0 0 4294967295"


def main(way: str, uid: int, *command: str) -> int:
    """Run a program by its path; return its exit status."""
    if way == "filter":
        from rtrace.linux.libc import forbid_new_privileges
        from rtrace.linux.seccomp import install_filter
        from rtrace_unpackers.isolation.kernel.seccomp import build_filter

        forbid_new_privileges()
        become(uid)
        install_filter(build_filter(platform.machine()))
        os.execv(command[0], command)
    made, say_made = os.pipe()
    mapped, say_mapped = os.pipe()
    child = os.fork()
    if child == 0:
        if ctypes.CDLL(None).unshare(CLONE_NEWUSER) != 0:
            os._exit(99)
        os.write(say_made, b"!")
        os.read(mapped, 1)
        with open("/proc/sys/user/max_user_namespaces", "w", encoding="ascii") as file:
            file.write("1" if way == "one" else "0")
        become(uid)
        os.execv(command[0], command)  # nothing is imported any more: this user may not read the modules
    os.read(made, 1)
    for name in ("uid_map", "gid_map"):
        with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
            file.write(EVERYBODY)
    os.write(say_mapped, b"!")
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    return 128 - status if status < 0 else status


def become(uid: int) -> None:
    """Become a user without any other group."""
    os.setgroups([])
    os.setresgid(uid, uid, uid)
    os.setresuid(uid, uid, uid)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1], int(sys.argv[2]), *sys.argv[3:]))
