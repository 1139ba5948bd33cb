"""``rtrace destroy``: remove a target and everything that belongs to it."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.replays.replaying import answer_destroy
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_targets
from rtrace.cli.terminal.speaking import give_json, say
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.operations.destroy import destroy


@click.command(cls=RtraceCommand, examples=("rtrace destroy target",))
@JSON
@click.argument("target", type=click.Path(path_type=Path), shell_complete=complete_targets)
def command(target: Path, *, as_json: bool) -> None:
    """Remove TARGET, a folder that `rtrace unpack` made, with all that belongs to it (containers, images).

    If this was killed, call it again: it goes on where it stopped.
    """
    destroy(target, tell_cleaned(target.absolute().parent))
    if as_json:
        give_json(answer_destroy(target))
    else:
        say(f"removed {target}")
