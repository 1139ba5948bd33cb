"""``rtrace verify``: replay a bundle in isolation and compare."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.limit_options import limited
from rtrace.cli.terminal.options import FETCH, FROM, JSON, UNPACKER, fill_standard_streams, read_patterns
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.replay_output import shown_output
from rtrace.cli.terminal.speaking import give_json, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.files.workspaces import temporary
from rtrace.limits import Limits
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.verify import verify_bundle
from rtrace.replay.registry import load_unpacker


@click.command(cls=RtraceCommand)
@UNPACKER
@JSON
@FETCH
@FROM
@limited
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave out of the verdict what matches, as `ignore:`.",
)
@click.argument("bundle", type=click.Path(path_type=Path))
@click.argument("names", metavar="[RUN]...", nargs=-1)
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
    ignore: tuple[bytes, ...],
) -> None:
    """Replay the runs of BUNDLE in a throw-away target and compare what comes out with the original run.

    No network (but for --fetch, before the replay), no file of this machine. Prints a line for the exit status, for
    what was printed, and for each output that the manifest names: same, different, missing, extra or unknown. What else
    the runs wrote is told apart, as other files, and has no part in the verdict (where no output is named, all has).
    With names of runs, only these are replayed, and those that they need.

    Exits with 0 when everything is the same, with 1 when something differs, and with 3 when something could not be
    judged, or a limit ended a run, which is no verdict; with 124 when the time of --timeout was up.

    A PATTERN is a glob pattern over absolute paths, or stdout or stderr for these streams.
    """
    fill_standard_streams()
    unpacker = load_unpacker(unpacker_name)
    tell_cleaned()
    with temporary("verify") as workspace, shown_output() as shown:
        report = verify_bundle(
            bundle,
            unpacker,
            workspace,
            names=names,
            ignored=ignore,
            progress=progress(),
            shown=shown,
            sources=Sources(folders, fetch),
            limits=limits,
            allowed=allowed,
        )
    for note in report.notes:
        warn(note)
    if as_json:
        give_json(report.to_json())
    else:
        for sentence in report.incomplete:
            show(f"{MARK}: {sentence}")
        for line in report.lines:
            if line.scope == "output":
                show(f"{line.verdict:9}  {line.text}")
        if report.others:
            show("other files, which have no part in the verdict:")
        for text in report.others:
            show(text)
        show(report.summary)
    sys.exit(report.exit_status)
