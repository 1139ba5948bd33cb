"""Who ran an experiment and where: the names that an anonymous bundle must not hold, and what stands in their place."""

from __future__ import annotations

import os
import pwd
import re
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from rtrace.manifest.model import Run

_ORDINARY = frozenset(
    b"root user users home admin ubuntu debian fedora centos ec2-user vagrant runner jovyan docker nobody daemon guest"
    b" test tmp localhost localdomain localhost.localdomain host local internal lan".split()
)
"""Names that tell of nobody."""
_HOME = re.compile(rb"/home/([^/]+)")
_SHORTEST = 3
_FULL_NAME = 5
_MACHINE_ID = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_OTHERS = b"yzwvutsrqponmlkjihgfedcba0123456789"


def find_names(runs: Iterable[Run]) -> tuple[dict[bytes, bytes], dict[bytes, bytes]]:
    """Give names of users and hosts with what is to stand for each; apart those that are too short to be looked for.

    A name and what stands for it have the same length, so that binary files stay what they are.
    """
    users: set[bytes] = set()
    hosts: set[bytes] = {os.fsencode(os.uname().nodename)}
    people: set[bytes] = set()
    homes: set[bytes] = set()
    uids = {os.getuid()}
    for run in runs:
        uids.add(run.uid)
        hosts.add(os.fsencode(run.hostname))
        for name, value in run.environ:
            if name in {b"USER", b"LOGNAME", b"USERNAME", b"SUDO_USER"} and value:
                users.add(value)
            elif name == b"HOME" and value:
                homes |= {value, os.path.realpath(value)}
            elif name in {b"HOSTNAME", b"HOST"} and value:
                hosts.add(value)
    for uid in uids:
        try:
            account = pwd.getpwuid(uid)
        except KeyError:
            continue
        users.add(os.fsencode(account.pw_name))
        homes.add(os.fsencode(account.pw_dir))
        full = os.fsencode(account.pw_gecos.split(",")[0])
        if len(full) >= _FULL_NAME and full.lower() not in _ORDINARY:
            people.add(full)
    users |= {home.rstrip(b"/").rpartition(b"/")[2] for home in homes}
    hosts |= {host.partition(b".")[0] for host in hosts}
    domains = {host.partition(b".")[2] for host in hosts}
    groups = ((users, b"user"), (hosts, b"host"))
    found: dict[bytes, bytes] = {}
    short: dict[bytes, bytes] = {}
    for names, word in groups:
        for name in sorted(name for name in names if name and b"/" not in name and name.lower() not in _ORDINARY):
            if len(name) < _SHORTEST or name.isdigit():
                short[name] = (word + b"x" * len(name))[: len(name)]
            elif name not in found and b"." not in name:
                found[name] = _stand_in(word, len(name), found.values())
    for name in sorted((people | {domain for domain in domains if b"." in domain}) - found.keys()):
        if name.lower() not in _ORDINARY:
            found[name] = re.sub(rb"[^\W_]", b"x", name)
    for file in _MACHINE_ID:
        try:
            identifier = file.read_bytes().strip()
        except OSError:
            continue
        if re.fullmatch(rb"[0-9a-f]{32}", identifier):
            found[identifier] = b"1" * 32
    return found, short


def _stand_in(word: bytes, length: int, taken: Iterable[bytes]) -> bytes:
    first = (word + b"x" * length)[:length]
    taken = set(taken)
    for stand_in in (first, *(first[:-1] + bytes([other]) for other in _OTHERS)):
        if stand_in not in taken:
            return stand_in
    return first


def find_people(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Give the home folders in paths that are named after somebody, sorted."""
    homes = {match[0] for path in paths if (match := _HOME.match(path)) and match[1].lower() not in _ORDINARY}
    return tuple(sorted(homes))


def avoid(names: dict[bytes, bytes], is_there: Callable[[bytes], bool]) -> dict[bytes, bytes]:
    """Give names with others to stand for them where something is called so already."""
    chosen: dict[bytes, bytes] = {}
    for name, stand_in in names.items():
        others = (stand_in[:-1] + bytes([other]) for other in _OTHERS)
        free = (word for word in (stand_in, *others) if word not in chosen.values() and not is_there(word))
        chosen[name] = next(free, stand_in)
    return chosen
