"""Hard links among the chosen files: which paths were one file, and which of them holds the content.

Two paths were one file if one run found both with the same inode, or if two runs did and neither size nor time had
changed in between: inode numbers are used again.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.describe.selection import Choice
    from rtrace.trace.reading.reader import Before


class Links(NamedTuple):
    """Hard links by path.

    ``heads`` gives each name of a file with content the state of the file, under the path that holds the content.
    ``twins`` gives each further name of a file without content the first name.
    """

    heads: dict[bytes, Before]
    twins: dict[bytes, bytes]


def join_links(choices: Iterable[Choice]) -> Links:
    """Find the hard links among regular files."""
    groups: dict[tuple[int, int], list[Choice]] = {}
    for choice in choices:
        before = choice.before
        if before.type == "file" and before.links > 1:
            groups.setdefault((before.device, before.inode), []).append(choice)
    links = Links({}, {})
    for group in groups.values():
        for family in _split(group) if len(group) > 1 else ():
            if all(choice.placeholder for choice in family):
                first, *others = sorted(choice.before.path for choice in family)
                links.twins.update(dict.fromkeys(others, first))
            else:
                head = _choose_head(family)
                links.heads.update((choice.before.path, head) for choice in family)
    return links


def _split(group: list[Choice]) -> list[list[Choice]]:
    """Split the paths that had one inode number into those that were one file, each in the order they were met."""
    families: list[list[Choice]] = []
    for choice in sorted(group, key=lambda member: (member.before.run, member.before.time)):
        before = choice.before
        for family in families:
            first = family[0].before
            if before.run == first.run or (before.size, before.mtime_ns) == (first.size, first.mtime_ns):
                family.append(choice)
                break
        else:
            families.append([choice])
    return families


def _choose_head(family: list[Choice]) -> Before:
    """Return the state of a file under the first of its paths, which holds the content.

    It is the state of the name that a run met first: later ones may have been changed through another name.
    """
    snapshot = next((choice.before.snapshot for choice in family if choice.before.snapshot is not None), None)
    holder = min(choice.before.path for choice in family)
    return family[0].before._replace(path=holder, snapshot=snapshot)
