"""``rtrace push``: a bundle into a registry."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.options.registry_options import refuse_both, registry_options
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say
from rtrace.printable import format_size


@click.command(
    cls=RtraceCommand,
    statuses={"0": "the registry has the bundle"},
    examples=(
        "rtrace push bundle.rpz registry.example.org/ada/study:1.0",
        "rtrace push bundle.rpz localhost:5000/study",
    ),
)
@registry_options
@JSON
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("reference")
def command(bundle: Path, reference: str, *, as_json: bool, plain_http: bool, ca: Path | None) -> None:
    """Send BUNDLE to the registry of container images that REFERENCE begins with, under its name and tag.

    It is there an artifact of the OCI image specification, with the bundle as it is for its content. Nothing is sent
    twice: a bundle that is there gets another tag, and a push that was interrupted goes on. Shown is the reference by
    digest, which always means this bundle. Who you are is taken from where `docker login` or `podman login` keeps it.
    """
    refuse_both(plain_http=plain_http, ca=ca)
    from rtrace.operations.publishing.pushing import push_bundle
    from rtrace.registry.client import Manner

    pushed = push_bundle(bundle, reference, Manner(plain_http=plain_http, ca=ca), progress=progress(), tell=say)
    if as_json:
        from rtrace.answers.publishing import answer_push

        give_json(answer_push(pushed))
        return
    size = format_size(pushed.content.size)
    name = pushed.reference.name if pushed.reference.tag is None else f"{pushed.reference.name}:{pushed.reference.tag}"
    say(f"pushed {bundle} ({size}) to {name}" if pushed.sent else f"{bundle} ({size}) was there; {name} has it now")
    if pushed.replaced is not None:
        say(f"the tag had another bundle or image before: {pushed.reference.by_digest(pushed.replaced)}")
    say(f"by digest: {pushed.reference.by_digest(pushed.digest)}")
    say(f"identity: {pushed.identity}")
