"""``rtrace info``: what a bundle contains."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from rtrace.answers.info import answer_info
from rtrace.answers.words import write_identity
from rtrace.bundle.counts import count_entries
from rtrace.bundle.protocol import OpenBundle
from rtrace.bundle.written.lines import list_written
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import JSON
from rtrace.cli.options.completing import complete_bundles
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.manifest.incompleteness import INCOMPLETE, MARK, list_incomplete
from rtrace.manifest.model import Comparison, Descriptor, NamedFile, Run, SecretPack
from rtrace.opening import open_bundle
from rtrace.printable import count, format_size, printable, printable_text
from rtrace.record.bundled import read_bundled

if TYPE_CHECKING:
    from rtrace.record.document import Record

STREAMS = {0: "standard input", 1: "standard output", 2: "standard error"}


@click.command(cls=RtraceCommand, examples=("rtrace info bundle.rpz",))
@JSON
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
def command(bundle: Path, *, as_json: bool) -> None:
    """Show what BUNDLE contains: runs, machine, packages, inputs, outputs, and what could not be captured."""
    tell_cleaned()
    with open_bundle(bundle) as opened:
        if as_json:
            counts = count_entries(opened.iterate_entries())
            give_json(answer_info(opened, counts, list(list_incomplete(opened.manifest))))
        else:
            for line in describe(opened):
                show(line)


def describe(bundle: OpenBundle) -> Iterable[str]:
    """Yield what a bundle holds, for a person."""
    manifest = bundle.manifest
    counts = count_entries(bundle.iterate_entries())
    for sentence in list_incomplete(manifest):
        yield f"{MARK}: {sentence}"
    packed = format_size(bundle.path.stat().st_size)
    yield f"{bundle.path}: {packed}, made by {bundle.maker}"
    yield f"identity    {write_identity(bundle.identity)}"
    yield f"files       {counts.text}, {format_size(counts.size)} unpacked"
    kept, known = count_written(bundle)
    if known:
        yield f"written     the content of {kept} of {count(known, 'thing')} that the runs wrote"
    if bundle.extensions:
        yield f"extensions  {', '.join(bundle.extensions)}"
    records = read_bundled(bundle)
    for run in manifest.runs:
        yield from describe_run(run)
        if run.id in records:
            yield from describe_record(records[run.id])
    yield from describe_names("inputs", manifest.inputs)
    yield from describe_names("outputs", manifest.outputs)
    if manifest.ignore:
        yield f"ignored     {', '.join(map(printable, manifest.ignore))}"
    if manifest.claims:
        yield f"claims      {len(manifest.claims)}"
        for claim in manifest.claims:
            yield f"  {claim.run}: {printable_text(claim.claim)}"
    if manifest.packages:
        yield f"packages    {len(manifest.packages)}"
        for package in manifest.packages:
            left_out = "" if package.pack else "  (not packed)"
            what = f"{count(package.files, 'file')}, {format_size(package.size)}"
            name = " ".join(filter(None, (package.name, package.version, package.architecture)))
            origin = f", from {package.origin}" if package.origin else ""
            yield f"  {name} ({package.manager}{origin}): {what}{left_out}"
    if counts.experiment:
        yield f"experiment  {count(counts.experiment, 'file')}, {format_size(counts.experiment_size)}"
    if manifest.unowned:
        yield f"unowned     {count(sum(folder.files for folder in manifest.unowned), 'file')} of no known package"
        for folder in manifest.unowned:
            yield f"  {printable(folder.path)}: {count(folder.files, 'file')}, {format_size(folder.size)}"
    if manifest.secrets:
        hidden = [secret for secret in manifest.secrets if secret.pack is not SecretPack.AS_IT_IS]
        yield f"secrets     {count(len(hidden), 'place')} redacted or left out"
        for secret in hidden:
            yield f"  {secret.place}: {secret.what}"
    if manifest.elsewhere:
        size = sum(one.size or 0 for one in manifest.elsewhere)
        yield f"elsewhere   {count(len(manifest.elsewhere), 'file')}, {format_size(size)}"
    for one in manifest.elsewhere:
        where = one.url or "at no known place"
        yield f"  {printable(one.path)}: {format_size(one.size or 0)}, {where}, SHA-256 {one.sha256}"
    for notice in manifest.notices:
        if notice.kind not in INCOMPLETE:
            yield f"not captured: {notice.what}; {notice.advice}"


def count_written(bundle: OpenBundle) -> tuple[int, int]:
    """Return of how many contents that runs wrote the bundle has all, and of how many at least the digest."""
    digests = tuple(list_written(bundle.manifest.runs, bundle.results))
    contents = (bundle.find_written(sha256) for sha256 in digests)
    return sum(one is not None and one.offset is not None for one in contents), len(digests)


def describe_run(run: Run) -> Iterable[str]:
    """Yield what a run was, for a person."""
    started, took = "not known", ""
    if run.started is not None:
        try:
            started = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(run.started))
        except (OverflowError, ValueError, OSError):  # a time that no calendar has
            started = f"{run.started:g} seconds after 1970"
        took = "" if run.finished is None else f", took {run.finished - run.started:.2f} s"
    how = "end not seen" if run.exit_status is None else f"exit status {run.exit_status}"
    yield f"{run.id:11} {shlex.join(printable(argument) for argument in run.argv)}"
    yield f"  in        {printable(run.workingdir)}"
    if run.needs:
        yield f"  needs     {', '.join(run.needs)}"
    yield f"  when      {started}{took}, {how}"
    if run.stdin is not None:
        yield f"  reads     {printable(run.stdin.path)}{', from a pipe' if run.stdin.pipe else ''} as standard input"
    for one in run.descriptors:
        yield f"  {'open':9} {describe_descriptor(one)}"
    yield f"  machine   {run.hostname}: {' '.join(run.distribution)}, {' '.join(run.system)}, {run.architecture}"


def describe_record(record: Record) -> Iterable[str]:
    """Yield what a person said of a run, and what it was run of."""
    if record["label"]:
        yield f"  label     {printable_text(record['label'])}"
    if record["reason"]:
        yield f"  why       {printable_text(record['reason'])}"
    if record["outcome"]:
        yield f"  outcome   {printable_text(record['outcome'])}"
    if record["tags"]:
        yield f"  tags      {', '.join(map(printable_text, record['tags']))}"
    if record["project"]:
        yield f"  project   {printable_text(record['project']['name'])}"
    for repository in record["repositories"]:
        commit = printable_text(repository["commit"] or "no known commit")
        changed = ", with changes that are not committed" if repository["dirty"] else ""
        where = printable_text(repository["path"])
        yield f"  {printable_text(repository['type']):9} {where} at {commit}{changed}"


def describe_descriptor(one: Descriptor) -> str:
    """Return what a run found at a descriptor."""
    path = printable(one.path or b"")
    words = {
        "file": f"{path} ({one.access})",
        "pipe": f"a pipe that brings {path}",
        "same": f"the same as {name_descriptor(one.same)}",
        "null": "nothing that was kept",
        "closed": "closed",
    }
    return f"{name_descriptor(one.number)}: {words[one.kind]}"


def name_descriptor(number: int | None) -> str:
    """Return what people call a descriptor."""
    return STREAMS.get(number, f"descriptor {number}") if number is not None else "another"


def describe_names(title: str, files: tuple[NamedFile, ...]) -> Iterable[str]:
    """Yield inputs or outputs, a line each."""
    if files:
        yield f"{title:11} {len(files)}"
    for file in files:
        changing = "" if file.pattern is None else f", changes as {printable(file.pattern)}"
        strictness = "" if file.compare is None else f", compared {describe_rule(file.compare)}"
        yield f"  {file.name}: {printable(file.path)} ({', '.join(file.runs)}){changing}{strictness}"


def describe_rule(rule: Comparison) -> str:
    """Return how strictly an output is compared."""
    words = [f"within {number:g}" for number in (rule.tolerance, rule.absolute) if number is not None]
    words += [f"without {', '.join(map(printable_text, rule.ignore))}"] if rule.ignore else []
    words += ["in any order"] if rule.unordered else []
    return ", ".join(words) or "as any other"
