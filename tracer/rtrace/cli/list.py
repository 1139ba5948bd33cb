"""``rtrace list``: the files of a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.bundle.entry import Entry
from rtrace.bundle.index.lines import dump_entry
from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import JSON, describe_kind
from rtrace.cli.terminal.speaking import give_json_line, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.manifest.incompleteness import MARK, list_incomplete
from rtrace.opening import open_bundle
from rtrace.printable import printable


@click.command(cls=RtraceCommand)
@JSON
@click.option("--unowned", is_flag=True, help="Only files that belong to no package and not to the experiment.")
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool, unowned: bool) -> None:
    """List the files of BUNDLE: type, permissions, size in bytes, whose it is, why it is there, path.

    A file is a package's, the `experiment`'s, or `unowned`. In brackets stands why a package owns what it does not
    list: it was made or compiled when the package was installed, is an alternative that leads to one of its files ...

    An `outline` is a file that no run needed the content of: only its name, size, times and permissions are kept.
    What is `elsewhere` was needed, and is fetched when the bundle is unpacked.
    With --json, one JSON object a line, with digest and times as well.
    """
    tell_cleaned()
    with open_bundle(bundle) as opened:
        for sentence in list_incomplete(opened.manifest):
            warn(f"{MARK}: {sentence}")
        for entry in opened.iterate_entries():
            if unowned and entry.belonging != "unowned":
                continue
            if as_json:
                give_json_line(dump_entry(entry, entry.size, entry.sha256, entry.offset))
            else:
                show(describe(entry))


def describe(entry: Entry) -> str:
    """Write an entry on one line for a person."""
    where = "" if entry.target is None else f" -> {printable(entry.target)}"
    package, reason = entry.package or entry.belonging or "-", entry.reason or "-"
    if entry.package and entry.belonging:
        package = f"{entry.package} ({entry.belonging})"
    kind = describe_kind(entry)
    return f"{kind:9}  {entry.mode:04o}  {entry.size:>12}  {package:24}  {reason:21}  {printable(entry.path)}{where}"
