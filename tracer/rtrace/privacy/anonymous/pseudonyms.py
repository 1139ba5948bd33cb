"""The names of users and hosts that an anonymous bundle must not hold, and the pseudonyms that replace them.

A pseudonym is as long as the name, so that binary files stay valid.
"""

from __future__ import annotations

import os
import pwd
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from rtrace.manifest.model import Run

_ORDINARY = frozenset(
    b"root user users home admin ubuntu debian fedora centos ec2-user vagrant runner jovyan docker nobody daemon guest"
    b" test tmp localhost localdomain localhost.localdomain host local internal lan".split()
)
"""Names that identify nobody."""
_HOME = re.compile(rb"/home/([^/]+)")
_USER_VARIABLES = frozenset({b"USER", b"LOGNAME", b"USERNAME", b"SUDO_USER"})
_HOST_VARIABLES = frozenset({b"HOSTNAME", b"HOST"})
_SHORTEST = 3
_FULL_NAME = 5
_MACHINE_ID = (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id"))
_OTHERS = b"yzwvutsrqponmlkjihgfedcba0123456789"


@dataclass(frozen=True, slots=True)
class Pseudonyms:
    """Pseudonyms by name.

    ``names`` are replaced wherever they occur; ``short`` ones, which could be part of other words, only where a whole
    value is the name.
    """

    names: Mapping[bytes, bytes] = field(default_factory=dict)
    short: Mapping[bytes, bytes] = field(default_factory=dict)


@dataclass(slots=True)
class _Identity:
    """Who ran an experiment and where: account names, names of hosts, full names, and home folders."""

    users: set[bytes] = field(default_factory=set)
    hosts: set[bytes] = field(default_factory=set)
    people: set[bytes] = field(default_factory=set)
    homes: set[bytes] = field(default_factory=set)


def find_pseudonyms(
    runs: Iterable[Run], is_taken: Callable[[bytes], bool], people: frozenset[bytes] = frozenset()
) -> Pseudonyms:
    """Return the names of users, hosts, people and machines with their pseudonyms; ``is_taken`` words are avoided.

    ``people`` are full names and addresses of mail that are known besides those of the accounts.
    """
    runs = tuple(runs)
    identity = _Identity(hosts={os.fsencode(os.uname().nodename)}, people=set(people))
    for run in runs:
        _note_run(identity, run)
    for uid in {os.getuid(), *(run.uid for run in runs)}:
        _note_account(identity, uid)
    identity.users |= {home.rstrip(b"/").rpartition(b"/")[2] for home in identity.homes}
    domains = {host.partition(b".")[2] for host in identity.hosts}
    identity.hosts |= {host.partition(b".")[0] for host in identity.hosts}

    found: dict[bytes, bytes] = {}
    short: dict[bytes, bytes] = {}
    for names, word in ((identity.users, b"user"), (identity.hosts, b"host")):
        for name in sorted(name for name in names if name and b"/" not in name and not _is_ordinary(name)):
            if len(name) < _SHORTEST or name.isdigit():
                short[name] = _fill(word, len(name))
            elif name not in found and b"." not in name:
                found[name] = _find_free(_fill(word, len(name)), found.values())
    for name in sorted((identity.people | {domain for domain in domains if b"." in domain}) - found.keys()):
        if not _is_ordinary(name):
            found[name] = re.sub(rb"[^\W_]", b"x", name)
    found.update((identifier, b"1" * 32) for identifier in _read_machine_ids())
    return Pseudonyms(_avoid(found, is_taken), short)


def find_homes(paths: Iterable[bytes]) -> tuple[bytes, ...]:
    """Return the home folders in paths that are named after somebody, sorted."""
    homes = {match[0] for path in paths if (match := _HOME.match(path)) and not _is_ordinary(match[1])}
    return tuple(sorted(homes))


def _note_run(identity: _Identity, run: Run) -> None:
    """Add the names that a run's host and variables tell."""
    identity.hosts.add(os.fsencode(run.hostname))
    for name, value in run.environ:
        if not value:
            continue
        if name in _USER_VARIABLES:
            identity.users.add(value)
        elif name in _HOST_VARIABLES:
            identity.hosts.add(value)
        elif name == b"HOME":
            identity.homes |= {value, os.path.realpath(value)}


def _note_account(identity: _Identity, uid: int) -> None:
    """Add the names that the account of a user tells; passwd(5)."""
    try:
        account = pwd.getpwuid(uid)
    except KeyError:
        return
    identity.users.add(os.fsencode(account.pw_name))
    identity.homes.add(os.fsencode(account.pw_dir))
    full = os.fsencode(account.pw_gecos.split(",")[0])
    if len(full) >= _FULL_NAME and not _is_ordinary(full):
        identity.people.add(full)


def _read_machine_ids() -> Iterator[bytes]:
    """Yield the ids of this machine; machine-id(5)."""
    for file in _MACHINE_ID:
        try:
            identifier = file.read_bytes().strip()
        except OSError:  # the system has no such file
            continue
        if re.fullmatch(rb"[0-9a-f]{32}", identifier):
            yield identifier


def _is_ordinary(name: bytes) -> bool:
    """Whether a name identifies nobody."""
    return name.lower() in _ORDINARY


def _fill(word: bytes, length: int) -> bytes:
    """Return a word cut or filled up to a length."""
    return (word + b"x" * length)[:length]


def _vary(pseudonym: bytes) -> Iterator[bytes]:
    """Yield a pseudonym, and others that differ in the last letter."""
    yield pseudonym
    yield from (pseudonym[:-1] + bytes([other]) for other in _OTHERS)


def _find_free(pseudonym: bytes, taken: Iterable[bytes]) -> bytes:
    """Return the first variant that is not taken; if all are, the pseudonym itself."""
    taken = set(taken)
    return next((variant for variant in _vary(pseudonym) if variant not in taken), pseudonym)


def _avoid(names: Mapping[bytes, bytes], is_taken: Callable[[bytes], bool]) -> dict[bytes, bytes]:
    """Return names with other pseudonyms where a word of the trace is the same as one."""
    chosen: dict[bytes, bytes] = {}
    for name, pseudonym in names.items():
        free = (word for word in _vary(pseudonym) if word not in chosen.values() and not is_taken(word))
        chosen[name] = next(free, pseudonym)
    return chosen
