"""``rtrace list``: the files of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.words import write_identity
from rtrace.bundle.entry import Entry
from rtrace.bundle.index.dumping import dump_entry
from rtrace.bundle.protocol import OpenBundle
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON, describe_kind, read_patterns
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.speaking import give_json_line, warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.manifest.incompleteness import MARK, list_incomplete
from rtrace.opening import open_bundle
from rtrace.operations.list import FileChoice, describe_owner, list_entries
from rtrace.printable import format_size, printable

COLUMNS = (
    Column("KIND"),
    Column("MODE"),
    Column("SIZE", numbers=True),
    Column("OWNER"),
    Column("WHY"),
    Column("PATH"),
)


@click.command(
    cls=RtraceCommand,
    examples=("rtrace list bundle.rpz", "rtrace list -h bundle.rpz '*.csv'"),
    context_settings={"help_option_names": ["--help"]},
)
@JSON
@click.option("-h", "--human-readable", "human", is_flag=True, help="Sizes as 1.5 MiB instead of bytes.")
@click.option("--package", "packages", multiple=True, metavar="NAME", help="Only files of this package (a glob).")
@click.option("--why", "reasons", multiple=True, metavar="REASON", help="Only files that are there for this reason.")
@click.option("--unowned", is_flag=True, help="Only files that belong to no package and not to the experiment.")
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("patterns", metavar="[PATTERN]...", nargs=-1, callback=read_patterns)
def command(
    bundle: Path,
    patterns: tuple[bytes, ...],
    *,
    as_json: bool,
    human: bool,
    packages: tuple[str, ...],
    reasons: tuple[str, ...],
    unowned: bool,
) -> None:
    """List the files of BUNDLE: kind, permissions, size in bytes, owner, why it is there, path.

    A PATTERN is a glob pattern over absolute paths, as in the manifest; a folder stands for all in it. The owner is a
    package, the `experiment`, or `unowned`. The words in parentheses say why a file counts as a package's although the
    package does not list it.

    A `placeholder` is a file whose content no run needed: only its name, size, times and permissions are kept. What is
    `elsewhere` was needed, and is fetched when the bundle is unpacked.

    On a terminal a table, elsewhere a line each with tabs between the fields. With --json, one object whose `files` are
    the lines of the bundle's index, with digests and times.
    """
    tell_cleaned()
    choice = FileChoice(patterns, packages, reasons, unowned)
    with open_bundle(bundle) as opened:
        if as_json:
            give_json_files(opened, choice)
            return
        for sentence in list_incomplete(opened.manifest):
            warn(f"{MARK}: {sentence}")
        rows = show_table(COLUMNS, lambda: (describe(entry, human=human) for entry in list_entries(opened, choice)))
        if not rows:
            warn(f"no file of {bundle} fits")


def describe(entry: Entry, *, human: bool) -> tuple[str, ...]:
    """Return an entry as a row for a person."""
    where = "" if entry.target is None else f" -> {printable(entry.target)}"
    size = format_size(entry.size) if human else str(entry.size)
    owner, reason = describe_owner(entry), entry.reason or "-"
    return describe_kind(entry), f"{entry.mode:04o}", size, owner, reason, f"{printable(entry.path)}{where}"


def give_json_files(bundle: OpenBundle, choice: FileChoice) -> None:
    """Write one object, piece by piece: a bundle may have a million files."""
    import json

    from rtrace.answers.schema import FORMAT

    head = json.dumps(
        {
            "format": FORMAT,
            "identity": write_identity(bundle.identity),
            "incomplete": list(list_incomplete(bundle.manifest)),
            "files": [],
        }
    )
    for _ in bundle.iterate_entries():  # raises before anything is written, which would be no JSON
        pass
    before = "\n"
    give_json_line(head.removesuffix("]}"))
    for entry in list_entries(bundle, choice):
        give_json_line(before + dump_entry(entry, entry.size, entry.sha256, entry.offset).rstrip("\n"))
        before = ",\n"
    give_json_line("\n]}\n")
