"""The options that say what a replay may use: limits, and what is opened to it by name."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import TypeVar

import click

from rtrace.cli.options.common import parse_size
from rtrace.limits import ALLOWABLE, DEFAULT_LIMITS, Limits

Function = TypeVar("Function", bound=Callable[..., None])

SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86400}
NONE = "none"
LONGEST = 1e9
MOST_PROCESSES = 1 << 22
"""More the kernel does not have; see proc(5), pid_max."""


def read_size(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Read a number of bytes above 0; ``none`` is no limit."""
    if value is None or value == NONE:
        return None
    size = parse_size(value)
    if size == 0:
        raise click.BadParameter("nothing can run within 0 bytes; write `none` for no limit")
    return size


def read_time(_context: click.Context, _option: click.Parameter, value: str | None) -> float | None:
    """Read a time in seconds, or one with s, m, h or d behind it, as timeout(1) takes it."""
    if value is None or value == NONE:
        return None
    number, factor = (value[:-1], SECONDS[value[-1]]) if value[-1:] in SECONDS else (value, 1)
    try:
        seconds = float(number) * factor
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < LONGEST:
        raise click.BadParameter(f"{value!r} is not a time; write seconds, or for example 90s, 10m, 2h")
    return seconds


def read_count(_context: click.Context, _option: click.Parameter, value: str | None) -> int | None:
    """Read a number of processes above 0; ``none`` is no limit."""
    if value is None or value == NONE:
        return None
    if not (value.isascii() and value.isdigit() and 0 < int(value) < MOST_PROCESSES):
        raise click.BadParameter(f"{value!r} is not a number of processes; write 1 or more, or `none`")
    return int(value)


OPTIONS = (
    click.option(
        "--timeout", callback=read_time, metavar="TIME", help="End each run after this time, with status 124."
    ),
    click.option("--memory", callback=read_size, metavar="SIZE", help="Memory of all its processes together."),
    click.option("--cpus", type=click.FloatRange(min=0.01), metavar="N", help="Processors it may use."),
    click.option(
        "--pids",
        "processes",
        callback=read_count,
        metavar="N",
        default=str(DEFAULT_LIMITS.processes),
        show_default=True,
        help="Processes and threads at a time, or `none`.",
    ),
    click.option(
        "--max-output",
        "output",
        callback=read_size,
        metavar="SIZE",
        default="1G",
        show_default=True,
        help="What it may print, or `none`.",
    ),
    click.option("--disk", callback=read_size, metavar="SIZE", help="What it may write to the target's disk."),
    click.option(
        "--allow",
        "allowed",
        multiple=True,
        type=click.Choice(tuple(ALLOWABLE)),
        metavar="NAME",
        help=f"Allow what a replay is otherwise refused: {', '.join(ALLOWABLE)}.",
    ),
)


def limited(function: Function) -> Function:
    """Add the options to a command, which gets them as ``limits`` and ``allowed``."""

    @functools.wraps(function)
    def command(
        *arguments: object,
        timeout: float | None,
        memory: int | None,
        cpus: float | None,
        processes: int | None,
        output: int | None,
        disk: int | None,
        allowed: tuple[str, ...],
        **options: object,
    ) -> None:
        limits = Limits(timeout, memory, cpus, processes, output, disk)
        function(*arguments, limits=limits, allowed=frozenset(allowed), **options)

    for option in reversed(OPTIONS):
        command = option(command)
    return command  # type: ignore[return-value]  # what wraps() gives has the function's type
