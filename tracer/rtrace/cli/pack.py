"""``rtrace pack``: from a trace directory to a bundle."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from rtrace.answers.recording import answer_export, answer_forecast, answer_pack
from rtrace.answers.words import write_identity
from rtrace.bundle.entry import Entry
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import DIRECTORY, JSON, describe_kind, parse_size, read_patterns
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say, warn
from rtrace.cli.terminal.table import Column, show_table
from rtrace.cli.terminal.tidying import tell_cleaned, tell_settled
from rtrace.manifest.incompleteness import INCOMPLETE, MARK
from rtrace.manifest.model import Secret, SecretPack
from rtrace.manifest.scalars import quoted
from rtrace.operations.pack import Forecast, PackRequest, forecast, pack, pack_for_reprozip
from rtrace.pack.packing import PackReport
from rtrace.printable import count, format_size, printable
from rtrace.trace.directory import TraceDirectory

COLUMNS = (Column("KIND"), Column("SIZE", numbers=True), Column("WHY"), Column("PATH"))
FATES = {
    SecretPack.AS_IT_IS: "packed as it is",
    SecretPack.REDACTED: "redacted",
    SecretPack.LEFT_OUT: "left out",
}


@click.command(
    cls=RtraceCommand,
    needs="pack the files that a run looked at",
    statuses={"0": "the bundle is written", "1": "content that a run needs is missing, and no bundle is written"},
    examples=("rtrace pack", "rtrace pack --exclude '/home/ann/raw/**' study.rpz", "rtrace pack --dry-run"),
)
@DIRECTORY
@click.option("--force", is_flag=True, help="Replace BUNDLE if it exists; it stays until the new one is complete.")
@click.option("-n", "--dry-run", is_flag=True, help="List what would be packed, and what is missing; write nothing.")
@click.option(
    "--exclude",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave out what matches, as `exclude:` does.",
)
@click.option(
    "--include", multiple=True, metavar="PATTERN", callback=read_patterns, help="Add what matches, as `include:` does."
)
@click.option("--larger-than", metavar="SIZE", help="Leave out the content of files larger than SIZE (500M, 2G).")
@click.option(
    "--format",
    "form",
    type=click.Choice(["rtrace", "reprozip"]),
    default="rtrace",
    show_default=True,
    help="Bundle format; reprounzip can also open `reprozip` bundles.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave what matches out of every verdict, as `ignore:` does.",
)
@click.option("--allow-missing", is_flag=True, help="Pack even if content is missing that the runs need.")
@click.option("--without-outputs", is_flag=True, help="Do not pack what the runs wrote; no difference can be shown.")
@click.option(
    "--outputs-size",
    metavar="SIZE",
    default="256M",
    show_default=True,
    help="Pack so much of what the runs wrote; of more, only digests.",
)
@click.option("--anonymous", is_flag=True, help="Replace the names of the user and the host everywhere.")
@click.option(
    "--anonymous-except",
    "named",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Files allowed to keep such names.",
)
@JSON
@click.argument("bundle", type=click.Path(path_type=Path), default=Path("bundle.rpz"))
def command(  # noqa: PLR0913 -- an argument for each option
    directory: Path,
    *,
    as_json: bool,
    dry_run: bool,
    force: bool,
    exclude: tuple[bytes, ...],
    include: tuple[bytes, ...],
    larger_than: str | None,
    form: str,
    anonymous: bool,
    named: tuple[bytes, ...],
    ignore: tuple[bytes, ...],
    allow_missing: bool,
    without_outputs: bool,
    outputs_size: str,
    bundle: Path,
) -> None:
    """Write what the traced runs need, as it was before they began, into BUNDLE [default: bundle.rpz].

    A PATTERN is a glob pattern over absolute paths: ? and * stay within a name, ** crosses slashes, and a pattern that
    matches a folder stands for everything in it. These options may be repeated, and add to what the manifest says.

    What looks like a secret in arguments, variables, addresses and files of no package is redacted. Files that are
    secrets themselves, and archives that contain one, are left out. Each is named by its place. `secrets:` in the
    manifest overrules that.

    Content that is left out stays in the bundle's index with its size and digest: `rtrace unpack` fetches it from the
    URL that `elsewhere:` in the manifest names, or takes it from a folder.

    What the runs wrote (outputs, standard output and error) is packed, too, for whoever compares a replay with it; no
    replay sees it. What holds a secret is not.

    If content that a run needs is gone, cannot be read, or was changed by the run before it was copied, no bundle is
    written. With --allow-missing a bundle is written, and whoever uses it is warned that it is INCOMPLETE.

    With --anonymous, neutral names of the same length replace those of the user, the home folder and the host: in
    paths, arguments, variables, contents of files (except those of Debian packages) and the trace. If such a name is
    still anywhere in the bundle, no bundle is written.
    """
    trace = TraceDirectory(directory)
    tell_settled(trace)
    tell_cleaned(bundle.parent)
    request = PackRequest(
        trace=trace,
        bundle=bundle,
        exclude=exclude,
        include=include,
        ignore=ignore,
        anonymous=anonymous,
        named=named,
        larger_than=None if larger_than is None else parse_size(larger_than),
        replace=force or dry_run,
        allow_missing=allow_missing,
        most_written=0 if without_outputs else parse_size(outputs_size),
    )
    if dry_run:
        foreseen = forecast(request, progress=progress())
        if as_json:
            give_json(answer_forecast(foreseen))
        else:
            _tell_forecast(foreseen)
        sys.exit(foreseen.exit_status)
    if form == "reprozip":
        from rtrace.cli.export import tell

        report, written = pack_for_reprozip(request, progress=progress())
        if as_json:
            give_json(answer_export(written, form))
            return
        _tell_secrets(report.secrets, trace)
        _tell_notices(report)
        tell(written, "ReproZip")
        return
    report = pack(request, progress=progress())
    if as_json:
        give_json(answer_pack(report))
        return
    _tell_secrets(report.secrets, trace)
    _tell_notices(report)
    size = format_size(bundle.stat().st_size)
    say(f"packed {report.counts.text} into {bundle} ({size})")
    say(f"identity: {write_identity(report.identity)}")


def _tell_forecast(foreseen: Forecast) -> None:
    """List what would be packed, and say what would be told, and why there would be no bundle."""
    plan = foreseen.plan
    _tell_secrets(plan.manifest.secrets, plan.directory)
    show_table(COLUMNS, lambda: map(_describe, plan.entries))
    for notice in foreseen.notices:
        warn(f"{f'{MARK}: ' if notice.kind in INCOMPLETE else ''}{notice.what}; {notice.advice}")
    number = len(foreseen.missing)
    if number:
        warn(f"no bundle would be written: the runs need {count(number, 'file')} whose content is missing")


def _describe(entry: Entry) -> tuple[str, ...]:
    """Return an entry as a row."""
    return describe_kind(entry), str(entry.size), entry.reason or "-", printable(entry.path)


def _tell_notices(report: PackReport) -> None:
    """Say what trouble packing met, and what the bundle lacks."""
    for notice in report.notices:
        if notice.kind not in INCOMPLETE:
            warn(f"{notice.what}; {notice.advice}")
    for sentence in report.incomplete:
        warn(f"{MARK}: {sentence}")


def _tell_secrets(secrets: tuple[Secret, ...], directory: TraceDirectory) -> None:
    """Say what looks like a secret, what becomes of it, and how to overrule that; never the value."""
    for secret in secrets:
        warn(f"{secret.place}: {secret.what} ({secret.rule}): {FATES[secret.pack]}")
    hidden = [secret for secret in secrets if secret.pack is not SecretPack.AS_IT_IS]
    if hidden:
        item = f"- {{place: {quoted(hidden[0].place)}, pack: true}}"
        say(f"to pack one of these as it is, write for example {item} under `secrets:` in {directory.manifest}")
