"""What a machine has for replays in namespaces, by trying it; all that is made ends with the process that tries."""

from __future__ import annotations

import ctypes
import errno
import os
import pwd
import shutil
import struct
from collections.abc import Iterator
from contextlib import suppress
from functools import partial

from rtrace.folders import is_root
from rtrace.probing import try_in_child
from rtrace.unpacker import Ability
from rtrace.workspaces import temporary_folder
from rtrace_unpackers.isolation import libc
from rtrace_unpackers.isolation.libc import Namespace
from rtrace_unpackers.isolation.refusal import explain_refusal

SUBORDINATE = ("/etc/subuid", "/etc/subgid")
_ALL = Namespace.USER | Namespace.MOUNT | Namespace.UTS | Namespace.IPC | Namespace.PID | Namespace.NET
_OPEN_TREE, _MOUNT_SETATTR = 428, 442  # the same on every architecture
_OPEN_TREE_CLONE, _AT_FDCWD, _AT_EMPTY_PATH = 1, -100, 0x1000
_MOUNT_ATTR_IDMAP = 0x100000
_CGROUPS = "/sys/fs/cgroup"
_WANTED = {"cpu", "memory", "pids"}


def examine() -> Iterator[Ability]:
    """Yield what replays in namespaces need, and what makes them better."""
    yield examine_namespaces()
    yield examine_subordinate_ids()
    yield examine_idmapped_mounts()
    yield examine_cgroups()


def examine_namespaces() -> Ability:
    """Enter the namespaces of a replay."""
    name = "user namespaces"
    problem = try_in_child(partial(libc.unshare, _ALL))
    if problem is None:
        return Ability(name, works=True)
    number = next((number for number in range(1, 134) if os.strerror(number) == problem), 0)
    return Ability(name, works=False, detail=explain_refusal(number, "get them", as_root=os.geteuid() == 0))


def examine_subordinate_ids() -> Ability:
    """Look for ids that this user may give to others in a namespace; see subuid(5) and newuidmap(1)."""
    name = "subordinate ids"
    if is_root():
        return Ability(name, works=True, detail="root needs none")
    lacking = [tool for tool in ("newuidmap", "newgidmap") if shutil.which(tool) is None]
    if lacking:
        return Ability(name, works=False, detail=f"{' and '.join(lacking)} is not installed (package uidmap)")
    keys = {str(os.getuid())}
    with suppress(KeyError):
        keys.add(pwd.getpwuid(os.getuid()).pw_name)
    for file in SUBORDINATE:
        if not any(line.split(":")[0] in keys for line in read_lines(file)):
            return Ability(name, works=False, detail=f"{file} has no line for this user; `usermod --add-subuids` adds")
    return Ability(name, works=True)


def examine_idmapped_mounts() -> Ability:
    """Make a mount of the folder for temporary files in which ids are others; it is attached nowhere."""
    name = "idmapped mounts"
    if not is_root():
        return Ability(name, works=False, detail="only root can have them")
    problem = try_in_child(map_mount)
    return Ability(name, works=problem is None, detail=problem or "")


def map_mount() -> None:
    """Map ids in a detached mount; see open_tree(2) and mount_setattr(2). Raises OSError."""
    call = libc.load_libc().syscall
    space = make_user_namespace()
    folder = os.fsencode(temporary_folder())
    tree = call(_OPEN_TREE, _AT_FDCWD, folder, _OPEN_TREE_CLONE | os.O_CLOEXEC)
    libc.check(tree)
    attributes = struct.pack("4Q", _MOUNT_ATTR_IDMAP, 0, 0, space)
    libc.check(call(_MOUNT_SETATTR, tree, b"", _AT_EMPTY_PATH, attributes, ctypes.c_size_t(len(attributes))))


def make_user_namespace() -> int:
    """Return a descriptor of a user namespace in which some ids are others. Raises OSError."""
    ready, told = os.pipe()
    waiting, release = os.pipe()
    child = os.fork()
    if child == 0:
        with suppress(OSError):
            os.close(release)
            libc.unshare(Namespace.USER)
            os.write(told, b"1")
            os.read(waiting, 1)
        os._exit(0)
    os.close(told)
    try:
        if not os.read(ready, 1):
            raise OSError(errno.EPERM, "root may not make a user namespace")
        for name in ("uid_map", "gid_map"):
            with open(f"/proc/{child}/{name}", "w", encoding="ascii") as file:
                file.write("0 100000 65536")
        return os.open(f"/proc/{child}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
    finally:
        os.close(release)
        os.waitpid(child, 0)


def examine_cgroups() -> Ability:
    """Look whether this user may make control groups, and which limits these can have; see cgroups(7)."""
    name = "limits by control groups"
    own = next((line[3:] for line in read_lines("/proc/self/cgroup") if line.startswith("0::")), None)
    folder = _CGROUPS + (own or "")
    if own is None or not os.path.exists(f"{folder}/cgroup.controllers"):
        return Ability(name, works=False, detail=f"there are no control groups of version 2 at {_CGROUPS}")
    if not os.access(folder, os.W_OK) or not os.access(f"{folder}/cgroup.procs", os.W_OK):
        return Ability(name, works=False, detail="they are not delegated to this user; `systemd-run --user` has some")
    found = _WANTED.intersection(*(line.split() for line in read_lines(f"{folder}/cgroup.controllers")))
    return Ability(name, works=found == _WANTED, detail=f"for {', '.join(sorted(found)) or 'nothing'}")


def read_lines(path: str) -> list[str]:
    """Return the lines of a file; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
