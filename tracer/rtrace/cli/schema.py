"""``rtrace schema``: what a manifest may say, for completion in an editor."""

from __future__ import annotations

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.speaking import give
from rtrace.manifest.schema import read_schema


@click.command(cls=RtraceCommand, examples=("rtrace schema > manifest.schema.json",))
def command() -> None:
    """Print the manifest's JSON Schema, with which an editor completes and explains its keys.

    An editor with a YAML language server finds it by the manifest's first line:

    # yaml-language-server: $schema=/path/to/manifest.schema.json
    """
    give(read_schema().encode())
