"""Write the maps of another process's user namespace, and mount a tree as it shows there."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from rtrace_unpackers.isolation.kernel import mounting
from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import IdMap

TOOLS = {"uid_map": "newuidmap", "gid_map": "newgidmap"}


def write_maps(process: int, access: Access) -> None:
    """Map the ids of a process that has a new user namespace. Raises OSError."""
    for name, ids in (("uid_map", access.maps.users), ("gid_map", access.maps.groups)):
        if access.mapped_by is MappedBy.TOOLS:
            call_tool(name, process, ids)
        else:
            write_to(f"/proc/{process}/{name}", ids.render())


def write_to(path: str, text: str) -> None:
    """Write to a file of /proc, in one write."""
    descriptor = os.open(path, os.O_WRONLY | os.O_CLOEXEC)
    try:
        os.write(descriptor, text.encode())
    finally:
        os.close(descriptor)


def call_tool(name: str, process: int, ids: IdMap) -> None:
    """Have newuidmap(1) or newgidmap(1) write a map: they are privileged, and know whose subordinate ids are whose."""
    import shutil
    import subprocess

    tool = TOOLS[name]
    done = subprocess.run(
        [shutil.which(tool) or tool, str(process), *ids.render().split()],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    if done.returncode != 0:
        said = done.stderr.decode("utf-8", "backslashreplace").strip()
        raise PermissionError(1, f"{tool} refused: {said}" if said else f"{tool} refused")


@contextlib.contextmanager
def mounted_tree(process: int, tree: int) -> Iterator[int]:
    """Yield the descriptor of a mount of a tree that maps owners as the user namespace of a process does."""
    mounted = mounting.clone_tree(tree, recursive=False)
    try:
        namespace = os.open(f"/proc/{process}/ns/user", os.O_RDONLY | os.O_CLOEXEC)
        try:
            mounting.map_owners(mounted, namespace)
        finally:
            os.close(namespace)
        yield mounted
    finally:
        os.close(mounted)


def can_map_owners(tree: int) -> bool:
    """Whether the file system of a directory can show other owners in a mount, and whether we may have it do so."""
    ready, told = os.pipe()
    waiting, release = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.close(release)
            unshare(Namespace.USER)
            os.write(told, b"1")
            os.read(waiting, 1)
        finally:
            os._exit(0)
    os.close(told)
    os.close(waiting)
    try:
        if not os.read(ready, 1):
            return False
        for name in TOOLS:
            write_to(f"/proc/{child}/{name}", "0 1 1")
        with mounted_tree(child, tree):
            return True
    except OSError:  # EINVAL: the file system cannot; EPERM: we may not; ENOSYS: the kernel cannot
        return False
    finally:
        os.close(ready)
        os.close(release)
        os.waitpid(child, 0)
