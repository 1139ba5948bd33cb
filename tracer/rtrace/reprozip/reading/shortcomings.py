"""What a bundle of ReproZip lacks, as notices: what is not known, not packed, or was not kept in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import Notice
from rtrace.printable import count, name_some, plural, printable
from rtrace.reprozip.reading.trace_database import AccessMode

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from rtrace.manifest.model import Run
    from rtrace.reprozip.reading.config import Config
    from rtrace.reprozip.reading.entries import FileTree
    from rtrace.reprozip.reading.trace_database import TracedUses


ALWAYS = (
    Notice(
        "no-digests",
        "ReproZip keeps no digests: neither of the files nor of what the runs wrote",
        "`rtrace verify` replays the runs and cannot tell whether their outputs are the same; compare them with yours",
    ),
    Notice(
        "packed-later",
        "ReproZip packs files as they are when it packs, not as they were before the run",
        "if a replay goes wrong, ask the author whether files changed between the run and the packing",
    ),
    Notice(
        "not-recorded",
        "ReproZip does not record umask, supplementary groups, time of the run, standard input, and what was printed",
        "a replay has the umask 0022, no supplementary groups, and your standard input",
    ),
)


def list_shortcomings(
    config: Config, tree: FileTree, traced: TracedUses | None, problem: str | None
) -> tuple[Notice, ...]:
    """Return all that is missing; ``problem`` says why there is no trace."""
    return (
        *ALWAYS,
        *_missing_files(config, tree),
        *_left_out(config, tree),
        *_missing_folders(config.runs, tree),
        *(_no_trace(problem) if problem else ()),
        *(_changed(traced, tree) if traced else ()),
        *(_services(traced) if traced else ()),
        *_unknown_ends(config.runs),
    )


def is_there(path: bytes, tree: FileTree) -> bool:
    """Whether a tree has a path, whatever symlinks lead there."""
    return path == b"/" or path in tree.paths or tree.resolver.resolve(path) in tree.paths


def _missing_files(config: Config, tree: FileTree) -> Iterator[Notice]:
    wanted = [*config.other_files, *(file for package in config.packages if package.packed for file in package.files)]
    missing = [printable(path) for path in wanted if not is_there(path, tree)]
    if missing:
        yield Notice(
            "missing-files",
            f"{count(len(missing), 'file')} that the configuration lists {plural(len(missing), 'is', 'are')} not in the"
            f" bundle: {name_some(missing)}",
            "they were gone, or symlinks to nothing, when it was packed; a replay that needs them fails",
        )


def _left_out(config: Config, tree: FileTree) -> Iterator[Notice]:
    left_out = [
        f"{package.name} {package.version}".strip()
        for package in config.packages
        if not package.packed and not all(is_there(path, tree) for path in package.files)
    ]
    if left_out:
        yield Notice(
            "packages-left-out",
            f"the files of {count(len(left_out), 'package')} were left out of the bundle: {name_some(left_out)}",
            "rtrace takes no files of this machine into a replay; ask for a bundle with `packfiles: true`",
        )


def _missing_folders(runs: Iterable[Run], tree: FileTree) -> Iterator[Notice]:
    made = {entry.path for entry in tree.entries if entry.reason == "working directory"}
    for path in dict.fromkeys(run.workingdir for run in runs):
        if tree.resolver.resolve(path) in made:
            yield Notice(
                "missing-folder",
                f"the working directory {printable(path)} is not in the bundle",
                "a replay starts in an empty folder of that name",
            )


def _no_trace(problem: str) -> Iterator[Notice]:
    yield Notice(
        "no-trace",
        f"the trace database cannot be used: {problem}",
        "a replay does not need it; why each file is there, and what else the runs wrote, is not known",
    )


def _changed(traced: TracedUses, tree: FileTree) -> Iterator[Notice]:
    """Return files that a run wrote to and that are in the bundle: as they were afterwards, not before."""
    both = AccessMode.READ | AccessMode.WRITE
    files = {entry.path for entry in tree.entries if entry.offset is not None or entry.link is not None}
    changed = sorted(
        {printable(path) for (_, path), mode in traced.uses.items() if mode & both == both and path in files}
    )
    if changed:
        yield Notice(
            "changed-by-run",
            f"{count(len(changed), 'file')} read and written by a run {plural(len(changed), 'is', 'are')} in the bundle"
            f" as it left {plural(len(changed), 'it', 'them')}: {name_some(changed)}",
            "put the files as they were before the run into the target, if you have them",
        )


def _services(traced: TracedUses) -> Iterator[Notice]:
    sockets = sorted({printable(path) for (_, path), mode in traced.uses.items() if mode & AccessMode.SOCKET})
    if sockets:
        yield Notice(
            "service",
            f"a run talked to a service of the machine through {name_some(sockets)}",
            "a replay has no such service",
        )


def _unknown_ends(runs: Iterable[Run]) -> Iterator[Notice]:
    unknown = [run.id for run in runs if run.exit_status is None]
    if unknown:
        yield Notice(
            "no-exit-status",
            f"how {name_some(unknown)} ended is not recorded",
            "`rtrace verify` cannot compare the exit status",
        )
