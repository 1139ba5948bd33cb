"""What a machine offers to replays in namespaces, found by trying it in a process that ends afterwards."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator

from rtrace.files.folders import directory_flags
from rtrace.files.workspaces import temporary_folder
from rtrace.printable import printable
from rtrace.replay.protocol import Ability
from rtrace_unpackers.chroot.refused import find_refusal
from rtrace_unpackers.isolation.running.refusal import INSTEAD
from rtrace_unpackers.isolation.users.rights import acts_as_root, map_all_subordinates
from rtrace_unpackers.isolation.users.user_namespace import TOOLS, can_map_owners
from rtrace_unpackers.limits.groups import find_hierarchies, list_unified

LIMITS = {"cpu", "memory", "pids"}
"""The controllers of the limits that a replay may have."""
OWN_GROUPS, MOUNTS = "/proc/self/cgroup", "/proc/self/mountinfo"


def examine() -> Iterator[Ability]:
    """Yield what replays in namespaces need, and what makes them better."""
    yield examine_namespaces()
    yield examine_subordinate_ids()
    yield examine_idmapped_mounts()
    yield examine_control_groups()


def examine_namespaces() -> Ability:
    """Enter the namespaces of a replay."""
    name = "user namespaces"
    refusal = find_refusal()
    return Ability(name, works=refusal is None, detail=f"{refusal}; or {INSTEAD}" if refusal else "")


def examine_subordinate_ids() -> Ability:
    """Look for ids that a replay may give to its users; see subuid(5) and newuidmap(1)."""
    name = "several users in a replay"
    if acts_as_root():
        return Ability(name, works=True)
    if os.geteuid() == 0:
        return Ability(
            name, works=False, detail="too few user ids are mapped here, as in a container: a replay has one user"
        )
    lacking = [tool for tool in TOOLS.values() if shutil.which(tool) is None]
    if lacking:
        return Ability(name, works=False, detail=f"{' and '.join(lacking)} is not installed (package uidmap)")
    if map_all_subordinates() is None:
        return Ability(name, works=False, detail="/etc/subuid and /etc/subgid have no line for this user")
    return Ability(name, works=True, detail="by subordinate ids")


def examine_idmapped_mounts() -> Ability:
    """Make a mount of the folder for temporary files that shows other owners; it is attached nowhere."""
    name = "mounts that show other owners"
    folder = temporary_folder()
    if os.geteuid() != 0:
        return Ability(name, works=False, detail="only root can make them; replays work without them")
    descriptor = os.open(folder, directory_flags() & ~os.O_NOFOLLOW)
    try:
        works = can_map_owners(descriptor)
    finally:
        os.close(descriptor)
    detail = f"in {printable(os.fsencode(folder))}"
    return Ability(name, works=works, detail=detail if works else f"not {detail}; replays work without")


def examine_control_groups() -> Ability:
    """Look for control groups below which this user may make others; see cgroups(7). It makes no group."""
    name = "limits by control groups"
    hierarchies = find_hierarchies("\n".join(read_lines(OWN_GROUPS)), "\n".join(read_lines(MOUNTS)))
    found = {controller for controller, folder in hierarchies.by_controller.items() if os.access(folder, os.W_OK)}
    for folder in list_unified(hierarchies):
        if all(os.access(folder / file, os.W_OK) for file in ("", "cgroup.subtree_control")):
            found.update(*(line.split() for line in read_lines(str(folder / "cgroup.controllers"))))
    lacking = sorted(LIMITS - found)
    return Ability(name, works=not lacking, detail=f"none for {', '.join(lacking)}" if lacking else "")


def read_lines(path: str) -> list[str]:
    """Return the lines of a file; none where it cannot be read."""
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return file.read().splitlines()
    except OSError:
        return []
