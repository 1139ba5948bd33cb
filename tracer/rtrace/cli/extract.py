"""``rtrace extract``: copy files out of a bundle without unpacking it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.answers.replaying import answer_extract
from rtrace.bundle.entry import Entry
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import FETCH, FROM, JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give, give_json, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources, read_content
from rtrace.errors import UsageError
from rtrace.opening import open_bundle
from rtrace.operations.extract import find_entries, write_file, write_files
from rtrace.printable import printable


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace extract bundle.rpz /home/ann/data.csv > data.csv",
        "rtrace extract -o copies bundle.rpz '**/*.csv'",
    ),
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; for several files, a folder.")
@JSON
@FETCH
@FROM
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
def command(
    bundle: Path, paths: tuple[str, ...], *, as_json: bool, output: Path | None, fetch: bool, folders: tuple[Path, ...]
) -> None:
    """Copy the file at PATH out of BUNDLE, to standard output or to a new file, without reading the rest.

    PATH is a path as `rtrace list` shows it, or a glob pattern as for `rtrace pack --exclude`; a folder stands for all
    in it. Several files are written into the folder of --output, by their paths. What is written is compared with its
    digest: rely on standard output only if the exit status is 0.
    """
    if as_json and output is None:
        raise UsageError("--json needs --output: without it, standard output is the file's content")
    sources = Sources(folders, fetch)
    without: tuple[Entry, ...] = ()
    with open_bundle(bundle) as opened:
        entries = find_entries(opened, [os.fsencode(path) for path in paths])
        alone = len(entries) == 1 and not (output is not None and output.is_dir())
        if not alone and output is None:
            raise UsageError(f"{' '.join(paths)}: {len(entries)} files; name a folder for them with --output")
        if alone and output is None:
            for part in read_content(opened, entries[0], sources):
                give(part)
        elif alone and output is not None:
            tell_cleaned(output.parent)
            write_file(opened, entries[0], output, sources)
        elif output is not None:
            without = write_files(opened, entries, output, sources, progress())
    if as_json:
        give_json(answer_extract(entries, without))
        return
    for entry in without:
        warn(f"{printable(entry.path)} was left out: the bundle holds only its size")
