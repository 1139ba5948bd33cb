"""``rtrace schema``: what a manifest may say, for an editor to know."""

from __future__ import annotations

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.speaking import give
from rtrace.manifest.schema import read_schema


@click.command(cls=RtraceCommand)
def command() -> None:
    """Print the JSON Schema of the manifest, with which an editor completes its keys and explains them.

    \b
    For an editor with a YAML language server:
      rtrace schema > manifest.schema.json
    and, as first line of the manifest:
      # yaml-language-server: $schema=/path/to/manifest.schema.json
    """  # noqa: D301 -- \b is click's mark for lines that stay as they are
    give(read_schema().encode())
