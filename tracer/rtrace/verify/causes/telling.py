"""Causes told apart by contents: names that were made up, and what is left of a difference when causes are known."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from rtrace.freezing.model import Cause
from rtrace.verify.causes.observation import Observation, Subject

SHORTEST_NAME = 6
"""Bytes of a name that is looked for in contents: a shorter one is found anywhere."""
NAMING: tuple[Cause, ...] = ("random", "time", "process-id", "address")
"""What the names of temporary files are made of."""
TEMPORARY = re.compile(rb"/(?:tmp|var/tmp|dev/shm)/[^/\s'\"=:,;()<>\[\]{}\0]+")
"""What lies right in a folder for temporary files; hier(7)."""


def is_temporary_name(subject: Subject, usual: Observation, varied: Observation) -> bool:
    """Whether two replays left the same but for names that their programs made up for new files."""
    one, other = usual.read(subject), varied.read(subject)
    if one is None or other is None:
        one, other = repr(usual.values.get(subject)).encode(), repr(varied.values.get(subject)).encode()
    only_one, only_other = usual.names - varied.names, varied.names - usual.names
    return without_names(one, only_one) == without_names(other, only_other)


def without_names(content: bytes, names: Iterable[bytes]) -> bytes:
    """Return a content with one word in the place of each name, and of each one in a folder for temporary files."""
    for name in sorted((name for name in names if len(name) >= SHORTEST_NAME), key=len, reverse=True):
        content = content.replace(name, b"NAME")
    return TEMPORARY.sub(b"NAME", content)


def explains_all(original: bytes, replayed: bytes, usual: bytes, others: Sequence[bytes]) -> bool:
    """Whether each line in which a replay differs from the original is one that differs where a cause is varied.

    ``usual`` is what a frozen replay left, ``others`` what those did in which a cause was varied. Where lines come and
    go nobody can tell, so nothing is held against it. Lines that are only in another place may be there in any order,
    where a cause puts lines into another order.
    """
    lines = [content.split(b"\n") for content in (original, replayed, usual, *others)]
    if len({len(one) for one in lines}) > 1:
        return True
    first, again, frozen, *rest = lines
    unexplained = {
        place
        for place, (one, other) in enumerate(zip(first, again, strict=True))
        if one != other and all(frozen[place] == varied[place] for varied in rest)
    }
    return not unexplained or (
        unexplained <= _find_moved(first, again) and any(_find_moved(frozen, varied) for varied in rest)
    )


def _find_moved(one: Sequence[bytes], other: Sequence[bytes]) -> set[int]:
    """Return the places at which two contents differ by lines that both have, there or at another such place."""
    unlike = [place for place in range(len(one)) if one[place] != other[place]]
    ones, others = {one[place] for place in unlike}, {other[place] for place in unlike}
    return {place for place in unlike if one[place] in others and other[place] in ones}
