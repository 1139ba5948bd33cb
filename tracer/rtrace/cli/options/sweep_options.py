"""The options that replay a bundle again and again with one thing changed."""

from __future__ import annotations

import functools
import os
import shlex
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Literal, TypeVar

import click

from rtrace.errors import UsageError

if TYPE_CHECKING:
    from rtrace.sweep.asked import Asked

Function = TypeVar("Function", bound=Callable[..., None])

ROW_OPTION = "--sweep-row"
MOST = 10_000


@dataclass(frozen=True, slots=True)
class SweepOptions:
    """What a person asks of a sweep; ``row`` is set in the rtrace that replays one of its combinations."""

    asked: tuple[Asked, ...]
    jobs: int | None
    on: Literal["local", "slurm"]
    into: Path | None
    csv: Path | None
    html: Path | None
    most: int
    batch_options: tuple[str, ...]
    row: str | None

    @property
    def is_wanted(self) -> bool:
        """Whether there is anything to sweep."""
        return bool(self.asked)


SWEEPING = (
    click.option(
        "--sweep",
        "swept",
        multiple=True,
        metavar="NAME=A,B",
        help="Replay with each value of a variable, a word of the command line or an input; several: all combinations.",
    ),
    click.option("--jobs", type=click.IntRange(min=1), metavar="N", help="So many at a time.  [default: processors]"),
    click.option(
        "--on",
        type=click.Choice(("local", "slurm")),
        default="local",
        show_default=True,
        help="Sweep on this machine, or as a job array of Slurm.",
    ),
    click.option(
        "--into",
        type=click.Path(path_type=Path),
        metavar="DIR",
        help="The folder of a sweep; what is done there is not done again.  [default: BUNDLE-sweep]",
    ),
    click.option(
        "--csv", type=click.Path(path_type=Path), metavar="FILE", help="Write the table of a sweep here, too."
    ),
    click.option("--html", type=click.Path(path_type=Path), metavar="FILE", help="Write a page of a sweep: one file."),
    click.option(
        "--most-combinations",
        "most",
        type=click.IntRange(min=1),
        default=MOST,
        show_default=True,
        metavar="N",
        help="Refuse a sweep of more.",
    ),
    click.option("--sbatch", "batch", metavar="OPTIONS", help="Options for sbatch: '--partition=long --time=2:00:00'."),
    click.option(ROW_OPTION, "row", hidden=True),
)


def sweeping(function: Function) -> Function:
    """Add the options to a command that sweep: it gets ``sweep``."""

    @functools.wraps(function)
    def command(  # noqa: PLR0913 -- an argument for each option
        *arguments: object,
        swept: tuple[str, ...],
        jobs: int | None,
        on: Literal["local", "slurm"],
        into: Path | None,
        csv: Path | None,
        html: Path | None,
        most: int,
        batch: str | None,
        row: str | None,
        **options: object,
    ) -> None:
        if not swept:
            given = {"--jobs": jobs, "--into": into, "--csv": csv, "--html": html, "--sbatch": batch, ROW_OPTION: row}
            for name in (name for name, value in given.items() if value is not None):
                raise UsageError(f"{name} is for a sweep: add --sweep NAME=VALUE,VALUE, or leave it out")
            if on != "local":
                raise UsageError("--on is for a sweep: add --sweep NAME=VALUE,VALUE, or leave it out")
        if batch is not None and on != "slurm":
            raise UsageError("--sbatch is for Slurm: add --on slurm, or leave it out")
        from rtrace.sweep.asked import read_asked

        asked = tuple(map(read_asked, swept))
        sweep = SweepOptions(asked, jobs, on, into, csv, html, most, read_batch_options(batch), row)
        function(*arguments, sweep=sweep, **options)

    for option in reversed(SWEEPING):
        command = option(command)
    return command  # type: ignore[return-value]  # what wraps() gives has the function's type


def read_batch_options(text: str | None) -> tuple[str, ...]:
    """Return the options for sbatch, split as a shell does. Raises UsageError."""
    try:
        return tuple(shlex.split(text or ""))
    except ValueError as error:
        raise UsageError(f"--sbatch {text!r} is no list of options: {error}") from None


def write_row_arguments(command: str, number: int, *, is_child: bool) -> list[str]:
    """Return the arguments of this process with the one that has another rtrace replay just one combination.

    ``command`` is the command's name, as it was typed; a child ends with this process.
    """
    arguments = sys.argv[1:]
    place = arguments.index(command) + 1
    row = f"{number}:{os.getpid()}" if is_child else f"{number}:"
    return [*arguments[:place], ROW_OPTION, row, *arguments[place:]]
