"""Ids of people, users and groups alike, replaced by others that count up from the first."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.privacy.anonymous.attribute_ids import map_ids

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_FIRST = 1000
"""Where ids of people begin; those below are the system's."""
_LAST = 65533


class PersonalIds:
    """New ids by old ones; an id that comes up for the first time gets the next one."""

    def __init__(self, known: Mapping[int, int]) -> None:
        self._ids = dict(known)

    def replace(self, number: int) -> int:
        """Return the new id of a user or group."""
        if not _FIRST <= number <= _LAST:
            return number
        return self._ids.setdefault(number, _FIRST + len(self._ids))

    def replace_in_text(self, text: str) -> str:
        """Return a text with new ids for all numbers in it."""
        return re.sub(r"[0-9]+", lambda match: str(self.replace(int(match[0]))), text)

    def replace_in_attribute(self, name: bytes, value: bytes) -> bytes:
        """Return the value of an extended attribute with new ids."""
        return map_ids(name, value, self.replace)


def assign_ids(numbers: Iterable[int]) -> dict[int, int]:
    """Return new ids for the people among some ids, in their order."""
    people = dict.fromkeys(number for number in numbers if _FIRST <= number <= _LAST)
    return {number: _FIRST + place for place, number in enumerate(people)}
