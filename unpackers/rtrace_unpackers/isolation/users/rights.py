"""Choose whose rights a replay has: what this machine gives to the caller, for a tree of this kind."""

from __future__ import annotations

import os
import pwd
import shutil
from collections.abc import Iterable
from pathlib import Path

from rtrace.debugging import debug
from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace_unpackers.isolation.users.access import Access, MappedBy
from rtrace_unpackers.isolation.users.ids import (
    IdMap,
    Maps,
    add_subordinates,
    choose_shift,
    map_one,
    parse_map,
    parse_subordinates,
    refuse_many,
    refuse_no_id,
    shift_ids,
)
from rtrace_unpackers.isolation.users.user_namespace import TOOLS

BEYOND = 1 << 30
"""An id that lies behind all those that a user's subordinate ids stand for."""


def acts_as_root() -> bool:
    """Whether this is root, and of more than itself: in some containers root is the only user there is."""
    return os.geteuid() == 0 and find_shift() is not None


def choose_for_root(run: Run, *, shift: int | None = None) -> Access:
    """Return root's access to a tree whose files have the recorded owners or, with ``shift``, those from there on.

    Raises TargetError where root has too few ids to give some away.
    """
    refuse_no_id((run.uid, run.gid, *run.groups), run.id)
    refuse_many(run.groups, run.id)
    users, groups = read_map("uid_map"), read_map("gid_map")
    first = find_shift() if shift is None else shift
    debug(__name__, "ids of the replay begin at %s; a mount %s", first, "maps owners" if shift is None else "maps none")
    if first is None:
        raise TargetError(
            "this machine gives root too few users to replay as one of them, as in a container; "
            "unpack and replay as a plain user, or use the docker unpacker"
        )
    maps = Maps(shift_ids(first, users, (run.uid,)), shift_ids(first, groups, (run.gid, *run.groups)))
    return Access(maps, MappedBy.ROOT, maps_owners=shift is None)


def find_shift() -> int | None:
    """Return where shifted ids begin here, the same for users and groups; None where there are too few."""
    users, groups = choose_shift(read_map("uid_map")), choose_shift(read_map("gid_map"))
    return users if users == groups else None


def choose_for_user(run: Run) -> Access:
    """Return the access of the user whose files all are: to the replay they are the recorded user's."""
    refuse_no_id((run.uid, run.gid, *run.groups), run.id)
    refuse_many(run.groups, run.id)
    maps = map_subordinates(run.uid, run.gid)
    debug(__name__, "%s", "one user and one group" if maps is None else f"subordinate ids: {maps}")
    if maps is not None:
        return Access(maps, MappedBy.TOOLS)
    return Access(Maps(map_one(run.uid, os.geteuid()), map_one(run.gid, os.getegid())), MappedBy.ITSELF)


def map_all_subordinates() -> Maps | None:
    """Map all of this user's subordinate ids, as replays do, and this user to an id that no replay has."""
    return map_subordinates(BEYOND, BEYOND)


def map_subordinates(uid: int, gid: int) -> Maps | None:
    """Map one user and group to this one, others to subordinate ids; None without any, or without their tools."""
    if os.geteuid() == 0 or not all(shutil.which(tool) for tool in TOOLS.values()):
        return None
    users, groups = find_subordinates("/etc/subuid"), find_subordinates("/etc/subgid")
    if not users or not groups:
        return None
    return Maps(add_subordinates(uid, os.geteuid(), users), add_subordinates(gid, os.getegid(), groups))


def find_subordinates(path: str) -> Iterable[tuple[int, int]]:
    """Return the ranges of subordinate ids that a file gives to this user."""
    uid = os.geteuid()
    try:
        text = Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:  # ENOENT, EACCES: nobody has any, or it is not for us to know
        return ()
    try:
        name = pwd.getpwuid(uid).pw_name
    except KeyError:
        name = str(uid)
    return parse_subordinates(text, name, uid)


def read_map(name: str) -> IdMap:
    """Return the ids of this process's user namespace; in a kernel without user namespaces, all."""
    try:
        return parse_map(Path(f"/proc/self/{name}").read_text(encoding="ascii"))
    except FileNotFoundError:
        return parse_map("0 0 4294967295")
