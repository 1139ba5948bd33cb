"""What a bundle in ReproZip's format does not hold, as notices: one for each kind of thing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import Notice
from rtrace.printable import count, name_some, printable
from rtrace.reprozip.reading.config import UMASK
from rtrace.reprozip.writing.config_writer import DISTRIBUTORS, kept_environment
from rtrace.reprozip.writing.data_layout import as_member
from rtrace.reprozip.writing.naming import merge_names

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Manifest, Run

_COMMAND_LIMIT = 100_000
"""Bytes of arguments and environment: `reprounzip` makes one argument of all, which the kernel allows 128 KiB."""

ALWAYS = Notice(
    "only-for-rtrace",
    "digests, what the runs left and printed, when they ran, fractions of a second in file times, and notices have no "
    "place in ReproZip's format",
    "they are in the bundle all the same, for rtrace to read",
)


def list_losses(manifest: Manifest, entries: Iterable[Entry], problem: str | None) -> tuple[Notice, ...]:
    """Return what ReproZip will not know of these runs and files; ``problem`` says why there is no trace to convert."""
    return (
        ALWAYS,
        *_lost_of_runs(manifest.runs),
        *_lost_of_files(entries),
        *_lost_of_names(manifest),
        *_lost_of_packages(manifest),
        *([_no_trace(problem)] if problem else []),
    )


def _lost_of_runs(runs: Iterable[Run]) -> Iterator[Notice]:
    """Yield one notice per kind of loss, however many runs it concerns."""
    runs = tuple(runs)
    if concerned := [run.id for run in runs if run.umask != UMASK]:
        yield Notice(
            "umask", f"{name_some(concerned)} had another umask than 0022", "set it before you call `reprounzip`"
        )
    if concerned := [run.id for run in runs if set(run.groups) - {run.gid}]:
        yield Notice(
            "groups", f"{name_some(concerned)} had supplementary groups", "`reprounzip` replays without any of them"
        )
    if concerned := [f"{run.id} {printable(run.stdin.path)}" for run in runs if run.stdin is not None]:
        yield Notice(
            "stdin",
            f"runs had a file as standard input: {name_some(concerned)}",
            "redirect it from there when you call `reprounzip`",
        )
    if concerned := [run.id for run in runs if len(kept_environment(run)) != len(run.environ)]:
        yield Notice(
            "environment",
            f"the environment of {name_some(concerned)} has items without a value, or names that come twice",
            "only the first of each name, with a value, was kept",
        )
    if concerned := [run.id for run in runs if not all(map(_is_text, _strings(run)))]:
        yield Notice(
            "not-utf-8",
            f"arguments or variables of {name_some(concerned)} are not UTF-8",
            "`reprounzip docker` changes them, and `reprounzip info` may fail to show them",
        )
    if concerned := [run.id for run in runs if sum(len(item) + 6 for item in _strings(run)) > _COMMAND_LIMIT]:
        yield Notice(
            "long-command",
            f"arguments and environment of {name_some(concerned)} are longer than `reprounzip` can replay",
            "leave out variables that are not needed, in the manifest, and pack again",
        )
    if concerned := [run.id for run in runs if run.exit_status is None]:
        yield Notice(
            "no-exit-status",
            f"how {name_some(concerned)} ended is not known, and ReproZip has no word for that",
            "`reprounzip -v info` fails on it",
        )


def _lost_of_files(entries: Iterable[Entry]) -> Iterator[Notice]:
    """Look at each entry once."""
    links, placeholders, attributes = [], [], []
    for entry in entries:
        if entry.xattrs:
            attributes.append(printable(entry.path))
        if entry.link is not None:
            links.append(printable(entry.path))
        elif as_member(entry).placeholder:
            placeholders.append(printable(entry.path))
    if links:
        yield Notice(
            "hard-links",
            f"{count(len(links), 'further hard link')}: {name_some(links)}",
            "each is a file of its own for `reprounzip`, which cannot make them everywhere",
        )
    if attributes:
        yield Notice(
            "attributes",
            f"{count(len(attributes), 'file')} with extended attributes, access lists or capabilities:"
            f" {name_some(attributes)}",
            "`reprounzip` makes them without these",
        )
    if placeholders:
        yield Notice(
            "placeholders",
            f"{count(len(placeholders), 'file')} kept as metadata only: {name_some(placeholders)}",
            "they are full of zeros for `reprounzip`, in the right size",
        )


def _lost_of_names(manifest: Manifest) -> Iterator[Notice]:
    renamed = merge_names(manifest).renamed
    if renamed:
        yield Notice(
            "renamed",
            f"inputs and outputs share one list of names: {name_some(renamed)}",
            "use the new names with `reprounzip`",
        )
    folders = [file.name for file in manifest.outputs if file.path.endswith(b"/")]
    if folders:
        yield Notice(
            "folders",
            f"outputs that are folders: {name_some(folders)}",
            "`reprounzip download` fetches files only; name some of the files in them as outputs",
        )
    compared = [file.name for file in manifest.outputs if file.compare is not None]
    if compared:
        yield Notice(
            "compare",
            f"how outputs are compared: {name_some(compared)}",
            "with ReproZip you compare them yourself",
        )
    changing = [file.name for file in manifest.outputs if file.pattern is not None]
    if changing:
        yield Notice(
            "patterns",
            f"outputs whose path changes from run to run: {name_some(changing)}",
            "`reprounzip download` finds them only where the original run left them",
        )


def _lost_of_packages(manifest: Manifest) -> Iterator[Notice]:
    left_out = [
        f"{package.name} {package.version} ({package.manager})"
        for package in manifest.packages
        if not package.pack and package.manager not in DISTRIBUTORS
    ]
    if left_out:
        yield Notice(
            "packages-left-out",
            f"packages that were left out and that no distribution has: {name_some(left_out)}",
            "`reprounzip` will not install them",
        )


def _no_trace(problem: str) -> Notice:
    return Notice(
        "no-trace",
        f"the trace of the bundle cannot be read ({problem})",
        "`reprounzip graph` shows nothing but the first program of each run",
    )


def _strings(run: Run) -> Iterator[bytes]:
    yield from run.argv
    for name, value in kept_environment(run):
        yield name + b"=" + value


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
