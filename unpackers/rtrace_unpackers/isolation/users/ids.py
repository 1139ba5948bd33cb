"""Whose ids a replay's ids are: values for uid_map and gid_map of user_namespaces(7).

the caller is      the tree's files belong to            a replay's ids are
-----------------  ------------------------------------  -------------------------------------------------------
root               the recorded owners                   shifted to where nobody is; the mount maps the owners
root               the shifted owners, where the file    shifted to where nobody is
                   system cannot map owners
anybody            that user                             the recorded one is the user; others are subordinate ids,
                                                         where the user has some, else there are no others
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from rtrace.errors import TargetError

NO_ID = 0xFFFFFFFF
"""(uid_t) -1, which setresuid(2) takes for "leave it as it is"."""

FIRST_SHIFTED = 1 << 31
"""Where shifted ids begin if they can: no program and no directory service gives ids from here on to anybody."""

FEWEST_SHIFTED = 4096
MOST_GROUPS = 65536
MOST_EXTENTS = 300
"""The kernel takes 340."""


@dataclass(frozen=True, slots=True)
class Extent:
    """``count`` ids from ``inside`` on are, outside, those from ``outside`` on."""

    inside: int
    outside: int
    count: int


@dataclass(frozen=True, slots=True)
class IdMap:
    """How ids map, of users or of groups."""

    extents: tuple[Extent, ...]

    def holds(self, inside: int) -> bool:
        """Whether there is such an id inside."""
        return any(extent.inside <= inside < extent.inside + extent.count for extent in self.extents)

    def outside(self, inside: int) -> int:
        """Return what an id is outside. Raises KeyError when it is not mapped."""
        for extent in self.extents:
            if extent.inside <= inside < extent.inside + extent.count:
                return extent.outside + inside - extent.inside
        raise KeyError(inside)

    def render(self) -> str:
        """Return the text that uid_map takes."""
        return "".join(f"{extent.inside} {extent.outside} {extent.count}\n" for extent in self.extents)


@dataclass(frozen=True, slots=True)
class Maps:
    """How the users and groups of a replay map."""

    users: IdMap
    groups: IdMap


def map_one(inside: int, outside: int) -> IdMap:
    """Map a single id."""
    return IdMap((Extent(inside, outside, 1),))


def refuse_many(groups: Sequence[int], run: str) -> None:
    """Raise TargetError for more supplementary groups than a process can have; see NGROUPS_MAX of setgroups(2)."""
    if len(groups) > MOST_GROUPS:
        raise TargetError(f"{run} was recorded with {len(groups)} groups; Linux takes at most {MOST_GROUPS}")


def refuse_no_id(ids: Iterable[int], run: str) -> None:
    """Raise TargetError for a number that is the id of nobody."""
    for number in ids:
        if not 0 <= number < NO_ID:
            raise TargetError(f"{run} is recorded as run by user or group {number}, which is no id; it is not replayed")


def choose_shift(available: IdMap) -> int | None:
    """Return where shifted ids begin, among the ids that this user namespace has; None where there are too few.

    In the first user namespace of a machine all are there. A container may have 65,536: its upper half then.
    """
    most = max(available.extents, key=lambda extent: extent.count, default=None)
    if most is None or most.count < FEWEST_SHIFTED:
        return None
    if most.inside <= FIRST_SHIFTED and most.inside + most.count > FIRST_SHIFTED + FEWEST_SHIFTED:
        return FIRST_SHIFTED
    return most.inside + most.count // 2


def shift_ids(shift: int, available: IdMap, wanted: Iterable[int]) -> IdMap:
    """Map ids from 0 on to those from ``shift`` on, and each wanted one that lies beyond to one at the end of these.

    Raises TargetError for more such ids than a map holds.
    """
    holder = next(extent for extent in available.extents if extent.inside <= shift < extent.inside + extent.count)
    count = min(holder.inside + holder.count, NO_ID) - shift - MOST_EXTENTS
    beyond = sorted({number for number in wanted if number >= count})
    if len(beyond) > MOST_EXTENTS:
        raise TargetError(f"the bundle's files have {len(beyond)} owners with ids from {count} on; {MOST_EXTENTS} fit")
    singles = (Extent(number, shift + count + at, 1) for at, number in enumerate(beyond))
    return IdMap((Extent(0, shift, count), *singles))


def add_subordinates(inside: int, own: int, subordinates: Iterable[tuple[int, int]]) -> IdMap:
    """Map one id to the user's own, and others from 0 on to the user's subordinate ids: pairs of first and count.

    The subordinate id in whose place the own one is stays unused, so that others are the same whoever the one is.
    """
    extents = [Extent(inside, own, 1)]
    at = 0
    for first, count in subordinates:
        used = 0
        while used < count and len(extents) < MOST_EXTENTS:
            if at == inside:
                at, used = at + 1, used + 1
                continue
            length = min(count - used, inside - at if at < inside else NO_ID - at)
            if length <= 0:
                break
            extents.append(Extent(at, first + used, length))
            at, used = at + length, used + length
    return IdMap(tuple(extents))


def parse_map(text: str) -> IdMap:
    """Read uid_map or gid_map as /proc/self shows it: which ids there are in this user namespace."""
    lines = (line.split() for line in text.splitlines())
    return IdMap(tuple(Extent(int(words[0]), int(words[1]), int(words[2])) for words in lines))


def parse_subordinates(text: str, name: str, uid: int) -> tuple[tuple[int, int], ...]:
    """Return the ranges that /etc/subuid or /etc/subgid gives to a user, by name or number; see subuid(5)."""
    ranges = []
    for line in text.splitlines():
        words = line.strip().split(":")
        if len(words) == 3 and words[0] in {name, str(uid)} and words[1].isdigit() and words[2].isdigit():  # noqa: PLR2004
            ranges.append((int(words[1]), int(words[2])))
    return tuple(ranges)
