"""The commands by name: one module for each, loaded when it is called."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

from rtrace import __version__
from rtrace.cli.frame.command import ALWAYS, HELP_NAMES, sort_statuses, write_ending, write_options
from rtrace.cli.options.shared_options import make_shared_options

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

GROUPS = {
    "Record": {
        "trace": "Run a command and record everything it reads, runs and writes.",
        "combine": "Join the runs of several trace directories in a new one.",
        "pack": "Write what the traced runs need into one bundle.",
    },
    "Look": {
        "info": "Show what a bundle contains: runs, machine, packages, inputs, outputs.",
        "list": "List the files of a bundle.",
        "extract": "Copy files out of a bundle without unpacking it.",
        "check": "Check that a bundle is intact (runs nothing).",
        "audit": "Look for passwords, keys and tokens in a bundle.",
        "status": "Tell which runs would no longer give on this machine what was recorded.",
        "drift": "Compare the packages that a project declares with those that a run used.",
        "doctor": "Show what works on this machine, and what killed processes left.",
    },
    "Replay": {
        "replay": "Replay the runs of a target, or of a bundle in a temporary target (also: run).",
        "verify": "Replay a bundle in isolation and compare the results with the original ones.",
        "unpack": "Make a target from a bundle: a chroot tree, a Docker image.",
        "upload": "Replace an input of a target, or bring back the packed one; list the inputs.",
        "download": "Copy outputs out of a target; list the outputs.",
        "reset": "Bring a target back to the packed state.",
        "shell": "Look around in a target: a shell, or any program, isolated as a replay is.",
        "targets": "List what was unpacked where.",
        "destroy": "Remove a target and everything that belongs to it.",
        "cache": "Show or remove the unpacked files that are kept for the next replay.",
    },
    "History": {
        "log": "List the runs of the history.",
        "show": "Show the record of a run: who ran what, when, where, on what and why.",
        "search": "Find runs by words in what was said, run, read, written or printed.",
        "blame": "Tell which run made a file.",
        "diff": "Tell what differs between two runs.",
        "annotate": "Say why a run was made and what came of it; give it tags or a label.",
        "rerun": "Run stale or chosen runs of a trace again, in their order.",
        "repeat": "Run a command again as it was recorded, and compare the results.",
        "forget": "Remove runs from the history.",
        "import": "Take records into the history: of bundles, trace directories, dumps, other tools.",
        "sync": "Give two histories what the other one has.",
        "web": "Show the history in a browser: search, runs, files, graphs, comparisons.",
    },
    "Publish": {
        "export": "Write a bundle in another format.",
        "appendix": "Write the appendix for an artefact committee, and metadata for archives.",
        "figure": "Say in a figure which run made it; check the figures of a LaTeX document.",
        "push": "Send a bundle to a registry of container images.",
        "pull": "Fetch a bundle from a registry of container images.",
    },
    "Help": {
        "help": "Show the help of a command.",
        "completion": "Print what makes a shell complete commands, options and files.",
        "schema": "Print the manifest's JSON Schema, for completion in an editor.",
    },
}
COMMANDS = {name: summary for commands in GROUPS.values() for name, summary in commands.items()}
SYNONYMS = {"run": "replay"}
"""Other names, each a command's own as well."""

STATUSES = sort_statuses(
    {
        "0": "it is done",
        "1": "`verify`, `repeat`, `diff`, `drift`: something differs; `check`: the bundle is damaged; `audit`: there"
        " may be secrets; commands on the history: there is no such run",
        "3": "`verify`, `repeat`: a result could not be judged; `drift`: nothing is declared, or known",
        **ALWAYS,
        "other": "`trace`, `replay`: that of the program; 128+N when signal N ended it",
    }
)
EXAMPLES = ("rtrace trace ./run.sh", "rtrace pack", "rtrace verify bundle.rpz")


class LazyGroup(click.Group):
    """A group that knows its commands by name, and imports the module of the one that is called."""

    statuses, examples = STATUSES, EXAMPLES

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 -- what click gives it
        """Add the options that all commands share."""
        super().__init__(*arguments, **settings)
        self.params += make_shared_options()

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        """Return the names of the commands in the order in which a person meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - click's signature
        """Import a command's module, which defines ``command``."""
        name = SYNONYMS.get(cmd_name, cmd_name)
        if name not in COMMANDS:
            return None
        command: click.Command = import_module(f"rtrace.cli.{name}").command
        command.short_help = COMMANDS[name]
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called. Raises click.UsageError, which names one that may have been meant."""
        if args[0] not in COMMANDS and args[0] not in SYNONYMS and not ctx.resilient_parsing:
            ctx.fail(explain_unknown(args[0]))
        return super().resolve_command(ctx, args)

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """Return the commands, or the options, that begin as typed; no command is imported."""
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from click.shell_completion import CompletionItem

        return [CompletionItem(name, help=text) for name, text in COMMANDS.items() if name.startswith(incomplete)]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands, and then the options of all of them."""
        self.format_commands(ctx, formatter)
        write_options(self, ctx, formatter)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the commands without importing them."""
        width = max(map(len, COMMANDS))
        for title, commands in GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), summary) for name, summary in commands.items()])

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the exit statuses and examples."""
        write_ending(formatter, STATUSES, EXAMPLES)


def explain_unknown(name: str) -> str:
    """Return a sentence on a command that does not exist."""
    from rtrace.printable import suggest

    meant = suggest(name, (*COMMANDS, *SYNONYMS))
    return f"there is no command {name!r}{meant}" if meant else f"there is no command {name!r}; `rtrace help` lists all"


@click.group(cls=LazyGroup, context_settings={"max_content_width": 100, "help_option_names": list(HELP_NAMES)})
@click.version_option(__version__, "-V", "--version", prog_name="rtrace", message="%(prog)s %(version)s")
def rtrace() -> None:
    """Record any command, and get one file that anyone can use to replay the run and check its results."""
