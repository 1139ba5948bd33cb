"""``rtrace appendix``: what a committee and an archive ask for besides a bundle."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.speaking import give, give_json, say
from rtrace.printable import count, printable_text

if TYPE_CHECKING:
    from rtrace.operations.publishing.appendix import Written

VENUES = ("acm", "usenix", "eurosys", "pets", "programming")


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace appendix --venue usenix bundle.rpz",
        "rtrace appendix --venue pets --appendix -o ARTIFACT-APPENDIX.md bundle.rpz",
        "rtrace appendix --citation bundle.rpz",
    ),
)
@click.option("--venue", type=click.Choice(VENUES), default="acm", show_default=True, help="Whose template to follow.")
@click.option("--appendix", is_flag=True, help="The appendix of the venue alone.")
@click.option("--readme", is_flag=True, help="A section for a README alone.")
@click.option("--citation", is_flag=True, help="CITATION.cff alone.")
@click.option("--codemeta", is_flag=True, help="codemeta.json alone.")
@click.option("--zenodo", is_flag=True, help=".zenodo.json alone.")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    metavar="PATH",
    help="The folder, or the file of a single part.  [default: BUNDLE-artefact; standard output for a single part]",
)
@click.option("--force", is_flag=True, help="Replace files that exist.")
@JSON
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(bundle: Path, *, venue: str, output: Path | None, force: bool, as_json: bool, **parts: bool) -> None:
    """Write from BUNDLE the appendix of a venue, a README section, and metadata for archives.

    They hold what the bundle knows: system, packages, compilers, hardware; time, memory and disk of each run; a command
    for each claim of the manifest, and how its result is checked. What only the author knows is marked TODO(author) in
    the text, and listed on standard error. Of an anonymous bundle they are anonymous. Nothing is run.

    All parts go into a folder unless options name some. The appendix of ACM, USENIX and EuroSys is LaTeX, a part of
    the paper's document; that of PETS and of the journal Programming is Markdown.
    """
    from rtrace.operations.publishing.appendix import PARTS, save, write_appendix

    written = write_appendix(bundle, venue, [part for part in PARTS if parts[part]] or PARTS)
    files: list[Path] = []
    if output is None and len(written.texts) == 1 and not as_json:
        give(next(iter(written.texts.values())).encode())
    else:
        files = save(written, output or bundle.with_name(f"{bundle.stem}-artefact"), force=force)
    if as_json:
        from rtrace.answers.publishing import answer_appendix

        give_json(answer_appendix(written, files))
    tell(written, files)


def tell(written: Written, files: list[Path]) -> None:
    """Say what was written, and what is left to the author."""
    for file in files:
        say(f"wrote {file}")
    if written.todos:
        say(f"{count(len(written.todos), 'thing')} that only you know, marked TODO(author):")
        for todo in written.todos:
            say(f"  {printable_text(todo)}")
