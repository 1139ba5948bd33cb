"""``rtrace pull``: a bundle out of a registry."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.registry_options import refuse_both, registry_options
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say
from rtrace.printable import format_size


@click.command(
    cls=RtraceCommand,
    statuses={"0": "the bundle is here, whole, and what the registry promised"},
    examples=(
        "rtrace pull registry.example.org/ada/study:1.0",
        "rtrace pull localhost:5000/study@sha256:DIGEST paper.rpz",
    ),
)
@registry_options
@JSON
@click.argument("reference")
@click.argument("file", required=False, type=click.Path(path_type=Path))
def command(reference: str, file: Path | None, *, as_json: bool, plain_http: bool, ca: Path | None) -> None:
    """Fetch the bundle that REFERENCE means, and write it as the new FILE, by default called as the repository is.

    FILE is there when all of it is, with the digest that the registry promised and the identity that `rtrace push`
    told. What was fetched before an interruption is kept beside it, in FILE.part-..., and the same command goes on.
    Only a reference by digest always means the same bundle: a tag can be moved.
    """
    refuse_both(plain_http=plain_http, ca=ca)
    from rtrace.operations.publishing.pulling import pull_bundle
    from rtrace.registry.client import Manner

    pulled = pull_bundle(reference, file, Manner(plain_http=plain_http, ca=ca), progress=progress(), tell=say)
    if as_json:
        from rtrace.answers.publishing import answer_pull

        give_json(answer_pull(pulled))
        return
    say(f"wrote {pulled.path} ({format_size(pulled.size)})")
    say(f"by digest: {pulled.reference.by_digest(pulled.digest)}")
    say(f"identity: {pulled.identity}")
