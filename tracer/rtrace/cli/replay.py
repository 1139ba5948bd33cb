"""``rtrace replay``: replay the runs of a target or of a bundle."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from rtrace.answers.replaying import answer_replay
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import EMULATE, FETCH, FREEZE, FROM, JSON_LAST, UNPACKER, fill_standard_streams
from rtrace.cli.options.completing import complete_replayable, complete_runs
from rtrace.cli.options.history_options import NO_HISTORY
from rtrace.cli.options.limit_options import limited
from rtrace.cli.options.replay_options import changing, granting
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, say_more, tell_json, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.limits import Limits
from rtrace.operations.replay import Exchange, Replay
from rtrace.operations.unpack import name_target
from rtrace.replay.changing import Changes, describe_changes
from rtrace.replay.grants import Grants, describe_grants
from rtrace.replay.protocol import Outcome


@click.command(
    cls=RtraceCommand,
    statuses={
        "124": "the time of --timeout was up",
        "126": "the program of a run cannot be executed in the target",
        "127": "the program of a run is not in the target",
        "128+N": "signal N ended the run, or interrupted rtrace (130 for Ctrl-C)",
        "other": "that of the last run, or of the first one that fails",
    },
    examples=(
        "rtrace replay bundle.rpz",
        "rtrace replay --timeout 10m --memory 4G bundle.rpz run2",
        "rtrace replay -i data=mine.csv -o figure=new.png bundle.rpz 2-3",
        "rtrace replay --port 8080:80 bundle.rpz serve",
    ),
)
@UNPACKER
@JSON_LAST
@FETCH
@FROM
@limited
@EMULATE
@changing
@granting
@FREEZE
@click.option("--keep", is_flag=True, help="Keep the target of a bundle, in the folder that `rtrace unpack` names.")
@click.option(
    "--keep-as",
    metavar="TARGET",
    type=click.Path(path_type=Path),
    help="Keep the target of a bundle, in this folder.",
)
@NO_HISTORY
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_replayable)
@click.argument("names", metavar="[RUN]...", nargs=-1, shell_complete=complete_runs)
def command(  # noqa: PLR0913 -- an argument for each option
    target: Path,
    names: tuple[str, ...],
    *,
    unpacker_name: str,
    as_json: bool,
    fetch: bool,
    folders: tuple[Path, ...],
    limits: Limits,
    emulate: bool,
    changes: Changes,
    exchange: Exchange,
    grants: Grants,
    freeze: bool,
    keep: bool,
    keep_as: Path | None,
    no_history: bool,
) -> None:
    """Replay the runs of TARGET: all of them in their order, or those that are named.

    TARGET is what `rtrace unpack` made, or a bundle. A bundle is replayed in a temporary target, which --unpacker
    makes; the runs whose files a named run needs are replayed before it, and what they print goes to standard error.
    `rtrace run` is another name of this command. To record a run, use `rtrace trace`.

    A RUN is a name, a number or a range: fit, 2, 1-3. What is changed is changed for this replay of the runs that are
    named, and a target has its own inputs again afterwards. The exit status stays the program's.
    """
    fill_standard_streams()
    began = time.time()
    if target.is_file():
        tell_cleaned()
    outcomes: list[Outcome] = []
    names_of_unpackers: list[str] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        say_more(f"{outcome.run} ended with status {outcome.exit_status}")

    grants = replace(grants, emulation=emulate)
    changed = tell_changes(changes)
    tell_grants(grants)
    target_folder = keep_as or (name_target(target) if keep else None)
    replay = Replay(
        limits,
        grants,
        changes,
        exchange,
        target_folder,
        say=say,
        warn=warn,
        progress=progress(),
        note=note,
        name=names_of_unpackers.append,
        freezes=freeze,
    )
    done = replay.replay(target, names, unpacker_name, Sources(folders, fetch))
    for one in done.fetched:
        say(f"{one.name}: copied to {one.to}")
    if as_json:
        opened = describe_grants(grants)
        tell_json(answer_replay(outcomes, names_of_unpackers[0], changed, opened, done.fetched, target=done.kept))
    if not no_history:
        from rtrace.operations.recording.judged import record_judgement

        problem = record_judgement("replay", target, names, began, done.status, changes=changes, inputs=exchange.inputs)
        if problem:
            warn(problem)
    sys.exit(done.status)


def tell_changes(changes: Changes) -> tuple[str, ...]:
    """Return what is changed of the runs, and say it."""
    described = describe_changes(changes)
    for sentence in described:
        say(sentence)
    return described


def tell_grants(grants: Grants) -> None:
    """Say what of this machine is opened to a replay, as a warning where that is more than it may seem."""
    for sentence in describe_grants(grants):
        say(sentence)
    if grants.display:
        warn("a program that is shown your display sees all that is shown and typed there, and can type itself")
