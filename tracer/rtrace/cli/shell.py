"""``rtrace shell``: look around in a target."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import click

from rtrace.answers.targets import answer_shell
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON_LAST, fill_standard_streams
from rtrace.cli.options.completing import complete_runs, complete_targets
from rtrace.cli.options.limit_options import limited
from rtrace.cli.terminal.speaking import say, tell_json, warn
from rtrace.limits import Limits
from rtrace.operations.exchange.settling import open_settled
from rtrace.operations.exchange.shelling import plan_shell, run_shell
from rtrace.replay.grants import Grants

_COMMAND = "rtrace.shell.command"
_SEPARATOR = "--"


class ShellCommand(RtraceCommand):
    """A command that keeps what stands behind two hyphens apart: it is another program's."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Take the program and its arguments away before click looks at them."""
        if _SEPARATOR in args:
            place = args.index(_SEPARATOR)
            ctx.meta[_COMMAND] = tuple(args[place + 1 :])
            args = args[:place]
        return super().parse_args(ctx, args)


@click.command(
    cls=ShellCommand,
    statuses={
        "124": "the time of --timeout was up",
        "126": "the program cannot be executed in the target",
        "127": "the program is not in the target",
        "128+N": "signal N ended it, or interrupted rtrace (130 for Ctrl-C)",
        "other": "that of the shell, or of the program",
    },
    examples=("rtrace shell target", "rtrace shell target run2 -- ls -l"),
)
@JSON_LAST
@limited
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_targets)
@click.argument("name", metavar="[RUN] [-- PROGRAM [ARGUMENT]...]", required=False, shell_complete=complete_runs)
@click.pass_context
def command(
    context: click.Context,
    target: Path,
    name: str | None,
    *,
    as_json: bool,
    limits: Limits,
    allowed: frozenset[str],
) -> None:
    """Start a shell in TARGET as the user, in the folder and with the environment of RUN, or of the first run.

    It is isolated as a replay is, and what it writes stays in TARGET until `rtrace reset`. The shell is the target's
    own bash or sh, or the one that `rtrace unpack --with-shell` added. Behind `--` stands another program to be run in
    its place.
    """
    fill_standard_streams()
    opened = open_settled(target, say)
    arguments = [os.fsencode(argument) for argument in context.meta.get(_COMMAND, ())]
    run = plan_shell(opened, name, arguments)
    outcome = run_shell(opened, run, limits, Grants(calls=allowed))
    for note in outcome.notes:
        warn(note)
    if as_json:
        tell_json(answer_shell(target, name or opened.runs()[0].id, run.argv, outcome))
    sys.exit(outcome.exit_status)
