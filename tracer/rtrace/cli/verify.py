"""``rtrace verify``: replay a bundle in isolation and compare."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from rtrace.answers.verifying import answer_verify
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import EMULATE, FETCH, FREEZE, FROM, JSON, UNPACKER, fill_standard_streams, read_patterns
from rtrace.cli.options.completing import complete_bundles, complete_runs
from rtrace.cli.options.history_options import NO_HISTORY
from rtrace.cli.options.limit_options import limited
from rtrace.cli.terminal.manner import Color, is_verbose
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.replay_output import shown_output
from rtrace.cli.terminal.speaking import give_json, say, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.files.incomplete import check_place, write_in_place
from rtrace.files.workspaces import temporary
from rtrace.interrupts import keep_rest
from rtrace.limits import Limits
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.unpack import name_target
from rtrace.operations.verify import verify_bundle
from rtrace.operations.verifying.account import Account, give_account
from rtrace.printable import count, shell_word
from rtrace.replay.choosing import choose_unpacker
from rtrace.replay.grants import Grants
from rtrace.verify.kinds.model import Rule
from rtrace.verify.verdicts import Line, Report

COLORS: dict[str, Color] = {
    "same": "green",
    "equal": "green",
    "close": "green",
    "different": "red",
    "missing": "red",
    "extra": "red",
    "unknown": "yellow",
}
"""Of the verdicts."""
MOST_BESIDE = 60
"""Characters of both contents that stand on the line of a result."""
VERDICT_WIDTH = 11
"""Columns that a verdict takes at the beginning of a line, with the blanks behind it."""


@click.command(
    cls=RtraceCommand,
    statuses={
        "0": "all results are the same, equal or close",
        "1": "a result differs",
        "3": "a result could not be judged, or a limit ended a run: no verdict",
        "124": "the time of --timeout was up: no verdict",
    },
    examples=("rtrace verify bundle.rpz", "rtrace verify --unpacker docker bundle.rpz"),
)
@UNPACKER
@JSON
@FETCH
@FROM
@limited
@EMULATE
@FREEZE
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave out of the verdict what matches, as `ignore:`.",
)
@click.option("--all", "show_all", is_flag=True, help="A line for each result, identical ones included.")
@click.option("--strict", is_flag=True, help="Compare bytes alone: what says the same with other bytes is different.")
@click.option(
    "--tolerance",
    metavar="NUMBER",
    type=click.FloatRange(min=0, max=1),
    default=0.0,
    help="Numbers may differ by so much of their size (1e-6); such results are close.",
)
@click.option(
    "--html",
    "page",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Write a page with what differs side by side: one file.",
)
@click.option("--junit", metavar="FILE", type=click.Path(path_type=Path), help="Write JUnit XML, for CI systems.")
@click.option(
    "--explain",
    is_flag=True,
    help="Say why outputs differ from run to run; takes some thirty further replays.",
)
@NO_HISTORY
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
def command(  # noqa: PLR0913 -- an argument for each option
    bundle: Path,
    names: tuple[str, ...],
    *,
    unpacker_name: str,
    as_json: bool,
    fetch: bool,
    folders: tuple[Path, ...],
    limits: Limits,
    allowed: frozenset[str],
    emulate: bool,
    freeze: bool,
    ignore: tuple[bytes, ...],
    show_all: bool,
    strict: bool,
    tolerance: float,
    page: Path | None,
    junit: Path | None,
    explain: bool,
    no_history: bool,
) -> None:
    """Replay the runs of BUNDLE and tell whether the results are the same (`rtrace check` checks only the file).

    The replay has no network (but for --fetch, before it) and sees no file of this machine; its target is temporary.
    It compares exit statuses, what was printed, and the outputs that the manifest names: same, equal (other bytes that
    say the same: another date in a PDF, another compression), close (within --tolerance), different, missing, extra or
    unknown. A line is printed for each that is not the same, with the place of a difference where the bundle has what
    the original wrote. Other files that the runs wrote are counted, and have no part in the verdict; where no output is
    named, all of them have. With names of runs, only these are replayed, and those that they need. A line says of
    each of the manifest's `claims:` whether it was reproduced.

    A PATTERN is a glob pattern over absolute paths, or stdout or stderr for these streams.
    """
    fill_standard_streams()
    began = time.time()
    for place in filter(None, (page, junit)):
        check_place(place)
        keep_rest("what was half done is removed, and no report is written")
    chosen = choose_unpacker(unpacker_name)
    tell_cleaned()
    if chosen.told is not None:
        say(chosen.told)
    with temporary("verify") as workspace, shown_output() as shown:
        report = verify_bundle(
            bundle,
            chosen.unpacker,
            workspace,
            names=names,
            ignored=ignore,
            progress=progress(),
            shown=shown,
            sources=Sources(folders, fetch),
            limits=limits,
            grants=Grants(calls=allowed, emulation=emulate),
            warn=warn,
            rule=None if strict else Rule(tolerance=tolerance),
            shows=page is not None,
            freezes=freeze,
        )
        if explain:
            from rtrace.operations.explaining.explaining import explain_report

            report = explain_report(
                report,
                bundle,
                chosen.unpacker,
                workspace,
                names=names,
                sources=Sources(folders, fetch),
                limits=limits,
                grants=Grants(calls=allowed, emulation=emulate),
                say=say,
            )
    for note in report.notes:
        warn(note)
    if as_json:
        give_json(answer_verify(report, chosen.name))
    else:
        show_report(report, show_all=show_all or is_verbose())
        if report.verdict == "different":
            target = name_target(bundle)
            unpack = f"`rtrace unpack {chosen.name} {shell_word(bundle)}`"
            steps = f"{unpack}, then `rtrace replay {shell_word(target)}`"
            say(f"to look at the replay's files: {steps}")
    if page is not None or junit is not None:
        options = list_options(strict=strict, tolerance=tolerance, ignore=ignore, freeze=freeze)
        write_reports(report, give_account(bundle, report, chosen.name, (*options, bundle.name, *names)), page, junit)
    if not no_history:
        tell_recorded(bundle, names, began, report, chosen.name)
    sys.exit(report.exit_status)


def list_options(*, strict: bool, tolerance: float, ignore: Sequence[bytes], freeze: bool) -> list[str]:
    """Return the options that chose how results were compared, as one types them."""
    typed = ["--freeze"] if freeze else []
    typed += ["--strict"] if strict else []
    typed += ["--tolerance", f"{tolerance:g}"] if tolerance else []
    return typed + [word for pattern in ignore for word in ("--ignore", os.fsdecode(pattern))]


def write_reports(report: Report, account: Account, page: Path | None, junit: Path | None) -> None:
    """Write what was asked for besides what is printed."""
    if page is not None:
        from rtrace.pages.verification import make_verification_page

        write_in_place(page, make_verification_page(report, account))
        say(f"the page is {page}")
    if junit is not None:
        from rtrace.operations.verifying.junit import make_junit

        write_in_place(junit, make_junit(report, account))


def tell_recorded(bundle: Path, names: Sequence[str], began: float, report: Report, unpacker_name: str) -> None:
    """Add the verdict to the history, and say what keeps it from being there."""
    from rtrace.operations.recording.judged import describe_report, record_judgement

    verdict = describe_report(report, unpacker_name)
    problem = record_judgement("verification", bundle, names, began, report.exit_status, verdict)
    if problem:
        warn(problem)


def show_report(report: Report, *, show_all: bool) -> None:
    """Write a report for a person: what differs, what else was written, and the verdict with the time it took."""
    for sentence in report.incomplete:
        show(f"{MARK}: {sentence}")
    judged = [line for line in report.lines if line.scope == "output"]
    for line in judged:
        if show_all or line.verdict != "same":
            show_line(line)
        elif line.causes:
            show_verdict(line.verdict, f"{line.text}, and not in another replay")
        if line.causes:
            show(f"{'':{VERDICT_WIDTH}}because of: {', '.join(line.causes)}")
    same = [line for line in judged if line.verdict == "same"]
    if same and not show_all and len(same) < len(judged):
        show_verdict("same", describe_same(same))
    if report.others and (show_all or report.others_differ):
        show("other files, which have no part in the verdict:")
        for text in report.others:
            verdict = text.partition(" ")[0]
            show(text[len(verdict) :], verdict=verdict, color=COLORS.get(verdict))
    for row in report.claims:
        show_verdict(row.verdict, row.text)
    show("", verdict=f"{report.summary} (took {report.seconds:.1f} s)", color=COLORS[report.verdict])


def show_line(line: Line) -> None:
    """Write the line of a result; what differs in more than a few words has a line for each of the two."""
    judgement = line.judgement
    is_long = judgement is not None and len(judgement.expected) + len(judgement.found) > MOST_BESIDE
    if judgement is None or line.verdict != "different" or not judgement.place or not is_long:
        show_verdict(line.verdict, line.text)
        return
    note = f" ({judgement.note})" if judgement.note else ""
    show_verdict(line.verdict, f"{line.what}: {judgement.kind}, {judgement.place}{note}")
    show(f"{'':{VERDICT_WIDTH}}was  {judgement.expected}")
    show(f"{'':{VERDICT_WIDTH}}is   {judgement.found}")


def show_verdict(verdict: str, text: str) -> None:
    """Write a line that begins with a verdict."""
    show(f"{'':{VERDICT_WIDTH - len(verdict)}}{text}", verdict=verdict, color=COLORS[verdict])


def describe_same(lines: Sequence[Line]) -> str:
    """Return what is the same, counted: ``2 exit statuses, 1 stream, 3 files``."""
    statuses = sum(line.path is None and line.stream is None for line in lines)
    files = sum(line.path is not None for line in lines)
    streams = sum(line.stream is not None for line in lines)
    counted = ((statuses, "exit status", "exit statuses"), (streams, "stream", ""), (files, "file", ""))
    return ", ".join(count(number, one, many) for number, one, many in counted if number)
