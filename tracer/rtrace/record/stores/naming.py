"""How a person names a run: by its label, by the beginning of its id, as last or last~2."""

from __future__ import annotations

import re
from abc import ABC, abstractmethod
from bisect import bisect_left
from functools import cached_property

from rtrace.errors import AmbiguousRunError, NoSuchRunError
from rtrace.printable import count_more, printable_text, shorten
from rtrace.record.names import LAST

SHORTEST = 8
_PREFIX = re.compile(r"[0-9a-fA-F-]{4,36}")
_SHOWN = 5


class Naming(ABC):
    """The names of the runs of a catalogue."""

    place: str

    @abstractmethod
    def _find_labelled(self, label: str) -> list[str]:
        """Return the ids of the runs of a label."""

    @abstractmethod
    def _find_last(self, number: int) -> str | None:
        """Return the id of the newest run, or of the one so many before it; replays and verifications do not count."""

    @abstractmethod
    def _list_ids(self) -> list[str]:
        """Return all ids, sorted."""

    @cached_property
    def _ids(self) -> list[str]:
        return self._list_ids()

    def resolve(self, name: str) -> str:
        """Return the identifier of the run that a person names. Raises NoSuchRunError and AmbiguousRunError."""
        shown = printable_text(shorten(name))
        last = LAST.fullmatch(name)
        if last is not None:
            found = self._find_last(int(last[1] or 0))
            if found is None:
                raise NoSuchRunError(f"there is no run {shown} in {self.place}; `rtrace log` lists all")
            return found
        labelled = self._find_labelled(name)
        if not labelled and _PREFIX.fullmatch(name):
            labelled = self._find_beginning(name.lower())
        if not labelled:
            raise NoSuchRunError(f"{self.place} has no run {shown}; `rtrace log` lists all")
        if len(labelled) > 1:
            some = ", ".join(map(self.short, labelled[:_SHOWN])) + count_more(len(labelled) - _SHOWN)
            raise AmbiguousRunError(f"{shown} may be {some}; name the one that you mean by its id")
        return labelled[0]

    def _find_beginning(self, prefix: str) -> list[str]:
        """Return the ids that begin like this; hyphens may be left out, from the first on."""
        written = prefix.replace("-", "")
        parts = (written[:8], written[8:12], written[12:16], written[16:20], written[20:])
        dashed = "-".join(part for part in parts if part)
        start = bisect_left(self._ids, dashed)
        end = bisect_left(self._ids, dashed + "~")
        return self._ids[start:end]

    def short(self, identifier: str) -> str:
        """Return the shortest beginning of an identifier that names it alone: eight characters, or more."""
        ids = self._ids
        place = bisect_left(ids, identifier)
        length = SHORTEST
        neighbours = [ids[place - 1]] if place else []
        neighbours += [one for one in ids[place : place + 2] if one != identifier][:1]
        for other in neighbours:
            while length < len(identifier) and other[:length] == identifier[:length]:
                length += 1
        return identifier[: length + 1] if identifier[length - 1] == "-" else identifier[:length]
