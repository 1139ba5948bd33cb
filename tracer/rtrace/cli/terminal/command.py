"""What every command is: one with the options that all of them share, and exit statuses and an example in its help."""

from __future__ import annotations

import click

from rtrace.cli.terminal.manner import QUIET, VERBOSE, WHEN, set_color, set_level

HELP_NAMES = ("-h", "--help")


class RtraceCommand(click.Command):
    """A command with the shared options, which its function does not see."""

    def __init__(self, *arguments: object, **settings: object) -> None:
        """Add the shared options, and the names of --help unless the command uses them otherwise."""
        super().__init__(*arguments, **settings)  # type: ignore[arg-type]  # what click gives it
        self.context_settings.setdefault("help_option_names", list(HELP_NAMES))
        self.params += make_shared_options()

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the command's own options, and after them those that all commands share."""
        write_options(self, ctx, formatter)


def write_options(command: click.Command, ctx: click.Context, formatter: click.HelpFormatter) -> None:
    """Write the options of a command in two sections: its own, and those that all commands share."""
    own: list[tuple[str, str]] = []
    shared: list[tuple[str, str]] = []
    for param in command.get_params(ctx):
        record = param.get_help_record(ctx) if isinstance(param, click.Option) else None
        if record is not None:
            is_own = not isinstance(param, SharedOption) and param.name != "help"
            (own if is_own else shared).append(record)
    for title, records in (("Options", own), ("Shared options", shared)):
        if records:
            with formatter.section(title):
                formatter.write_dl(records)


class SharedOption(click.Option):
    """An option that all commands have, and that may stand before the command's name as well."""


def make_shared_options() -> list[click.Parameter]:
    """Return the options that all commands have."""
    return [
        SharedOption(
            ["-v", "--verbose"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_be_verbose,
            help="Tell more.",
        ),
        SharedOption(
            ["-q", "--quiet"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_be_quiet,
            help="Tell only what is wrong.",
        ),
        SharedOption(
            ["--color"],
            type=click.Choice(WHEN),
            expose_value=False,
            is_eager=True,
            callback=_set_color,
            help="Colour errors, warnings and verdicts.  [default: auto]",
        ),
        SharedOption(
            ["--debug"],
            is_flag=True,
            expose_value=False,
            is_eager=True,
            callback=_debug,
            help="Tell what is probed and decided, and a crash in full.",
        ),
    ]


def _be_verbose(_context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value:
        set_level(VERBOSE)


def _be_quiet(_context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value:
        set_level(QUIET)


def _set_color(_context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None:
        set_color(value)


def _debug(_context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value:
        from rtrace.cli.terminal.debug_output import begin_debugging

        begin_debugging(asked=True)
