"""Work on files that a replay gave to subordinate ids: only in a user namespace do they belong to the user."""

from __future__ import annotations

import os
import socket
import stat
from collections.abc import Callable
from typing import TypeVar

from rtrace.errors import RtraceError, TargetError
from rtrace.files.folders import directory_flags
from rtrace_unpackers.isolation.kernel.namespaces import Namespace, unshare
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import Maps, map_one
from rtrace_unpackers.isolation.users.user_namespace import write_maps, write_to

Answer = TypeVar("Answer")


def run_inside(others: Maps | None, work: Callable[[], Answer]) -> Answer:
    """Return what a function returns where some users' files are ours; without any, call it here.

    The function runs in a child then. Raises TargetError when that cannot be.
    """
    return work() if others is None else answer_from_child(work, Namespace.USER, others)


def answer_from_child(
    work: Callable[[], Answer], namespaces: Namespace, others: Maps | None, place: int | None = None
) -> Answer:
    """Return what a function returns in a child with namespaces of its own, whose working directory may be ``place``.

    In a user namespace there are some users, or this one alone. What the function returns or raises is pickled.
    Raises TargetError when that cannot be.
    """
    import pickle

    ours, childs = socket.socketpair()
    with ours, childs:
        child = os.fork()
        if child == 0:
            try:
                ours.close()
                if place is not None:
                    os.fchdir(place)
                enter(namespaces, childs, others)
                tell_answer(childs, work)
            finally:
                os._exit(1)
        childs.close()
        try:
            if others is not None and ours.recv(1):
                write_maps(child, Access(others, MappedBy.TOOLS))
                ours.send(b"m")
            with ours.makefile("rb") as stream:
                said = stream.read()
        except OSError as error:
            raise TargetError(f"cannot map the owners of the target's files: {error.strerror}") from None
        finally:
            ours.close()
            os.waitpid(child, 0)
    if not said:
        raise TargetError("cannot get a user namespace to read the target's files in: replay as root, or with docker")
    succeeded, answer = pickle.loads(said)  # noqa: S301 -- from our own child, which runs no code of the bundle's
    if not succeeded:
        raise answer
    return answer  # type: ignore[no-any-return]  # it is what `work` returned


def enter(namespaces: Namespace, channel: socket.socket, others: Maps | None) -> None:
    """Enter new namespaces, in a user namespace as one of some users, whose maps the parent writes, or as this one."""
    user, group = os.geteuid(), os.getegid()
    unshare(namespaces)
    if Namespace.USER not in namespaces:
        return
    if others is None:
        write_to("/proc/self/setgroups", "deny")
        write_to("/proc/self/uid_map", map_one(user, user).render())
        write_to("/proc/self/gid_map", map_one(group, group).render())
        return
    channel.send(b"r")
    if not channel.recv(1):
        os._exit(1)
    os.setgroups([])
    os.setresgid(0, 0, 0)
    os.setresuid(0, 0, 0)


def tell_answer(channel: socket.socket, work: Callable[[], object]) -> None:
    """Work, and tell the parent what came of it."""
    import pickle

    try:
        said = (True, work())
    except (RtraceError, OSError) as error:
        said = (False, error)
    with channel.makefile("wb") as stream:
        stream.write(pickle.dumps(said))


def reclaim_all(tree: int, others: Maps | None) -> None:
    """Give all files of an open folder back to the user, where replays may have been of others."""
    if others is not None:
        run_inside(others, lambda: reclaim(tree, others))


def reclaim(tree: int, others: Maps) -> None:
    """Give all files of an open folder, however deep, back to the user; to be called inside.

    Nobody else is at the tree: a folder is left by ``..``.
    """
    user, group = others.users.extents[0].inside, others.groups.extents[0].inside
    folder = os.dup(tree)
    pending = [take_back(folder, user, group)]
    try:
        while pending:
            if pending[-1]:
                below = os.open(pending[-1].pop(), directory_flags(), dir_fd=folder)
                os.close(folder)
                folder = below
                pending.append(take_back(folder, user, group))
                continue
            pending.pop()
            if pending:
                above = os.open("..", directory_flags(), dir_fd=folder)
                os.close(folder)
                folder = above
    finally:
        os.close(folder)


def take_back(folder: int, user: int, group: int) -> list[str]:
    """Give what is in an open folder back to the user; return the names of the folders in it."""
    names = []
    for name in os.listdir(folder):
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
        if (status.st_uid, status.st_gid) != (user, group):
            os.chown(name, user, group, dir_fd=folder, follow_symlinks=False)
        if stat.S_ISDIR(status.st_mode):
            names.append(name)
    return names
