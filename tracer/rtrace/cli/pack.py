"""``rtrace pack``: from a trace directory to a bundle."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import DIRECTORY, describe_kind, parse_size, read_patterns
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import say, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned, tell_settled
from rtrace.errors import UsageError
from rtrace.gc_pause import without_collector
from rtrace.manifest.incompleteness import INCOMPLETE, MARK
from rtrace.manifest.model import Secret, SecretPack
from rtrace.manifest.scalars import quoted
from rtrace.pack.packing import PackReport, carry_out
from rtrace.pack.planning import plan_packing
from rtrace.printable import format_size, printable
from rtrace.trace.directory import TraceDirectory

FATES = {
    SecretPack.AS_IT_IS: "packed as it is",
    SecretPack.REDACTED: "redacted",
    SecretPack.LEFT_OUT: "left out",
}


@click.command(cls=RtraceCommand)
@DIRECTORY
@click.option("-n", "--dry-run", is_flag=True, help="List what would be packed, and why; write nothing.")
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
@click.option(
    "--larger-than", metavar="SIZE", help="Leave out the content of files of more bytes than SIZE (500M, 2G)."
)
@click.option(
    "--format",
    "form",
    type=click.Choice(["rtrace", "reprozip"]),
    default="rtrace",
    show_default=True,
    help="Whose bundle: with reprozip, one that `reprounzip` unpacks and runs, too.",
)
@click.option(
    "--ignore",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Leave out of every verdict what matches, as `ignore:`.",
)
@click.option("--allow-missing", is_flag=True, help="Pack although content is missing that the runs need.")
@click.option("--anonymous", is_flag=True, help="Replace the names of the user and the host wherever they stand.")
@click.option(
    "--anonymous-except",
    "named",
    multiple=True,
    metavar="PATTERN",
    callback=read_patterns,
    help="Files that may hold such names nevertheless.",
)
@click.argument("bundle", type=click.Path(path_type=Path), default=Path("bundle.rpz"))
@without_collector()
def command(  # noqa: PLR0913 -- an argument for each option
    directory: Path,
    *,
    dry_run: bool,
    exclude: tuple[bytes, ...],
    include: tuple[bytes, ...],
    larger_than: str | None,
    form: str,
    anonymous: bool,
    named: tuple[bytes, ...],
    ignore: tuple[bytes, ...],
    allow_missing: bool,
    bundle: Path,
) -> None:
    """Write what the traced runs need, as it was before they began, into BUNDLE [default: bundle.rpz].

    A PATTERN is a glob pattern over absolute paths: ? and * stay within a name, ** crosses slashes, and one that
    matches a folder stands for all in it. Each may be given several times, and adds to what the manifest says.

    What looks like a secret in arguments, variables, addresses and files of no package is redacted; files that are
    secrets as a whole, and archives with one in them, are left out. All of it is told by its place. Items under
    `secrets:` in the manifest overrule that.

    Content that is left out stays in the bundle's index by its size and digest: `rtrace unpack` fetches it from the URL
    that `elsewhere:` in the manifest names, or takes it from a folder.

    Where content that a run needs is gone, cannot be read or was changed by the run without a copy, no bundle is
    written, and the exit status is 1; with --allow-missing there is one, and all who use it are told: INCOMPLETE.

    With --anonymous, neutral names of the same length stand in the place of those of user, home folder and host: in
    paths, arguments, variables, contents of files (but those of Debian packages) and the trace. If one is still
    anywhere in the bundle, no bundle is written.
    """
    for pattern in include:
        if not pattern.startswith(b"/"):
            raise UsageError(f"--include {printable(pattern)} is no absolute path; begin it with a slash")
    trace = TraceDirectory(directory)
    tell_settled(trace)
    tell_cleaned(bundle.parent)
    click.get_current_context().with_resource(trace.lock(shared=True))
    plan = plan_packing(
        trace,
        bundle,
        exclude=exclude,
        include=include,
        ignore=ignore,
        anonymous=anonymous or bool(named),
        named=named,
        progress=progress(),
        larger_than=None if larger_than is None else parse_size(larger_than),
    )
    if dry_run:
        _tell_secrets(plan.manifest.secrets, plan.directory)
        for entry in plan.entries:
            kind = describe_kind(entry)
            show(f"{kind:9}  {entry.size:>12}  {entry.reason:21}  {printable(entry.path)}")
        return
    if form == "reprozip":
        from rtrace.cli.export import tell
        from rtrace.operations.export import carry_out_for_reprozip

        report, written = carry_out_for_reprozip(plan, progress=progress(), allow_missing=allow_missing)
        _tell_secrets(report.secrets, plan.directory)
        _tell_notices(report)
        tell(written)
        return
    report = carry_out(plan, progress=progress(), allow_missing=allow_missing)
    _tell_secrets(report.secrets, plan.directory)
    _tell_notices(report)
    size = format_size(bundle.stat().st_size)
    say(f"packed {report.files} files into {bundle} ({size})")
    say(f"its identity is sha256:{report.identity}")


def _tell_notices(report: PackReport) -> None:
    """Tell what troubles packing met, and what the bundle lacks."""
    for notice in report.notices:
        if notice.kind not in INCOMPLETE:
            warn(f"{notice.what}; {notice.advice}")
    for sentence in report.incomplete:
        warn(f"{MARK}: {sentence}")


def _tell_secrets(secrets: tuple[Secret, ...], directory: TraceDirectory) -> None:
    """Tell what looks like a secret, what becomes of it, and how to overrule that; never the value."""
    for secret in secrets:
        warn(f"{secret.place}: {secret.what} ({secret.rule}): {FATES[secret.pack]}")
    hidden = [secret for secret in secrets if secret.pack is not SecretPack.AS_IT_IS]
    if hidden:
        item = f"- {{place: {quoted(hidden[0].place)}, pack: true}}"
        say(f"to pack one of these as it is, write for example {item} under `secrets:` in {directory.manifest}")
