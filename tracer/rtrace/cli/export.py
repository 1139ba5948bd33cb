"""``rtrace export``: a bundle in another format."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.answers.recording import answer_export
from rtrace.answers.words import write_identity
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles, complete_formats
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.printable import count, format_size

if TYPE_CHECKING:
    from rtrace.bundle.protocol import Exported


class FormatOption(click.Option):
    """An option whose help names the formats that are installed."""

    def get_help_record(self, ctx: click.Context) -> tuple[str, str] | None:
        """Look for formats only when somebody reads the help."""
        from rtrace.opening import list_writable_formats

        self.help = f"The other format: {', '.join(list_writable_formats())}."
        return super().get_help_record(ctx)


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace export bundle.rpz --format reprozip",
        "rtrace export bundle.rpz --format reprozip -o other.rpz",
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
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The new file.  [default: the bundle's name with the format's before its ending]",
)
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(bundle: Path, *, as_json: bool, form: str, output: Path | None) -> None:
    """Write BUNDLE in another format.

    The format `reprozip` is ReproZip's, version 2, which `reprounzip` unpacks and runs. Rtrace reads such a file as it
    reads BUNDLE, and loses nothing. What the other format has no place for is told.
    """
    from rtrace.operations.export import export, name_export

    output = output or name_export(bundle, form)
    tell_cleaned(output.parent)
    written = export(bundle, form, output, progress=progress())
    if as_json:
        give_json(answer_export(written, form))
    else:
        tell(written)


def tell(written: Exported) -> None:
    """Say what was written, and what of it ReproZip will not know."""
    for loss in written.losses:
        warn(f"not for ReproZip: {loss.what}; {loss.advice}")
    size = format_size(written.target.stat().st_size)
    say(f"wrote {count(written.files, 'file')} into {written.target} ({size}), for ReproZip")
    say(f"identity: {write_identity(written.identity)}")
