"""Whose the files of a chroot tree are: as recorded, as recorded but shifted, or all of whoever unpacks."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rtrace.debugging import debug
from rtrace.manifest.model import Run
from rtrace_unpackers.chroot.state_words import CALLER, RECORDED, SHIFTED
from rtrace_unpackers.files.ownership import Ownership, choose_ownership
from rtrace_unpackers.isolation.users.access import Access
from rtrace_unpackers.isolation.users.rights import acts_as_root, choose_for_root, choose_for_user, find_shift
from rtrace_unpackers.isolation.users.user_namespace import can_map_owners


@dataclass(frozen=True, slots=True)
class Owners:
    """Whether the owners are kept, and by how much they are shifted then."""

    keep: bool
    shift: int = 0

    @property
    def facts(self) -> Mapping[str, str]:
        """What a target's state says of it."""
        if self.shift:
            return {"owners": SHIFTED, "shift": str(self.shift)}
        return {"owners": RECORDED if self.keep else CALLER}

    @property
    def word(self) -> str:
        """What tells trees of the same bundle apart."""
        return f"{SHIFTED}{self.shift}" if self.shift else RECORDED if self.keep else f"{CALLER}{os.getegid()}"

    def make_ownership(self, runs: Iterable[Run]) -> Ownership:
        """Return the owners and modes of a tree in which these runs are replayed."""
        return choose_ownership(runs, as_root=self.keep, shift=self.shift)

    def choose_access(self, run: Run) -> Access:
        """Return whose rights a replay has on the files. Raises TargetError."""
        return choose_for_root(run, shift=self.shift or None) if self.keep else choose_for_user(run)


def choose_owners(folder: int, *, shifts: bool = True) -> Owners:
    """Return the owners of the files of trees in an open folder: root's are shifted only where no mount can do so.

    Without ``shifts`` they are not, and no replay in namespaces is to be had there.
    """
    keep = acts_as_root()
    owners = Owners(keep, (0 if can_map_owners(folder) else find_shift() or 0) if keep and shifts else 0)
    debug(__name__, "owners: %s", owners)
    return owners
