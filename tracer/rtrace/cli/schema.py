"""``rtrace schema``: what a manifest may say, and what commands answer with --json."""

from __future__ import annotations

import click

from rtrace.answers.schema import ANSWERS, make_schema
from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.speaking import give, give_json_line
from rtrace.manifest.schema import read_schema


@click.command(cls=RtraceCommand)
@click.option("--of", "answering", type=click.Choice(sorted(ANSWERS)), help="What this command answers with --json.")
def command(answering: str | None) -> None:
    """Print the JSON Schema of the manifest, for completion and explanations in an editor; or that of an answer.

    \b
    For an editor with a YAML language server:
      rtrace schema > manifest.schema.json
    and, as first line of the manifest:
      # yaml-language-server: $schema=/path/to/manifest.schema.json
    """  # noqa: D301 -- \b is click's mark for lines that stay as they are
    if answering is None:
        give(read_schema().encode())
        return
    import json

    give_json_line(json.dumps(make_schema(answering), indent=2) + "\n")
