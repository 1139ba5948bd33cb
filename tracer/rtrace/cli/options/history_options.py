"""Options of the commands on the history: which runs are wanted."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from rtrace.record.query import Query

Function = TypeVar("Function", bound=Callable[..., object])

STATUSES = ("succeeded", "failed", "killed", "crashed", "unknown")
KINDS = ("run", "replay", "verification")
_DIGEST = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


NO_RUN = {"1": "there is no such run"}
"""The exit status of commands that take a RUN and compare nothing."""
NO_HISTORY = click.option("--no-history", is_flag=True, help="Do not add this to the history.")


def read_moment_option(_context: click.Context, option: click.Parameter, text: str | None) -> int | None:
    """Read a moment."""
    if text is None:
        return None
    from rtrace.operations.history.moments import read_moment

    try:
        return read_moment(text, last=option.name == "until")
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


def read_digest(_context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Read a SHA-256."""
    if text is None:
        return None
    found = _DIGEST.fullmatch(text.lower())
    if found is None:
        raise click.BadParameter(f"{text!r} is no SHA-256; write its 64 digits", param=option)
    return found[1]


def read_parameters(
    _context: click.Context, option: click.Parameter, texts: tuple[str, ...]
) -> tuple[tuple[str, str], ...]:
    """Read parameters with their values."""
    pairs = []
    for text in texts:
        name, equals, value = text.partition("=")
        if not (name and equals):
            raise click.BadParameter(f"{text!r} is no parameter with its value; write NAME=VALUE", param=option)
        pairs.append((name, value))
    return tuple(pairs)


_FILTERS = (
    click.option("-t", "--tag", metavar="TAG", help="Only runs with this tag."),
    click.option("--project", metavar="NAME", help="Only runs of this project."),
    click.option(
        "--since",
        metavar="TIME",
        callback=read_moment_option,
        help="Only runs from then on: 2026-11-30, yesterday, 3d.",
    ),
    click.option("--until", metavar="TIME", callback=read_moment_option, help="Only runs before that, or on that day."),
    click.option("--status", type=click.Choice(STATUSES), help="Only runs that ended so."),
    click.option("--kind", type=click.Choice(KINDS), help="Only what was run, replayed or verified."),
    click.option(
        "--file", metavar="FILE", help="Only runs that read or wrote this path, or a file of this name in any folder."
    ),
    click.option(
        "--digest", metavar="SHA256", callback=read_digest, help="Only runs that read or wrote a file of this content."
    ),
    click.option(
        "--param",
        "parameters",
        metavar="NAME=VALUE",
        multiple=True,
        callback=read_parameters,
        help="Only runs with this parameter (several times: with all of them).",
    ),
)


def filtered(function: Function) -> Function:
    """Return a command with the options that choose runs; `make_query` makes one value of them."""
    for option in reversed(_FILTERS):
        function = option(function)
    return function


def make_query(filters: Mapping[str, Any], words: tuple[str, ...], limit: int | None) -> Query:
    """Return what is asked for by the options of `filtered` and by free text."""
    from rtrace.record.query import Query

    file = filters.get("file")
    if file is not None and "/" in file:
        file = os.path.abspath(file)
    return Query(
        tag=filters.get("tag"),
        project=filters.get("project"),
        since=filters.get("since"),
        until=filters.get("until"),
        status=filters.get("status"),
        kind=filters.get("kind"),
        file=None if file is None else os.fsencode(file),
        digest=filters.get("digest"),
        parameters=filters.get("parameters") or (),
        text=" ".join(words),
        limit=limit,
    )
