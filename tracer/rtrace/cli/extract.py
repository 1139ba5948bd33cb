"""``rtrace extract``: copy files out of a bundle without unpacking it."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.answers.replays.replaying import answer_extract, answer_originals
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
from rtrace.operations.extract import (
    Original,
    find_entries,
    find_originals,
    read_original,
    write_file,
    write_files,
    write_original,
    write_originals,
)
from rtrace.printable import printable


@click.command(
    cls=RtraceCommand,
    examples=(
        "rtrace extract bundle.rpz /home/ann/data.csv > data.csv",
        "rtrace extract -o copies bundle.rpz '**/*.csv'",
        "rtrace extract --written bundle.rpz /home/ann/figure.png > figure.png",
    ),
)
@click.option("-o", "--output", type=click.Path(path_type=Path), help="A new file; for several files, a folder.")
@click.option("--written", is_flag=True, help="Copy what the original runs wrote, not what was there before.")
@JSON
@FETCH
@FROM
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("paths", metavar="PATH...", nargs=-1, required=True)
def command(
    bundle: Path,
    paths: tuple[str, ...],
    *,
    as_json: bool,
    output: Path | None,
    written: bool,
    fetch: bool,
    folders: tuple[Path, ...],
) -> None:
    """Copy the file at PATH out of BUNDLE, to standard output or to a new file, without reading the rest.

    PATH is a path as `rtrace list` shows it, or a glob pattern as for `rtrace pack --exclude`; a folder stands for all
    in it. Several files are written into the folder of --output, by their paths. What is written is compared with its
    digest: rely on standard output only if the exit status is 0.

    With --written PATH is an output, or `stdout` or `stderr`; `run2:PATH` is what run2 wrote there.
    """
    if as_json and output is None:
        raise UsageError("--json needs --output: without it, standard output is the file's content")
    if written:
        originals = extract_written(bundle, paths, output)
        if as_json:
            give_json(answer_originals(originals))
        return
    sources = Sources(folders, fetch)
    without: tuple[Entry, ...] = ()
    with open_bundle(bundle) as opened:
        entries = find_entries(opened, [os.fsencode(path) for path in paths])
        alone = is_alone(paths, len(entries), output)
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


def is_alone(paths: tuple[str, ...], number: int, output: Path | None) -> bool:
    """Whether one file is copied, under a name of its own. Raises UsageError for several without a folder."""
    alone = number == 1 and not (output is not None and output.is_dir())
    if not alone and output is None:
        raise UsageError(f"{' '.join(paths)}: {number} files; name a folder for them with --output")
    return alone


def extract_written(bundle: Path, paths: tuple[str, ...], output: Path | None) -> tuple[Original, ...]:
    """Copy what the original runs wrote out of a bundle."""
    with open_bundle(bundle) as opened:
        originals = find_originals(opened, [os.fsencode(path) for path in paths])
        alone = is_alone(paths, len(originals), output)
        if output is None:
            for part in read_original(opened, originals[0]):
                give(part)
            return originals
        tell_cleaned(output.parent)
        if alone:
            write_original(opened, originals[0], output)
        else:
            write_originals(opened, originals, output)
    return originals
