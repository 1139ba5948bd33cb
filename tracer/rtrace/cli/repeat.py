"""``rtrace repeat``: run a command again as it was recorded, and compare."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON_LAST, fill_standard_streams
from rtrace.cli.terminal.run_table import open_own_history
from rtrace.cli.terminal.speaking import say, tell_json, warn
from rtrace.errors import RtraceError, UsageError
from rtrace.interrupts import Interrupted
from rtrace.printable import count, shell_word
from rtrace.record.names import check_label


@click.command(
    cls=RtraceCommand,
    needs="run a command again as it was recorded",
    statuses={
        "0": "the results are the same, or equal as what they are",
        "1": "a result differs, or there is no such run",
        "3": "a result could not be judged",
        "126": "the program is not executable any more",
        "127": "the program is not there any more",
    },
    examples=("rtrace repeat last", "rtrace repeat -m 'after the update' baseline"),
)
@JSON_LAST
@click.option(
    "-d", "--dir", "directory", type=click.Path(path_type=Path), metavar="DIR", help="The trace directory to write."
)
@click.option("--label", metavar="NAME", help="Name the repetition in the history.")
@click.option("-m", "--reason", metavar="TEXT", help="Why it is run again.")
@click.option("-y", "--yes", is_flag=True, help="Run it although the record was not made here by you.")
@click.argument("run", metavar="RUN", default="last")
def command(
    run: str, *, as_json: bool, directory: Path | None, label: str | None, reason: str | None, yes: bool
) -> None:
    """Run the command of RUN again on this machine as it was recorded, and compare its results with the first ones.

    The words of the command, its folder and its environment are those of the record; secrets that were taken out of
    the environment are taken from the present one. It reads and writes the files that are there now, and is traced. Its
    exit status, outputs and what it prints are compared by their digests, and outputs of the first run that are still
    there also by what they are, as by `rtrace verify`; the verdict is kept in the history. Where all is the same or
    equal, the trace is removed, unless DIR is to keep it. To run it on the files as they were, use `rtrace
    replay` or `rtrace verify`.

    A record that you have not made yourself on this machine can hold any command: it is shown, and run with --yes
    alone.

    RUN is a label, the beginning of an id, last, or last~2 (two before the last).
    """
    from rtrace.operations.repeating.firsts import keeping_firsts
    from rtrace.operations.repeating.repetition import (
        find_interruption,
        judge,
        keep_repetition,
        name_directory,
        plan_repetition,
        refuse_foreign,
        repeat,
    )
    from rtrace.record.taking.said import Said

    check_label(label)
    fill_standard_streams()
    history = open_own_history()
    catalogue = history.catalogue()
    first = history.read(catalogue.resolve(run))
    short = catalogue.short(first["id"])
    catalogue.close()
    plan = plan_repetition(first, os.environb, short)
    if not yes:
        refuse_foreign(first, plan, os.environb, short)
    if plan.present:
        say(f"taken from the present environment, as secrets are not recorded: {', '.join(plan.present)}")
    if plan.absent:
        warn(f"secrets that the first run had are not in the environment: {', '.join(plan.absent)}")
    if directory is not None and os.path.lexists(directory):
        raise UsageError(f"{directory} exists already; name another directory")
    project = first["project"]
    said = Said(label, reason or f"repeats {short}", tuple(first["tags"]), project["name"] if project else None)
    with keeping_firsts(first) as firsts:
        second, report = repeat(plan, directory or name_directory(short), said, warn)
        if report.problem:
            warn(report.problem)
        if second is None:
            warn(
                (report.record and report.record.problem) or "the repetition was not recorded; nothing can be compared"
            )
            sys.exit(3)
        interrupted = find_interruption(report)
        try:
            if interrupted is not None:
                keep_repetition(history, first, second, report, None)
                warn(f"{Interrupted(interrupted)}, so nothing is compared; the trace is in {report.directory.path}")
                sys.exit(128 + interrupted)
            repeated = judge(history, first, second, report, firsts, keep=directory is not None)
        except (OSError, RtraceError) as error:
            again = f"`rtrace import {shell_word(report.directory.path)}` adds it"
            warn(f"the repetition is not in the history ({error}); {again}")
            sys.exit(3)
    verdict = repeated.verdict
    if as_json:
        from rtrace.answers.history import answer_repeat

        tell_json(answer_repeat(repeated))
    else:
        for sentence in verdict["differences"]:
            warn(sentence)
        compared = count(verdict["compared"] or 0, "result")
        place = "" if repeated.directory is None else f"; the trace is in {repeated.directory}"
        say(f"{verdict['verdict']}: {compared} compared{place}")
    sys.exit(verdict["exit_status"])
