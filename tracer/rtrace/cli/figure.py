"""``rtrace figure``: say in a figure which run made it, and give LaTeX what it checks figures by."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.terminal.speaking import fail, give_json, say, show, show_fields, warn
from rtrace.errors import BundleError, FigureError, RtraceError, UsageError
from rtrace.printable import shell_word

if TYPE_CHECKING:
    from rtrace.operations.publishing.figure import Links, Stamped
    from rtrace.operations.publishing.paper import Paper

Results = list[tuple[Path, "Stamped | None", "RtraceError | None"]]


def read_doi_option(_context: click.Context, option: click.Parameter, text: str | None) -> str | None:
    """Read a DOI."""
    if text is None:
        return None
    from rtrace.figures.doi import read_doi

    try:
        return read_doi(text)
    except ValueError as error:
        raise click.BadParameter(str(error), param=option) from None


ANONYMOUS_WITH_LINK = "--anonymous and a link contradict each other; leave one out"


@click.command(
    cls=RtraceCommand,
    statuses={
        "0": "all figures are stamped, and are what their runs made",
        "1": "no run made a figure, or it has been changed since",
    },
    examples=(
        "rtrace figure plot.pdf",
        "rtrace figure --show plot.pdf",
        "rtrace figure --tex paper --sty paper",
    ),
)
@JSON
@click.option("--show", "shown", is_flag=True, help="Show the stamp, and change nothing.")
@click.option("--remove", "removed", is_flag=True, help="Take the stamp out: the file is then as the run made it.")
@click.option("--run", "run", metavar="RUN", help="The run that made it, if several made the same.")
@click.option(
    "--doi", callback=read_doi_option, help="The DOI under which readers find the run; by default that of its bundle."
)
@click.option("--url", help="The URL under which readers find the run; {run} in it stands for the run's id.")
@click.option("--anonymous", is_flag=True, help="Stamp with nothing that names people, places or programs.")
@click.option(
    "--tex",
    "papers",
    multiple=True,
    metavar="PAPER",
    type=click.Path(path_type=Path, exists=True),
    help="A folder of LaTeX sources, or one source: write rtrace-figures.tex, by which rtrace.sty checks its figures.",
)
@click.option(
    "--sty",
    "folders",
    multiple=True,
    metavar="DIR",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    help="Write the LaTeX package rtrace.sty into a folder.",
)
@click.argument("files", metavar="[FILE]...", nargs=-1, type=click.Path(path_type=Path))
def command(  # noqa: PLR0913 - an argument for each option
    *,
    as_json: bool,
    shown: bool,
    removed: bool,
    run: str | None,
    doi: str | None,
    url: str | None,
    anonymous: bool,
    papers: tuple[Path, ...],
    folders: tuple[Path, ...],
    files: tuple[Path, ...],
) -> None:
    r"""Find the run that made the figure FILE by its content, and stamp the file with it.

    The stamp lies in the metadata of a PNG, PDF, SVG, JPEG or EPS: no pixel changes, and a new stamp replaces the old
    one. The history knows the file with and without it. In LaTeX, \rtraceincludegraphics{RUN?FILE} of rtrace.sty
    includes a figure only if it is what the run made.
    """
    if not (files or papers or folders):
        raise UsageError("name a figure, or a paper with --tex")
    if shown and removed:
        raise UsageError("--show and --remove contradict each other; choose one")
    if doi is not None and url is not None:
        raise UsageError("--doi and --url contradict each other; choose one")
    if anonymous and (doi is not None or url is not None):
        raise UsageError(ANONYMOUS_WITH_LINK)
    if run is not None and (shown or removed or not files):
        raise UsageError("--run names the run that made a figure; name the figure, without --show and --remove")
    from rtrace.operations.publishing.figure import Links

    links = Links(doi, url, anonymous=anonymous)
    results = treat_files(files, links, run, shown=shown, removed=removed)
    written = write_papers(papers, links)
    styles = write_styles(folders)
    if as_json:
        from rtrace.answers.publishing import answer_figure

        problems = [(path, stamped, None if error is None else str(error)) for path, stamped, error in results]
        give_json(answer_figure(problems, written, styles))
    else:
        tell(results, shown=shown, removed=removed)
        tell_papers(written, styles)
    statuses = [error.exit_status for _path, _stamped, error in results if error is not None]
    changed = any(stamped is not None and not stamped.fits for _path, stamped, _error in results)
    wrong = changed or any(one.problem is not None for paper in written for one in paper.figures)
    sys.exit(max(statuses, default=int(wrong)))


def treat_files(files: tuple[Path, ...], links: Links, run: str | None, *, shown: bool, removed: bool) -> Results:
    """Stamp figures, show their stamps or take them out; one that fails keeps none of the others from it."""
    from rtrace.operations.publishing.figure import remove_stamp, show_stamp, stamp_figure
    from rtrace.record.history.opening import open_history

    results: Results = []
    for path in files:
        try:
            if shown:
                results.append((path, show_stamp(path), None))
            elif removed:
                results.append((path, remove_stamp(path), None))
            else:
                results.append((path, stamp_figure(path, open_history(), links, run), None))
        except (FigureError, BundleError) as error:
            results.append((path, None, error))
    return results


def write_papers(papers: tuple[Path, ...], links: Links) -> list[Paper]:
    """Write what LaTeX checks the figures of papers by."""
    if not papers:
        return []
    from rtrace.operations.publishing.paper import write_paper
    from rtrace.record.history.opening import open_history

    return [write_paper(paper, open_history(), links) for paper in papers]


def write_styles(folders: tuple[Path, ...]) -> list[Path]:
    """Write the LaTeX package into folders."""
    if not folders:
        return []
    from rtrace.operations.publishing.paper import write_style

    return [write_style(folder) for folder in folders]


def tell(results: Results, *, shown: bool, removed: bool) -> None:
    """Say what became of each figure."""
    for path, stamped, error in results:
        if stamped is None:
            fail(str(error))
        elif removed:
            say(f"{path} has no stamp now; SHA-256 {stamped.sha256}")
        elif shown:
            show_stamped(stamped)
        elif stamped.stamp is not None:
            label = f" ({stamped.stamp.label})" if stamped.stamp.label else ""
            more = f"; {stamped.others} more made the same" if stamped.others else ""
            say(f"{path} was made by run {stamped.stamp.run}{label}{more}; its MD5 is now {stamped.md5}")


def show_stamped(stamped: Stamped) -> None:
    """Write the stamp of a figure, a line for each thing that it says."""
    stamp = stamped.stamp
    if stamp is None:
        show(f"{stamped.path}: no stamp; `rtrace figure {shell_word(stamped.path)}` makes one")
        return
    show(f"{stamped.path}:")
    for title, words in (
        ("run", stamp.run),
        ("label", stamp.label),
        ("command", stamp.command),
        ("commit", stamp.commit),
        ("link", stamp.link),
        ("bundle", stamp.bundle),
        ("SHA-256 without the stamp", stamp.sha256),
        ("MD5 without the stamp", stamp.md5),
        ("MD5 with it", stamped.md5),
    ):
        if words is not None:
            show_fields((f"  {title}", words))
    if not stamped.fits:
        warn(f"{stamped.path} has been changed since it was stamped; make it again")


def tell_papers(papers: list[Paper], styles: list[Path]) -> None:
    """Say what was written for LaTeX, and which figures it will refuse."""
    for paper in papers:
        for one in paper.figures:
            if one.problem is not None:
                warn(f"{one.reference.name}: {one.problem}")
        fitting = sum(one.problem is None for one in paper.figures)
        say(f"wrote {paper.side_file}; {fitting} of {len(paper.figures)} figures are what their runs made")
    for style in styles:
        say(f"wrote {style}")
