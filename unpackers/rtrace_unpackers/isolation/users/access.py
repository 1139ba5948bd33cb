"""The rights of a replay on the tree's files, as a value: the ids it maps, and who maps them."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum

from rtrace_unpackers.isolation.users.ids import Maps


class MappedBy(Enum):
    """Who may write the maps of a user namespace; see user_namespaces(7)."""

    ITSELF = "itself"
    """Anybody may map one id to their own."""
    TOOLS = "newuidmap"
    """newuidmap(1) and newgidmap(1) map a user's subordinate ids for them."""
    ROOT = "root"


@dataclass(frozen=True, slots=True)
class Access:
    """How the ids of a replay map to those of the machine, and who sets that up.

    With ``maps_owners``, the tree is mounted so that the ids on disk are those inside; else they are those outside.
    """

    maps: Maps
    mapped_by: MappedBy
    maps_owners: bool = False

    @property
    def as_root(self) -> bool:
        """Whether the replay is set up with root's rights."""
        return self.mapped_by is MappedBy.ROOT

    @property
    def has_groups(self) -> bool:
        """Whether a process inside can have supplementary groups."""
        return self.mapped_by is not MappedBy.ITSELF
