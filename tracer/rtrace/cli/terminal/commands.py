"""The commands by name: one module for each, loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

from rtrace import __version__
from rtrace.cli.terminal.command import HELP_NAMES, make_shared_options, write_options

COMMANDS = {
    "trace": "Run a command and note everything that it looks at.",
    "combine": "Bring the runs of several trace directories together in one.",
    "pack": "Write what the traced runs need into one bundle.",
    "export": "Write a bundle once more, in the format of ReproZip.",
    "info": "Tell what a bundle holds: runs, machine, packages, inputs, outputs.",
    "list": "List the files of a bundle.",
    "extract": "Fetch files out of a bundle without unpacking it.",
    "check": "Read all of a bundle and compare every digest.",
    "audit": "Look for passwords, keys and tokens in a bundle.",
    "unpack": "Make a target from a bundle: a chroot tree, a Docker image.",
    "run": "Replay the runs of a target, or of a bundle in a throw-away target.",
    "verify": "Replay a bundle in isolation and compare every output with the original.",
    "destroy": "Remove a target and everything that belongs to it.",
    "doctor": "Tell what works on this machine, and remove what killed processes left.",
    "schema": "Print the JSON Schema of the manifest, for an editor to know.",
}

EXIT_STATUSES = """\b
Exit status:
  that of the program for `trace` and `run` (128+N when signal N ended it)
  0 or 1 for `verify`: all outputs are the same, or not; 3 when a limit ended a replay, 124 when its time was up
  0 or 1 for `check`: the bundle is whole, or not
  0 or 1 for `audit`: nothing that looks like a secret was found, or something
  2    wrong usage
  125  rtrace itself failed; the reason is on standard error
  126  the command to trace is not executable
  127  the command to trace was not found
  128+N  interrupted by signal N (130 for Ctrl-C); what was half done is removed
  141  nobody reads standard output any more
"""

EXAMPLE = """\b
Example:
  rtrace trace ./run.sh
  rtrace pack
  rtrace verify bundle.rpz
"""


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports the module of the one that is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Name the commands in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command's module, which defines ``command``."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(f"rtrace.cli.{cmd_name}").command
        command.short_help = COMMANDS[cmd_name]
        return command

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 -- what click gives it
        """Add the options that all commands share."""
        super().__init__(*arguments, **settings)
        self.params += make_shared_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the options of all commands, and then the commands."""
        write_options(self, ctx, formatter)
        self.format_commands(ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(list(COMMANDS.items()))


@click.group(
    cls=LazyGroup,
    epilog=EXAMPLE + "\n" + EXIT_STATUSES,
    context_settings={"max_content_width": 100, "help_option_names": list(HELP_NAMES)},
)
@click.version_option(__version__, "-V", "--version", prog_name="rtrace", message="%(prog)s %(version)s")
def rtrace() -> None:
    """Run any command, and get one file from which anybody can replay that run and prove its results."""
