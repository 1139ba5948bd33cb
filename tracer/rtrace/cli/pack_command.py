"""``rtrace pack``: from a trace directory to a bundle."""

from __future__ import annotations

import os
from pathlib import Path

import click

from rtrace.cli.options import DIRECTORY, progress, say
from rtrace.packing.pack import carry_out, plan_packing
from rtrace.printable import format_size, printable
from rtrace.trace.directory import TraceDirectory


@click.command()
@DIRECTORY
@click.option("-n", "--dry-run", is_flag=True, help="List what would be packed, and why; write nothing.")
@click.argument("bundle", type=click.Path(path_type=Path), default=Path("bundle.rpz"))
def command(directory: Path, *, dry_run: bool, bundle: Path) -> None:
    """Write what the traced runs need, as it was before they began, into BUNDLE [default: bundle.rpz]."""
    plan = plan_packing(TraceDirectory(directory), bundle)
    if dry_run:
        for entry in plan.entries:
            kind = "outline" if entry.placeholder else entry.type.value
            click.echo(f"{kind:9}  {entry.size:>12}  {entry.reason:21}  {printable(entry.path)}")
        return
    report = carry_out(plan, progress=progress())
    for notice in report.notices:
        say(f"{notice.what}; {notice.advice}")
    size = format_size(bundle.stat().st_size)
    say(f"packed {report.files} files into {printable(os.fsencode(bundle))} ({size})")
    say(f"its identity is sha256:{report.identity}")
