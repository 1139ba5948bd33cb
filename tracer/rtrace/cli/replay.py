"""``rtrace replay``: replay the runs of a target or of a bundle."""

from __future__ import annotations

import sys
import time
from dataclasses import replace
from pathlib import Path

import click

from rtrace.answers.replays.replaying import answer_replay
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import EMULATE, FETCH, FREEZE, FROM, JSON_LAST, UNPACKER, fill_standard_streams
from rtrace.cli.options.completing import complete_replayable, complete_runs
from rtrace.cli.options.history_options import NO_HISTORY
from rtrace.cli.options.limit_options import limited
from rtrace.cli.options.replay_options import changing, granting
from rtrace.cli.options.sweep_options import SweepOptions, sweeping
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, say_more, tell_json, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.errors import UsageError
from rtrace.limits import Limits
from rtrace.operations.replay import Exchange, Replay
from rtrace.operations.unpack import name_target
from rtrace.replay.changing import Changes, describe_changes
from rtrace.replay.grants import Grants, describe_grants
from rtrace.replay.protocol import Outcome


@click.command(
    cls=RtraceCommand,
    statuses={
        "1": "with --sweep: a combination failed, or lacks an output",
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
        "rtrace run --sweep alpha=0.1,0.2,0.5 --sweep SEED=1,2 bundle.rpz",
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
@sweeping
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
    sweep: SweepOptions,
    no_history: bool,
) -> None:
    """Replay the runs of TARGET: all of them in their order, or those that are named.

    TARGET is what `rtrace unpack` made, or a bundle. A bundle is replayed in a temporary target, which --unpacker
    makes; the runs whose files a named run needs are replayed before it, and what they print goes to standard error.
    `rtrace run` is another name of this command. To record a run, use `rtrace trace`.

    With --sweep it is replayed once for each value, a target of its own each time; see docs/how-to/sweep.md. NAME is a
    variable (env:NAME), a word or an option of the command line (arg:3, arg:--alpha) or an input (input:NAME), whose
    values are files; the kind may be left out where only one has the name.

    A RUN is a name, a number or a range: fit, 2, 1-3. What is changed is changed for this replay of the runs that are
    named, and a target has its own inputs again afterwards. The exit status stays the program's.
    """
    fill_standard_streams()
    began = time.time()
    if target.is_file() and sweep.row is None:
        tell_cleaned()
    grants = replace(grants, emulation=emulate)
    changed = () if sweep.row is not None else tell_changes(changes)
    if sweep.row is None:
        tell_grants(grants)
    if sweep.is_wanted:
        if keep or keep_as is not None:
            raise UsageError("a sweep replays in targets that go again; leave out --keep and --keep-as")
        from rtrace.cli.sweep.run import run_sweep
        from rtrace.operations.sweeping.plan import Settings

        sources = Sources(folders, fetch)
        settings = Settings(
            target, names, unpacker_name, sources, limits, grants, changes, exchange, sweep.asked, sweep.most, freeze
        )
        sys.exit(run_sweep(sweep, settings, changed, as_json=as_json, record=not no_history))
    outcomes: list[Outcome] = []
    names_of_unpackers: list[str] = []

    def note(outcome: Outcome) -> None:
        outcomes.append(outcome)
        say_more(f"{outcome.run} ended with status {outcome.exit_status}")

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
