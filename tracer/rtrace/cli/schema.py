"""``rtrace schema``: what a manifest may say, and what commands answer with --json."""

from __future__ import annotations

import click

from rtrace.answers.schema import ANSWERS, DOCUMENTS, make_document_schema, make_schema
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.terminal.speaking import give, give_json_line
from rtrace.manifest.schema import read_schema


@click.command(
    cls=RtraceCommand,
    examples=("rtrace schema > manifest.schema.json", "rtrace schema --of record > record.schema.json"),
)
@click.option(
    "--of",
    "answering",
    type=click.Choice(sorted({*ANSWERS, *DOCUMENTS})),
    metavar="COMMAND|record",
    help="What this command answers with --json, or the record of a run.",
)
def command(answering: str | None) -> None:
    """Print the manifest's JSON Schema, with which an editor completes and explains its keys; or that of an answer.

    An editor with a YAML language server finds it by the manifest's first line:

    # yaml-language-server: $schema=/path/to/manifest.schema.json
    """
    if answering is None:
        give(read_schema().encode())
        return
    import json

    make = make_document_schema if answering in DOCUMENTS else make_schema
    give_json_line(json.dumps(make(answering), indent=2) + "\n")
