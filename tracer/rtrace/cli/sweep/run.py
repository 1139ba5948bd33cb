"""A sweep as a person sees it: what is done, the table, and how it ended."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import click

from rtrace.cli.options.sweep_options import write_row_arguments
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, tell_json, warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.errors import UsageError
from rtrace.files.incomplete import check_place
from rtrace.operations.sweeping.folder import TABLE_FILE, SweepFolder, name_sweep_folder, write_whole
from rtrace.operations.sweeping.gathering import Manner
from rtrace.operations.sweeping.plan import Settings, Sweep, plan_sweep
from rtrace.operations.sweeping.sweep import Swept, carry_out
from rtrace.printable import count, printable_text
from rtrace.replay.grants import describe_grants
from rtrace.sweep.table import Line, Table, make_table, write_csv

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from rtrace.cli.options.sweep_options import SweepOptions
    from rtrace.sweep.combinations import Combination

SHOWN = frozenset({"parameter", "state", "number"})
"""Kinds of columns that a person sees at once; all are in the CSV."""
_FAILED = 1
"""The exit status of a sweep of which a combination failed."""


def run_sweep(
    options: SweepOptions, settings: Settings, changed: tuple[str, ...], *, as_json: bool, record: bool
) -> int:
    """Replay all combinations of a sweep, or the one that this process is for; return the exit status."""
    folder = SweepFolder(options.into or name_sweep_folder(settings.place))
    sweep = plan_sweep(settings)
    if options.row is not None:
        replay_row(sweep, folder, options.row, record=record)
        return 0
    refuse_written([path for path in (options.csv, options.html) if path is not None], folder)
    command = str(click.get_current_context().info_name)
    is_here = options.on == "local"

    def write_arguments(combination: Combination) -> list[str]:
        return write_row_arguments(command, combination.number, is_child=is_here)

    jobs = options.jobs or (count_processors() if is_here else None)
    manner = Manner(
        write_arguments,
        jobs,
        options.on,
        options.batch_options,
        say=say,
        warn=warn,
        progress=progress(),
        finished=tell_line,
    )

    def give(swept: Swept) -> None:
        table = make_table(sweep.axes, swept.lines)
        if options.csv is not None:
            write_whole(options.csv, write_csv(table).encode("utf-8", "backslashreplace"))
        if options.html is not None:
            from rtrace.pages.sweeping import make_sweep_page

            write_whole(options.html, make_sweep_page(sweep, swept, write_command(sweep)))
            say(f"the page is {options.html}")
        tell_end(swept, folder, table)
        if as_json:
            from rtrace.answers.replays.replaying import answer_swept

            tell_json(answer_swept(sweep, folder.path, swept, changed, describe_grants(settings.grants)))
        else:
            show_lines(table)

    return 0 if carry_out(sweep, folder, manner, give).is_good else _FAILED


def replay_row(sweep: Sweep, folder: SweepFolder, row: str, *, record: bool) -> None:
    """Replay one combination: what another rtrace has started this one for."""
    from rtrace.operations.sweeping.children import die_with_parent
    from rtrace.operations.sweeping.one import replay_one

    number, _, parent = row.partition(":")
    if not (number.isdigit() and int(number) < len(sweep.combinations) and folder.exists()):
        raise UsageError(f"--sweep-row {row} is for rtrace itself; leave it out")
    if parent.isdigit():
        die_with_parent(int(parent))
    problem = replay_one(sweep, folder, sweep.combinations[int(number)], record=record)
    if problem:
        warn(problem)


def write_command(sweep: Sweep) -> list[str]:
    """Return a command that does the same, as the history would have it: without values of variables that stay."""
    from rtrace.operations.recording.changed import list_options
    from rtrace.sweep.asked import write_value

    command = ["rtrace", "run", *list_options(sweep.settings.changes, sweep.settings.exchange.inputs)]
    if sweep.settings.freezes:
        command.append("--freeze")
    for axis in sweep.axes:
        command += ("--sweep", f"{axis.text}={','.join(map(write_value, axis.values))}")
    return [*command, sweep.bundle.name, *sweep.settings.names]


def refuse_written(copies: Sequence[Path], folder: SweepFolder) -> None:
    """Raise UsageError for files that a new sweep would replace; one that goes on replaces its own."""
    for path in copies:
        if os.path.lexists(path) and not (folder.exists() and path.is_file()):
            raise UsageError(f"{path} exists already: remove it, or name another file")
        check_place(path)


def count_processors() -> int:
    """Return how many processors this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def tell_line(line: Line, number: int, all_of: int) -> None:
    """Say that a combination is done."""
    row = line.row
    status = "" if row.exit_status in {None, 0} else f" (exit status {row.exit_status})"
    took = "" if row.seconds is None else f" in {row.seconds:.2f} s"
    why = f": {row.notes[-1]}" if row.notes and row.state in {"error", "lost"} else ""
    say(f"{number} of {all_of}: {line.combination.name}: {row.state}{status}{took}{why}")


def show_lines(table: Table) -> None:
    """Write the parameters, states and numbers as a table."""
    columns = [column for column in table.columns if column.kind in SHOWN]
    titles = [Column(printable_text(one.name), numbers=one.kind == "number", least=8) for one in columns]
    show_table(titles, lambda: zip(*(column.cells for column in columns), strict=True))


def tell_end(swept: Swept, folder: SweepFolder, table: Table) -> None:
    """Say where everything is, and what did not go well."""
    if table.left_out:
        warn(f"{count(table.left_out, 'number')} have no column in the table: there are too many; the rows have them")
    bad = [line for line in swept.lines if not line.row.is_good and line.row.state != "interrupted"]
    for state in dict.fromkeys(line.row.state for line in bad):
        names = [line.combination.name for line in bad if line.row.state == state]
        warn(f"{state}: {count(len(names), 'combination')}, such as {names[0]}")
    say(f"the table is in {folder.path / TABLE_FILE}, the outputs of each combination in a folder beside it")
