"""The options of one replay: what of the runs is changed, which files are exchanged, and what is opened to it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

import click

from rtrace.cli.options.completing import complete_exchanged
from rtrace.cli.terminal.speaking import warn
from rtrace.errors import UsageError
from rtrace.operations.replay import Exchange
from rtrace.replay.changing import Changes, find_passed, read_arguments, read_variable
from rtrace.replay.grants import LOOPBACK, Grants, Port

Function = TypeVar("Function", bound=Callable[..., None])

STANDARD_INPUT = "-"
ALL = "all"
LARGEST_PORT = 65535
MOST_DIGITS = 5


def split_pair(text: str, option: str) -> tuple[str, str]:
    """Return the two sides of ``NAME=FILE``. Raises UsageError."""
    name, _, file = text.partition("=")
    if not (name and file):
        raise UsageError(f"{option} {text!r} lacks a name or a file; write {option} NAME=FILE")
    return name, file


def read_exchange(inputs: tuple[str, ...], outputs: tuple[str, ...]) -> Exchange:
    """Return the files that are to be exchanged. Raises UsageError."""
    given: dict[str, Path | None] = {}
    for name, file in (split_pair(text, "-i") for text in inputs):
        if name in given:
            raise UsageError(f"-i {name} is given twice; an input is exchanged once")
        given[name] = None if file == STANDARD_INPUT else Path(file)
    if sum(file is None for file in given.values()) > 1:
        raise UsageError("standard input (-) can be one input only")
    wanted: list[tuple[str, Path]] = []
    everything: Path | None = None
    for name, file in (split_pair(text, "-o") for text in outputs):
        if file == STANDARD_INPUT:
            raise UsageError(f"-o {name}={file}: standard output is the program's; name a file")
        if any(Path(file) == other for _, other in wanted):
            raise UsageError(f"-o {name}={file}: another output goes to this file; name another one")
        if name == ALL:
            everything = Path(file)
        else:
            wanted.append((name, Path(file)))
    return Exchange(tuple(given.items()), tuple(wanted), everything)


def read_port(text: str) -> Port:
    """Read ``HOST:TARGET``, ``ADDRESS:HOST:TARGET`` or ``HOST``, with ``/tcp`` behind it or not. Raises UsageError."""
    ports, _, protocol = text.partition("/")
    if protocol.lower() == "udp":
        raise UsageError(f"--port {text}: only TCP is carried into a replay; with --network it may use UDP itself")
    is_quoted = ports.startswith("[")
    address, _, rest = ports[1:].rpartition("]:") if is_quoted else ("", "", ports)
    numbers = rest.split(":")
    if not is_quoted and len(numbers) > 2:  # noqa: PLR2004 -- two ports
        address, numbers = ":".join(numbers[:-2]), numbers[-2:]
    found = [read_port_number(number) for number in numbers]
    host, target = found[0], found[-1]
    if host is None or target is None or len(found) > 2 or protocol.lower() not in {"", "tcp"}:  # noqa: PLR2004
        raise UsageError(f"--port {text!r} is no port; write HOST:TARGET, for example 8080:80, or ADDRESS:HOST:TARGET")
    return Port(host, target, read_address(address, text))


def read_port_number(text: str) -> int | None:
    """Return a port's number, None for what is none."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS else 0
    return number if 0 < number <= LARGEST_PORT else None


def read_address(address: str, text: str) -> str:
    """Return an address of this machine, by default its loopback. Raises UsageError."""
    if address in {"", "localhost"}:
        return LOOPBACK
    import ipaddress

    try:
        return str(ipaddress.ip_address(address))
    except ValueError:
        raise UsageError(f"--port {text!r}: {address!r} is no address; write one such as 127.0.0.1 or [::1]") from None


def read_changes(cmdline: str | None, variables: tuple[str, ...], patterns: tuple[str, ...]) -> Changes:
    """Return what is changed of the runs. Raises UsageError."""
    passed: tuple[tuple[bytes, bytes], ...] = ()
    if patterns:
        environ = {os.fsencode(name): os.fsencode(value) for name, value in os.environ.items()}
        passed = find_passed(patterns, environ)
        for pattern in patterns:
            if not find_passed((pattern,), environ):
                warn(f"--pass-env {pattern}: you have no variable of such a name")
    arguments = None if cmdline is None else read_arguments(cmdline)
    return Changes(arguments, tuple(map(read_variable, variables)), passed)


CHANGING = (
    click.option(
        "-i",
        "inputs",
        multiple=True,
        metavar="NAME=FILE",
        shell_complete=complete_exchanged,
        help="Use FILE for the input NAME in this replay; `-` is standard input.",
    ),
    click.option(
        "-o",
        "outputs",
        multiple=True,
        metavar="NAME=FILE",
        shell_complete=complete_exchanged,
        help="Copy the output NAME to FILE afterwards; all=DIR: all of them to a folder.",
    ),
    click.option("--cmdline", metavar="ARGS", help="Give the program these arguments instead of the recorded ones."),
    click.option(
        "--env",
        "variables",
        multiple=True,
        metavar="NAME[=VALUE]",
        help="Set a variable of the environment; without a value, remove it.",
    ),
    click.option(
        "--pass-env", "patterns", multiple=True, metavar="PATTERN", help="Pass on your variables of such names (A_*)."
    ),
)
OPENING = (
    click.option("--network", is_flag=True, help="Give it this machine's network."),
    click.option(
        "--port",
        "ports",
        multiple=True,
        metavar="[ADDRESS:]HOST[:TARGET]",
        help="Lead this machine's TCP port HOST to its port TARGET.",
    ),
    click.option("--x11", "display", is_flag=True, help="Show it your display (X11, Wayland)."),
    click.option("--gpu", is_flag=True, help="Show it the graphics processors."),
)


def changing(function: Function) -> Function:
    """Add the options to a command that change runs and exchange files: it gets ``changes`` and ``exchange``."""

    @functools.wraps(function)
    def command(
        *arguments: object,
        inputs: tuple[str, ...],
        outputs: tuple[str, ...],
        cmdline: str | None,
        variables: tuple[str, ...],
        patterns: tuple[str, ...],
        **options: object,
    ) -> None:
        changes = read_changes(cmdline, variables, patterns)
        function(*arguments, changes=changes, exchange=read_exchange(inputs, outputs), **options)

    for option in reversed(CHANGING):
        command = option(command)
    return command  # type: ignore[return-value]  # what wraps() gives has the function's type


def granting(function: Function) -> Function:
    """Add the options to a command that open something to a replay: it gets ``grants``, with what `limited` allows."""

    @functools.wraps(function)
    def command(
        *arguments: object,
        network: bool,
        ports: tuple[str, ...],
        display: bool,
        gpu: bool,
        allowed: frozenset[str],
        **options: object,
    ) -> None:
        grants = Grants(network, tuple(map(read_port, ports)), display, gpu, allowed)
        function(*arguments, grants=grants, **options)

    for option in reversed(OPENING):
        command = option(command)
    return command  # type: ignore[return-value]  # what wraps() gives has the function's type
