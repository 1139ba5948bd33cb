"""``rtrace export``: a bundle as a file of another kind."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.answers.recording import answer_export
from rtrace.answers.words import write_identity
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import FETCH, FROM, JSON
from rtrace.cli.options.completing import complete_bundles, complete_formats
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.manifest.incompleteness import MARK
from rtrace.printable import count, format_size

if TYPE_CHECKING:
    from rtrace.bundle.protocol import Exported


class FormatOption(click.Option):
    """An option whose help names the formats that are installed."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Look for formats only when somebody reads the help."""
        from rtrace.exports.registry import list_exporters

        self.help = f"The other format: {', '.join(list_exporters())}."
        return super().get_help_record(ctx)


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace export bundle.rpz --format reprozip",
        "rtrace export bundle.rpz --format reprozip -o other.rpz",
        "rtrace export bundle.rpz --format oci",
    ),
)
@click.option(
    "-f",
    "--format",
    "form",
    cls=FormatOption,
    metavar="FORMAT",
    required=True,
    shell_complete=complete_formats,
)
@JSON
@FETCH
@FROM
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The new file.  [default: the bundle's name with the format's ending]",
)
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(
    bundle: Path, *, as_json: bool, form: str, output: Path | None, fetch: bool, folders: tuple[Path, ...]
) -> None:
    """Write BUNDLE in another format.

    The format `oci` is an image for Docker, Podman and whatever takes images of the Open Container Initiative; no
    engine is needed to write it. A container of it replays the runs, and `docker run IMAGE verify` compares what they
    leave with the original's. The format `reprozip` is ReproZip's, version 2, which `reprounzip` unpacks and runs;
    rtrace reads such a file as it reads BUNDLE, and loses nothing. What the other format has no place for is told.
    """
    from rtrace.elsewhere.sources import Sources
    from rtrace.exports.registry import load_exporter
    from rtrace.operations.export import export, name_export

    output = output or name_export(bundle, form)
    tell_cleaned(output.parent)
    written = export(bundle, form, output, progress=progress(), sources=Sources(folders, fetch))
    if as_json:
        give_json(answer_export(written, form))
    else:
        tell(written, load_exporter(form).readers)


def tell(written: Exported, readers: str) -> None:
    """Say what was written, how it is used, and what of it its readers will not know."""
    for sentence in written.incomplete:
        warn(f"{MARK}: {sentence}")
    for loss in written.losses:
        warn(f"not for {readers}: {loss.what}; {loss.advice}")
    size = format_size(written.target.stat().st_size)
    say(f"wrote {count(written.files, 'file')} into {written.target} ({size}), for {readers}")
    for note in written.notes:
        say(note)
    say(f"identity: {write_identity(written.identity)}")
