"""What packing will do, as a value."""

from __future__ import annotations

import os
import sqlite3
from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, TraceError
from rtrace.manifest.model import Elsewhere, Manifest, Notice, Package
from rtrace.packages.attribution import Attribution, Installed
from rtrace.packing.absence import leave_elsewhere
from rtrace.packing.belonging import attribute_choices, find_experiment, say_belonging
from rtrace.packing.collector import without_collector
from rtrace.packing.completion import COMPLETION
from rtrace.packing.concealment import Concealment
from rtrace.packing.draft import complete_choices, count_packages, draft_manifest, find_unfinished
from rtrace.packing.inclusion import REASON, include, look_up
from rtrace.packing.patterns import Patterns
from rtrace.packing.rewriting import rewrite_value
from rtrace.packing.secret_files import SecretFiles
from rtrace.packing.selection import PROVIDED, Choice, Selection, resolve_directory, select
from rtrace.packing.tree import build_tree
from rtrace.packing.whereabouts import Finder, Whereabout
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.trace import reader

if TYPE_CHECKING:
    from collections.abc import Generator, Mapping
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.writer import Item
    from rtrace.packing.disguise import Disguise
    from rtrace.trace.directory import TraceDirectory


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """What is to be written where.

    ``notices`` are what planning found, also among those of ``manifest``. ``results`` still lack the digests of big
    files, which ``copies`` may help to find. ``problems`` says of files that a run changed why there is no snapshot,
    ``whereabouts`` where the content is of those that it gave another name, ``elsewhere``, by path, what the manifest
    says of those whose content is left out, ``owners`` which package has a file now. Until a plan is ``settled``, the
    files have not been searched for secrets: neither are those of them in the manifest, nor is what is left out of the
    items known.
    """

    directory: TraceDirectory
    target: Path
    manifest: Manifest
    items: tuple[Item, ...]
    results: tuple[reader.After, ...]
    copies: tuple[reader.Copy, ...]
    run_names: dict[int, str]
    notices: tuple[Notice, ...]
    problems: dict[bytes, str]
    whereabouts: dict[bytes, Whereabout]
    concealment: Concealment
    secret_files: SecretFiles
    elsewhere: dict[bytes, Elsewhere]
    owners: dict[bytes, Installed]
    settled: bool = False
    disguise: Disguise | None = None

    def settle(self, progress: Progress = SILENT) -> PackingPlan:
        """Search the files for secrets at once, which packing does in passing, and give the whole plan."""
        if self.settled:
            return self
        items = []
        progress.start("looking for secrets", len(self.items))
        with closing(self.settle_items()) as settled:
            for item in settled:
                items.append(item)
                progress.advance(1)
        progress.finish()
        return replace(self.tell_secrets(), items=tuple(items))

    def settle_items(self) -> Generator[Item, None, None]:
        """Give the items in their order, each as it is to be packed, as soon as it has been searched for secrets."""
        if self.settled:
            yield from self.items
        else:
            yield from self.secret_files.look_at(self.items)

    def tell_secrets(self) -> PackingPlan:
        """Give the plan with all secrets that were found in its manifest; to be called when all items are settled."""
        if self.settled:
            return self
        unused = self.concealment.unused
        manifest = replace(
            self.manifest,
            secrets=self.concealment.secrets,
            notices=tuple(dict.fromkeys((*self.manifest.notices, *unused))),
        )
        manifest = rewrite_value(manifest, self.concealment.conceal)
        return replace(self, manifest=manifest, notices=(*self.notices, *unused), settled=True)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, sorted by path; digests and offsets are found when they are written."""
        return tuple(item.entry for item in self.items)

    @property
    def size(self) -> int:
        """Bytes of content to be read."""
        return sum(item.entry.size for item in self.items if item.source is not None)


def plan_packing(  # noqa: PLR0913 -- an argument for each option of `rtrace pack`
    directory: TraceDirectory,
    target: Path,
    *,
    exclude: tuple[bytes, ...] = (),
    include: tuple[bytes, ...] = (),
    anonymous: bool = False,
    named: tuple[bytes, ...] = (),
    progress: Progress = SILENT,
    larger_than: int | None = None,
) -> PackingPlan:
    """Decide what goes into a bundle; ``exclude`` and ``include`` are patterns besides those of the manifest.

    The content of files of more than ``larger_than`` bytes is left out, besides what the manifest says is elsewhere.
    With ``anonymous``, names of the user and the host are replaced; in files that ``named`` matches they may stay. Such
    a plan is settled, others are not.

    Raises TraceError, ManifestError, and BundleError when the target exists.
    """
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    with closing(reader.open_for_reading(directory)) as connection, without_collector():
        try:
            manifest = _read_manifest(connection, directory)
            manifest = replace(
                manifest,
                exclude=tuple(dict.fromkeys((*manifest.exclude, *exclude))),
                include=tuple(dict.fromkeys((*manifest.include, *include))),
            )
            concealment = Concealment(manifest.secrets)
            runs = tuple(map(concealment.conceal_run, manifest.runs))
            concealment.look_at_trace(connection)
            plan = _plan(connection, directory, target, manifest, larger_than, concealment)
            plan = _without_known_secrets(replace(plan, manifest=replace(plan.manifest, runs=runs)))
            if not anonymous:
                return plan
            from rtrace.packing.disguise import Disguise

            plan = plan.settle(progress)
            disguise = Disguise(connection, plan.manifest, directory.streams, named)
            return replace(plan, items=disguise.arrange(plan.items), disguise=disguise)
        except sqlite3.Error as error:
            raise TraceError(f"{directory.database} cannot be read ({error}); trace again with --overwrite") from None


def _plan(
    connection: sqlite3.Connection,
    directory: TraceDirectory,
    target: Path,
    manifest: Manifest,
    larger_than: int | None,
    concealment: Concealment,
) -> PackingPlan:
    place = resolve_directory(directory.path)
    excluded = Patterns(manifest.exclude)
    selection = select(reader.read_world(connection), place, excluded.match if manifest.exclude else None)
    choices, unmatched = _with_included(selection, manifest, excluded, place)
    chosen = _with_completed(choices, manifest, excluded)
    choices = list(chosen.values())
    modules = reader.read_modules(connection)
    choices, owners, attribution = _without_packages(choices, chosen, manifest, modules)
    experiment = find_experiment(
        manifest.runs,
        (*manifest.inputs, *manifest.outputs),
        attribution.owners.keys(),
        chosen.keys(),
    )
    belonging = say_belonging(choices, attribution, experiment, owners.keys())
    copies, results = reader.read_copies(connection), reader.read_results(connection)
    finder = Finder(reader.read_moves(connection), copies, results, os.fsencode(directory.snapshots))
    whereabouts = finder.find_all(choice.before for choice in choices if not choice.placeholder)
    workingdirs = sorted({run.workingdir for run in manifest.runs if not _is_provided(run.workingdir)})
    tree = build_tree(
        choices,
        workingdirs,
        {path: owner.name for path, owner in owners.items()},
        belonging.words,
        os.fsencode(directory.snapshots),
        whereabouts,
        reader.read_attributes(connection),
    )
    items, elsewhere, unused = leave_elsewhere(tree.items, manifest.elsewhere, larger_than)
    notices = (
        *(_notice_impossible(path, what) for path, what in selection.impossible),
        *(_notice_misplaced(path, why) for path, why in tree.misplaced),
        *(_notice_unmatched(pattern, "include") for pattern in unmatched),
        *(_notice_unmatched(one.path, "elsewhere") for one in unused),
        *(_notice_homeless(path) for path, one in elsewhere.items() if one.url is None),
    )
    names = reader.read_run_names(connection)
    known = {run.id for run in manifest.runs}
    return PackingPlan(
        directory=directory,
        target=target,
        manifest=replace(
            manifest,
            packages=manifest.packages + _new_packages(chosen, owners, manifest),
            notices=tuple(dict.fromkeys((*manifest.notices, *notices))),
            unowned=belonging.unowned,
            folders=belonging.experiment,
        ),
        items=items,
        results=tuple(
            after
            for after in results
            if names[after.run] in known
            and not after.path.startswith(place + b"/")
            and not _is_provided(after.path)
            and after.type in {None, "file", "directory", "symlink", "fifo"}
        ),
        copies=tuple(copies),
        run_names=names,
        notices=notices,
        problems={choice.before.path: choice.before.problem for choice in choices if choice.before.problem},
        whereabouts=whereabouts,
        concealment=concealment,
        secret_files=SecretFiles(concealment),
        elsewhere=elsewhere,
        owners=owners,
    )


def _without_known_secrets(plan: PackingPlan) -> PackingPlan:
    """Take what was found to be secret in what ran out of names, and leave out the files whose names tell it."""
    concealment = plan.concealment
    if not concealment.known:
        return plan
    telling = {
        item.entry.path
        for item in plan.items
        if concealment.is_known_in(item.entry.path) or concealment.is_known_in(item.entry.target or b"")
    }
    telling |= {after.path for after in plan.results if concealment.is_known_in(after.path)}
    found = tuple(_notice_telling(concealment.conceal(path)) for path in sorted(telling))
    notices = tuple(dict.fromkeys((*plan.manifest.notices, *found)))
    return replace(
        plan,
        manifest=rewrite_value(replace(plan.manifest, notices=notices), concealment.conceal),
        items=tuple(item for item in plan.items if item.entry.path not in telling and item.entry.link not in telling),
        results=tuple(after for after in plan.results if after.path not in telling),
        notices=(*plan.notices, *found),
        elsewhere={path: rewrite_value(one, concealment.conceal) for path, one in plan.elsewhere.items()},
    )


def _read_manifest(connection: sqlite3.Connection, directory: TraceDirectory) -> Manifest:
    """Read the manifest that a person may have edited; where there is none (a killed tracer), draft it.

    What could not be captured is a fact of the trace: it is told of the runs that are packed, whatever became of it in
    the manifest.
    """
    if not directory.manifest.exists():
        return draft_manifest(connection, directory)
    from rtrace.manifest.load import load

    manifest = load(directory.manifest)
    known = {run.id for run in manifest.runs}
    unfinished = find_unfinished(run for run in reader.read_runs(connection) if run.id in known)
    facts = (*reader.read_notices(connection, known), *unfinished)
    return replace(manifest, notices=tuple(dict.fromkeys((*facts, *manifest.notices))))


def _with_included(
    selection: Selection, manifest: Manifest, excluded: Patterns, place: bytes
) -> tuple[list[Choice], list[bytes]]:
    """Add what the manifest's patterns include, with its content; what a run touched stays as it was before the run."""
    if not manifest.include:
        return selection.choices, []

    def leave_out(path: bytes) -> bool:
        return excluded.match(path) or path.startswith(place + b"/") or _is_provided(path)

    patterns = Patterns(manifest.include)
    added, unmatched = include(manifest.include, leave_out)
    chosen = {choice.before.path: choice for choice in selection.choices}
    for choice in added:
        traced = chosen.get(choice.before.path)
        if traced is None:
            chosen[choice.before.path] = choice
        elif traced.placeholder:
            chosen[choice.before.path] = traced._replace(reason=choice.reason, placeholder=False)
    for path, choice in chosen.items():  # what a run replaced or removed need not be there any more to be found
        if choice.placeholder and patterns.match(path):
            chosen[path] = choice._replace(reason=REASON, placeholder=False)
    known = [choice.before.path for choice in selection.choices]
    lost = [pattern for pattern in unmatched if not any(map(Patterns([pattern]).match, known))]
    return [chosen[path] for path in sorted(chosen)], lost


def _with_completed(choices: list[Choice], manifest: Manifest, excluded: Patterns) -> dict[bytes, Choice]:
    """Add what completes the files of the runs, as far as the manifest, or its cheapness, lets it in.

    Gives the choices by path, in the order of the paths.
    """
    switches = {(one.rule, one.name): one.pack for one in manifest.completion}
    additions = [one for one in complete_choices(choices) if switches.get((one.rule, one.name), one.cheap)]
    chosen = {choice.before.path: choice for choice in choices}
    for addition in additions:
        for path in addition.paths:
            traced = chosen.get(path)
            added = look_up(path, COMPLETION) if traced is None and not excluded.match(path) else None
            if added is not None:
                chosen[path] = added
            elif traced is not None and traced.placeholder and traced.before.type == "file":
                chosen[path] = traced._replace(reason=COMPLETION, placeholder=False)
    return chosen if len(chosen) == len(choices) else dict(sorted(chosen.items()))


def _without_packages(
    choices: list[Choice], chosen: Mapping[bytes, Choice], manifest: Manifest, modules: frozenset[bytes]
) -> tuple[list[Choice], dict[bytes, Installed], Attribution]:
    """Attribute files to packages, and leave out those of packages that are not to be packed.

    Gives what is left, the owners among the packages that the runs used, and the whole attribution. ``chosen`` are the
    choices by path.
    """
    attribution = attribute_choices(choices, manifest.runs, modules)
    owners = dict(attribution.owners)
    known = {(package.manager, package.name): package.pack for package in manifest.packages}
    left_out = set()
    for path, owner in attribution.owners.items():
        packed = known.get((owner.manager, owner.name))
        if packed is False:
            del owners[path]
            left_out.add(path)
        elif packed is None and chosen[path].placeholder and not chosen[path].before.use:
            del owners[path]  # a package of which only the names of some files were seen is none that was used
    kept = [choice for choice in choices if choice.before.path not in left_out] if left_out else choices
    return kept, owners, attribution


def _new_packages(
    chosen: Mapping[bytes, Choice], owners: Mapping[bytes, Installed], manifest: Manifest
) -> tuple[Package, ...]:
    known = {(package.manager, package.name) for package in manifest.packages}
    return tuple(package for package in count_packages(chosen, owners) if (package.manager, package.name) not in known)


def _is_provided(path: bytes) -> bool:
    return path.startswith(tuple(place + b"/" for place in PROVIDED)) or path in PROVIDED


def _notice_impossible(path: bytes, what: str) -> Notice:
    return Notice(
        "not packed",
        f"{printable(path)} is {what}",
        "a bundle holds files, folders, symlinks and FIFOs only; what is behind it has to be there at the replay",
    )


def _notice_misplaced(path: bytes, why: str) -> Notice:
    return Notice("not packed", f"{printable(path)} has no place in the bundle: {why}", "it is missing at the replay")


def _notice_telling(path: bytes) -> Notice:
    return Notice("secret", f"{printable(path)} was not packed: its name tells a secret", "rename it, and trace again")


def _notice_unmatched(pattern: bytes, key: str) -> Notice:
    return Notice("pattern", f"the pattern {printable(pattern)} matches nothing", f"correct it under `{key}:`")


def _notice_homeless(path: bytes) -> Notice:
    return Notice(
        "elsewhere",
        f"the content of {printable(path)} is not in the bundle",
        "say under `elsewhere:` in the manifest at which url it is, or hand the file over with the bundle",
    )
