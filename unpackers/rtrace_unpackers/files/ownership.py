"""The owners and modes of unpacked files: a replay may do with them what the run could do."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from rtrace.bundle.entry import Entry
from rtrace.manifest.model import Run
from rtrace_unpackers.files.access_lists import permissions_of, read_rules
from rtrace_unpackers.files.xattr_setting import Lost


@dataclass(frozen=True, slots=True)
class Person:
    """A user and all their groups, by number."""

    uid: int
    gids: frozenset[int]


@dataclass(frozen=True, slots=True)
class Ownership:
    """Owners and modes of a tree.

    Root keeps both as recorded; with ``shift``, where a mount cannot show other owners, owner 5 becomes the one that is
    5 in a replay. Anybody else owns all files of their tree, and in the replay's user namespace all
    files are the recorded user's own: a file that was somebody else's gets as owner's permissions those that the
    recorded user had, so that what could not be written cannot be written now.
    """

    keep: bool
    people: tuple[Person, ...] = ()
    shift: int = 0
    lost: Lost = field(default_factory=list, compare=False)
    """The extended attributes that could not be set."""

    def owner_of(self, entry: Entry) -> tuple[int, int]:
        """Return the user and group for an entry's file, where they are kept."""
        return self.shift + entry.uid, self.shift + entry.gid

    def mode_of(self, entry: Entry) -> int:
        """Return the mode for an entry's file."""
        if self.keep or not self.people or any(person.uid in {0, entry.uid} for person in self.people):
            return entry.mode
        allowed = 0
        rules = read_rules(entry) if entry.xattrs else ()
        for person in self.people:
            if rules:
                allowed |= permissions_of(rules, person.uid, person.gids, entry.gid)
            else:
                allowed |= entry.mode >> 3 if entry.gid in person.gids else entry.mode
        return entry.mode & ~0o700 | (allowed & 0o7) << 6


def choose_ownership(runs: Iterable[Run], *, as_root: bool, shift: int = 0) -> Ownership:
    """Return the ownership of a tree in which these runs are replayed."""
    people = tuple(Person(run.uid, frozenset({run.gid, *run.groups})) for run in runs)
    return Ownership(keep=as_root, people=people, shift=shift)
