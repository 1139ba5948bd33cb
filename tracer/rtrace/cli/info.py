"""``rtrace info``: what a bundle holds."""

from __future__ import annotations

import shlex
import time
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from rtrace.bundle.entry import Entry, FileType
from rtrace.bundle.protocol import OpenBundle
from rtrace.cli.terminal.command import RtraceCommand
from rtrace.cli.terminal.options import JSON
from rtrace.cli.terminal.speaking import give_json, show
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.manifest.incompleteness import INCOMPLETE, MARK, list_incomplete
from rtrace.manifest.model import Descriptor, NamedFile, Run
from rtrace.opening import open_bundle
from rtrace.printable import format_size, printable


@dataclass(frozen=True, slots=True)
class Files:
    """How many regular files a bundle has, and the bytes of them unpacked; and of those of the experiment."""

    number: int
    size: int
    experiment: int
    experiment_size: int


@click.command(cls=RtraceCommand)
@JSON
@click.argument("bundle", type=click.Path(path_type=Path))
def command(bundle: Path, *, as_json: bool) -> None:
    """Tell what BUNDLE holds: runs, machine, packages, inputs, outputs, and what could not be captured."""
    tell_cleaned()
    with open_bundle(bundle) as opened:
        if as_json:
            give_json(to_json(opened))
        else:
            for line in describe(opened):
                show(line)


def describe(bundle: OpenBundle) -> Iterable[str]:
    """Write what a bundle holds, for a person."""
    manifest = bundle.manifest
    files = count_files(bundle.iterate_entries())
    for sentence in list_incomplete(manifest):
        yield f"{MARK}: {sentence}"
    packed = format_size(bundle.path.stat().st_size)
    yield f"{bundle.path}: {packed}, made by {bundle.maker}"
    yield f"identity    sha256:{bundle.identity}"
    yield f"files       {files.number}, {format_size(files.size)} unpacked"
    if bundle.extensions:
        yield f"extensions  {', '.join(bundle.extensions)}"
    for run in manifest.runs:
        yield from describe_run(run)
    yield from describe_names("inputs", manifest.inputs)
    yield from describe_names("outputs", manifest.outputs)
    if manifest.ignore:
        yield f"ignored     {', '.join(map(printable, manifest.ignore))}"
    if manifest.packages:
        yield f"packages    {len(manifest.packages)}"
        for package in manifest.packages:
            left_out = "" if package.pack else "  (not packed)"
            what = f"{package.files} files, {format_size(package.size)}"
            name = " ".join(filter(None, (package.name, package.version, package.architecture)))
            origin = f", from {package.origin}" if package.origin else ""
            yield f"  {name} ({package.manager}{origin}): {what}{left_out}"
    if files.experiment:
        yield f"experiment  {files.experiment} files, {format_size(files.experiment_size)}"
    if manifest.unowned:
        yield f"unowned     {sum(folder.files for folder in manifest.unowned)} files, of no package that is known"
        for folder in manifest.unowned:
            yield f"  {printable(folder.path)}: {folder.files} files, {format_size(folder.size)}"
    if manifest.elsewhere:
        yield f"elsewhere   {len(manifest.elsewhere)}, {format_size(sum(one.size or 0 for one in manifest.elsewhere))}"
    for one in manifest.elsewhere:
        where = one.url or "at no known place"
        yield f"  {printable(one.path)}: {format_size(one.size or 0)}, {where}, SHA-256 {one.sha256}"
    for notice in manifest.notices:
        if notice.kind not in INCOMPLETE:
            yield f"not captured: {notice.what}; {notice.advice}"


def count_files(entries: Iterable[Entry]) -> Files:
    """Count the regular files of a bundle and their bytes, in one pass over what may be a million of them."""
    number = size = experiment = experiment_size = 0
    for entry in entries:
        if entry.type is FileType.REGULAR:
            number += 1
            size += 0 if entry.placeholder or entry.elsewhere else entry.size
            if entry.belonging == "experiment":
                experiment += 1
                experiment_size += count_bytes(entry)
    return Files(number, size, experiment, experiment_size)


def count_bytes(entry: Entry) -> int:
    """Count the bytes of content that a bundle holds of an entry."""
    return 0 if entry.placeholder or entry.link is not None else entry.size


def describe_run(run: Run) -> Iterable[str]:
    """Write what a run was, for a person."""
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
        yield f"  {'given' if one.number > 2 else 'stream':9} {describe_descriptor(one)}"  # noqa: PLR2004
    yield f"  machine   {run.hostname}: {' '.join(run.distribution)}, {' '.join(run.system)}, {run.architecture}"


def describe_descriptor(one: Descriptor) -> str:
    """Write what a run found at a descriptor."""
    path = printable(one.path or b"")
    words = {
        "file": f"{path} ({one.access})",
        "pipe": f"a pipe that brings {path}",
        "same": f"the same as {one.same}",
        "null": "nothing that was kept",
        "closed": "closed",
    }
    return f"{one.number}: {words[one.kind]}"


def describe_names(title: str, files: tuple[NamedFile, ...]) -> Iterable[str]:
    """Write inputs or outputs, a line each."""
    if files:
        yield f"{title:11} {len(files)}"
    for file in files:
        changing = "" if file.pattern is None else f", changes as {printable(file.pattern)}"
        yield f"  {file.name}: {printable(file.path)} ({', '.join(file.runs)}){changing}"


def to_json(bundle: OpenBundle) -> dict[str, Any]:
    """Return the same as values for JSON; bytes that are not UTF-8 are written with backslashes, as people see them."""
    manifest = bundle.manifest
    files = count_files(bundle.iterate_entries())
    return {
        "identity": bundle.identity,
        "rtrace": manifest.rtrace,
        "maker": bundle.maker,
        "extensions": list(bundle.extensions),
        "files": files.number,
        "size": files.size,
        "incomplete": list(list_incomplete(manifest)),
        "runs": [run_to_json(run) for run in manifest.runs],
        "inputs": [names_to_json(file) for file in manifest.inputs],
        "outputs": [names_to_json(file) for file in manifest.outputs],
        "ignore": [printable(pattern) for pattern in manifest.ignore],
        "packages": [
            {
                "name": package.name,
                "version": package.version,
                "architecture": package.architecture,
                "manager": package.manager,
                "files": package.files,
                "size": package.size,
                "packed": package.pack,
                **({"origin": package.origin} if package.origin else {}),
            }
            for package in manifest.packages
        ],
        "elsewhere": [
            {"path": printable(one.path), "size": one.size, "sha256": one.sha256, "url": one.url}
            for one in manifest.elsewhere
        ],
        "unowned": [
            {"path": printable(folder.path), "files": folder.files, "size": folder.size} for folder in manifest.unowned
        ],
        "notices": [{"kind": notice.kind, "what": notice.what, "advice": notice.advice} for notice in manifest.notices],
    }


def run_to_json(run: Run) -> dict[str, Any]:
    """Return a run as values for JSON; times in seconds since the Epoch."""
    return {
        "id": run.id,
        "argv": [printable(argument) for argument in run.argv],
        "binary": printable(run.binary),
        "workingdir": printable(run.workingdir),
        "uid": run.uid,
        "gid": run.gid,
        "hostname": run.hostname,
        "architecture": run.architecture,
        "system": list(run.system),
        "distribution": list(run.distribution),
        "started": run.started,
        "finished": run.finished,
        "exit_code": run.exit_code,
        "signal": run.signal,
        "needs": list(run.needs),
    }


def names_to_json(file: NamedFile) -> dict[str, Any]:
    """Return an input or output as values for JSON."""
    pattern = {} if file.pattern is None else {"pattern": printable(file.pattern)}
    return {"name": file.name, "path": printable(file.path), "runs": list(file.runs), **pattern}
