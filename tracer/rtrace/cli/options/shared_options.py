"""The options that all commands have, and that may stand before a command's name as well."""

from __future__ import annotations

from typing import Any

import click

from rtrace.cli.terminal.manner import QUIET, VERBOSE, WHEN, set_color, set_level


class SharedOption(click.Option):
    """An option that all commands have. Its callback acts on it at once, before other options are looked at."""

    def __init__(self, *arguments: Any, **settings: Any) -> None:  # noqa: ANN401 -- what click gives it
        """Keep the option from the command's function."""
        super().__init__(*arguments, expose_value=False, is_eager=True, **settings)


def make_shared_options() -> list[click.Parameter]:
    """Return the options that all commands have."""
    return [
        SharedOption(["-v", "--verbose"], is_flag=True, callback=_be_verbose, help="Tell more."),
        SharedOption(["-q", "--quiet"], is_flag=True, callback=_be_quiet, help="Tell only what is wrong."),
        SharedOption(
            ["--color"],
            type=click.Choice(WHEN),
            callback=_set_color,
            help="Colour errors, warnings and verdicts.  [default: auto]",
        ),
        SharedOption(
            ["--debug"], is_flag=True, callback=_debug, help="Tell what is tried and decided, and crashes in full."
        ),
    ]


def _be_verbose(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value and not context.resilient_parsing:
        set_level(VERBOSE)


def _be_quiet(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value and not context.resilient_parsing:
        set_level(QUIET)


def _set_color(context: click.Context, _option: click.Parameter, value: str | None) -> None:
    if value is not None and not context.resilient_parsing:
        set_color(value)


def _debug(context: click.Context, _option: click.Parameter, value: bool) -> None:  # noqa: FBT001 -- click's signature
    if value and not context.resilient_parsing:
        from rtrace.cli.terminal.debug_output import begin_debugging

        begin_debugging(asked=True)
