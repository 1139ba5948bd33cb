"""What one replay left, by what was compared: enough to tell whether another replay left the same."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

from rtrace.verify.verdicts import Line


class Subject(NamedTuple):
    """What is compared: a path, a stream or, with neither, the exit status of a run."""

    run: str
    path: bytes | None
    stream: str | None


@dataclass(frozen=True, slots=True)
class Observation:
    """What a replay left: for each subject something that is equal where they are the same, and some contents.

    ``names`` are those under which its programs made new files and folders; ``cut`` tells that a limit ended a run:
    then nothing can be said of what it left.
    """

    values: Mapping[Subject, object]
    contents: Mapping[Subject, Path] = field(default_factory=dict)
    names: frozenset[bytes] = frozenset()
    cut: bool = False

    def is_like(self, other: Observation, subject: Subject) -> bool:
        """Whether two replays left the same, each having come to its end."""
        return not (self.cut or other.cut) and self.values.get(subject) == other.values.get(subject)

    def differs(self, other: Observation, subject: Subject) -> bool:
        """Whether two replays that came to their ends left something else."""
        return not (self.cut or other.cut) and self.values.get(subject) != other.values.get(subject)

    def read(self, subject: Subject) -> bytes | None:
        """Return the content of a subject, if it is kept."""
        path = self.contents.get(subject)
        return None if path is None else path.read_bytes()


def name_subject(line: Line) -> Subject:
    """Return what a line is about."""
    return Subject(line.run, line.path, line.stream)
