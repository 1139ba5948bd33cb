"""``rtrace help``: the help of rtrace, or of a command."""

from __future__ import annotations

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.terminal.speaking import give


def complete_names(context: click.Context, _param: click.Parameter, current: str) -> list[str]:
    """Return the names of the commands that begin as typed."""
    above = context.parent
    names = above.command.list_commands(above) if above and isinstance(above.command, click.Group) else []
    return [name for name in names if name.startswith(current)]


@click.command(cls=RtraceCommand, examples=("rtrace help", "rtrace help trace"))
@click.argument("name", metavar="[COMMAND]", required=False, shell_complete=complete_names)
@click.pass_context
def command(context: click.Context, name: str | None) -> None:
    """Show the help of COMMAND, or an overview of all commands."""
    above = context.parent
    if above is None or not isinstance(above.command, click.Group):
        raise click.UsageError("there are no other commands")
    shown = above
    if name is not None:
        _name, found, _rest = above.command.resolve_command(above, [name])
        if found is not None:
            shown = found.make_context(name, [], parent=above, resilient_parsing=True)
    give(f"{shown.get_help()}\n".encode())
