"""What every command is: one with the options that all of them share, and exit statuses and examples in its help."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterable, Mapping
from typing import Any

import click

from rtrace.cli.options.shared_options import SharedOption, make_shared_options
from rtrace.errors import ForeignSystemError

HELP_NAMES = ("-h", "--help")
DONE = {"0": "it is done"}
ALWAYS = {
    "2": "wrong usage",
    "125": "rtrace itself failed; the reason is on standard error",
    "128+N": "interrupted by signal N (130 for Ctrl-C)",
}
"""What the exit statuses of all commands mean."""


class RtraceCommand(click.Command):
    """A command with the shared options, which its function does not see.

    ``statuses`` tells what its exit statuses mean besides those of all commands; ``examples`` are lines for a shell.
    A command that works on Linux alone says for what it ``needs`` that.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401 -- what click gives it
        statuses: Mapping[str, str] = DONE,
        examples: Iterable[str] = (),
        needs: str = "",
        **settings: Any,  # noqa: ANN401 -- what click gives it
    ) -> None:
        """Add the shared options, and -h unless the command has another use for it."""
        super().__init__(*arguments, **settings)
        self._needs = needs
        self.statuses = sort_statuses({**ALWAYS, **statuses})
        self.examples = tuple(examples)
        self.context_settings.setdefault("help_option_names", list(HELP_NAMES))
        self.params += make_shared_options()

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401 -- what click returns
        """Call the command's function, with the collector that `rtrace.cli.main` switched off.

        Raises ForeignSystemError where the command cannot work on this system.
        """
        if self._needs:
            refuse_elsewhere(self._needs)
        gc.freeze()
        gc.enable()
        return super().invoke(ctx)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options, and after them those that all commands share."""
        write_options(self, ctx, formatter)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 -- click's signature
        """List the exit statuses and the examples."""
        write_ending(formatter, self.statuses, self.examples)


def refuse_elsewhere(purpose: str) -> None:
    """Raise ForeignSystemError on a system that is not Linux, which alone can do what is to be done."""
    if not sys.platform.startswith("linux"):
        raise ForeignSystemError(f"only Linux can {purpose}; run rtrace there, or in a virtual machine of Linux")


def sort_statuses(statuses: Mapping[str, str]) -> dict[str, str]:
    """Return exit statuses in their order; one that is no number (`other`) is the last."""

    def order(item: tuple[str, str]) -> int:
        digits = item[0].partition("+")[0]
        return int(digits) if digits.isdigit() else 256

    return dict(sorted(statuses.items(), key=order))


Records = list[tuple[str, str]]
"""Options, as they are written, with their help."""


def list_options(command: click.Command, ctx: click.Context) -> tuple[Records, Records]:
    """Return the options of a command: its own, and those that all commands share."""
    own: Records = []
    shared: Records = []
    help_option = command.get_help_option(ctx)
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            is_shared = isinstance(param, SharedOption) or param == help_option
            (shared if is_shared else own).append(record)
    return own, shared


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of a command in two sections."""
    own, shared = list_options(command, ctx)
    for title, records in (("Options", own), ("Options of all commands", shared)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


def write_ending(formatter: click.HelpFormatter, statuses: Mapping[str, str], examples: Iterable[str]) -> None:
    """Write what exit statuses mean, and examples as they are typed."""
    with formatter.section("Exit status"):
        formatter.write_dl(list(statuses.items()))
    lines = list(examples)
    if lines:
        indent = " " * (formatter.current_indent + 2)
        with formatter.section("Examples" if len(lines) > 1 else "Example"):
            formatter.write("".join(f"{indent}{line}\n" for line in lines))
