"""The rows of a sweep as they come, and how it is carried out."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from rtrace.progress import SILENT, Progress
from rtrace.sweep.rows import Row
from rtrace.sweep.table import Line

if TYPE_CHECKING:
    from rtrace.operations.sweeping.folder import SweepFolder
    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.sweep.combinations import Combination


@dataclass(frozen=True, slots=True)
class Manner:
    """How a sweep is carried out, and who is told of it.

    ``write_arguments`` makes the arguments of the rtrace that replays one combination. ``jobs`` is how many at a time,
    None where Slurm decides.
    """

    write_arguments: Callable[[Combination], list[str]]
    jobs: int | None = 1
    on: Literal["local", "slurm"] = "local"
    batch_options: tuple[str, ...] = ()
    say: Callable[[str], None] = lambda _sentence: None
    warn: Callable[[str], None] = lambda _sentence: None
    progress: Progress = SILENT
    finished: Callable[[Line, int, int], None] = lambda _line, _number, _all: None


class Gathering:
    """The rows of a sweep that goes on."""

    def __init__(self, sweep: Sweep, folder: SweepFolder, manner: Manner) -> None:
        """Read the files that are to be inputs. Raises UsageError for one that cannot be read."""
        digests: dict[str, str] = {}
        self.sweep, self.folder, self.manner = sweep, folder, manner
        self.keys = {one.number: sweep.find_key(one, digests) for one in sweep.combinations}
        self.rows: dict[int, Row] = {}
        self.before = 0

    def read_done(self) -> None:
        """Take the rows that an earlier call has made."""
        for one in self.sweep.combinations:
            row = self.folder.read_done(one, self.keys[one.number], repr(self.sweep.settings.limits))
            if row is not None:
                self.rows[one.number] = row
        self.before = len(self.rows)

    @property
    def todo(self) -> tuple[Combination, ...]:
        """The combinations that have no row yet."""
        return tuple(one for one in self.sweep.combinations if one.number not in self.rows)

    def take(self, combination: Combination, lost: str) -> None:
        """Take the row that a process has left, or one that says in a sentence why there is none."""
        row = self.folder.read(combination, self.keys[combination.number])
        if row is None:
            row = Row(self.keys[combination.number], "lost", notes=(lost,))
        self.rows[combination.number] = row
        self.manner.finished(Line(combination, row), len(self.rows), len(self.sweep.combinations))

    def take_late(self) -> None:
        """Take the rows of processes that were done and had not been waited for."""
        for one in self.todo:
            row = self.folder.read(one, self.keys[one.number])
            if row is not None:
                self.rows[one.number] = row

    def list_lines(self) -> tuple[Line, ...]:
        """Return a line for each combination, those that have none yet included."""
        return tuple(
            Line(one, self.rows.get(one.number) or Row(self.keys[one.number], "interrupted"))
            for one in self.sweep.combinations
        )
