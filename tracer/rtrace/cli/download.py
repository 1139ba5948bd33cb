"""``rtrace download``: fetch outputs of a target."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.targets import answer_download
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import BUNDLE, JSON
from rtrace.cli.options.completing import complete_downloads, complete_targets
from rtrace.cli.terminal.file_table import show_files
from rtrace.cli.terminal.speaking import give, give_json, say, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.errors import UsageError
from rtrace.opening import open_bundle
from rtrace.operations.exchange.bundles import find_bundle
from rtrace.operations.exchange.fetching import STANDARD_OUTPUT, fetch_outputs, parse_wanted
from rtrace.operations.exchange.names import list_outputs
from rtrace.operations.exchange.notes import peek
from rtrace.operations.exchange.settling import open_settled
from rtrace.operations.exchange.states import list_states
from rtrace.printable import format_size


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace download target",
        "rtrace download target table.csv",
        "rtrace download target table.csv:/tmp/new.csv",
        "rtrace download target table.csv:- | head",
        "rtrace download --all results target",
    ),
)
@JSON
@BUNDLE
@click.option(
    "--all",
    "everything",
    metavar="DIR",
    type=click.Path(path_type=Path, file_okay=False),
    help="Copy all outputs into this folder, by their names; it is made if need be.",
)
@click.option("-f", "--force", is_flag=True, help="Replace files that exist.")
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_targets)
@click.argument("wanted", metavar="[NAME[:FILE]]...", nargs=-1, shell_complete=complete_downloads)
def command(
    target: Path,
    wanted: tuple[str, ...],
    *,
    as_json: bool,
    named: Path | None,
    everything: Path | None,
    force: bool,
) -> None:
    """Copy the output NAME of TARGET to FILE, or to a file of its own name in this folder; `-` is standard output.

    With nothing else than TARGET, the outputs are listed: `generated` was made by a run here, `original` is as packed,
    `replaced` as uploaded, `missing` is not there yet. NAME is the name of an output or an input, or the absolute path
    of any file in TARGET. An output whose name changes from run to run may be several files; FILE is a folder then.

    A file that exists is kept, and nothing is copied, unless --force says to replace it.
    """
    opened_target = open_settled(target, say)
    bundle = find_bundle(target, named)
    missing: list[str] = []
    if not wanted and everything is None:
        with open_bundle(bundle) as opened:
            states = list_states(opened_target, opened, list_outputs(opened), peek(target))
        if as_json:
            give_json(answer_download(target, states, (), missing))
            return
        show_files(states)
        if not states:
            say(f"the runs of {target} have no outputs with a name; any file can be downloaded by its path")
        return
    with open_bundle(bundle) as opened:
        parsed = [parse_wanted(opened, text) for text in wanted]
    if as_json and any(to == STANDARD_OUTPUT for _, to in parsed):
        raise UsageError("--json and a file on standard output do not go together; name a file instead of `-`")
    tell_cleaned(*dict.fromkeys(to.parent for _, to in parsed if to != STANDARD_OUTPUT), *filter(None, [everything]))
    fetched = fetch_outputs(
        opened_target, parsed, everything, bundle=bundle, replace=force, give=give, warn=missing.append
    )
    if as_json:
        give_json(answer_download(target, (), fetched, missing))
        return
    for sentence in missing:
        warn(sentence)
    for one in fetched:
        if one.to is not None:
            say(f"{one.name} is in {one.to} ({format_size(one.size)})")
