"""Options of the commands that ask a registry."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

_PLAIN_HTTP = click.option(
    "--plain-http", is_flag=True, help="Ask without TLS; a registry on this machine needs no such word."
)
_CA = click.option(
    "--ca",
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="Certificates, in PEM, of an authority to trust besides this machine's.",
)


def registry_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options to a command."""
    return _PLAIN_HTTP(_CA(command))


def refuse_both(*, plain_http: bool, ca: Path | None) -> None:
    """Raise UsageError for options that contradict each other."""
    if plain_http and ca is not None:
        from rtrace.errors import UsageError

        raise UsageError("--plain-http and --ca contradict each other; choose one")
