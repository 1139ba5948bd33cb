"""`rtrace pack`: a plan, carried out."""

from __future__ import annotations

import os
from contextlib import closing
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.bundle.writing.bundle_writer import BundleWriter, Item, Written, find_repeated
from rtrace.errors import IncompleteError
from rtrace.gc_pause import without_collector
from rtrace.interrupts import held
from rtrace.manifest.incompleteness import find_missing, list_incomplete
from rtrace.manifest.model import Notice
from rtrace.pack.absence import tell_elsewhere
from rtrace.pack.inclusion import REASON
from rtrace.pack.planning import plan_packing
from rtrace.pack.recovery import Recovery
from rtrace.pack.results import finish_results
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress
from rtrace.trace.directory import DATABASE
from rtrace.trace.reader import call_runs, copy_database, open_for_reading

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    from rtrace.bundle.entry import Entry, Result
    from rtrace.manifest.model import Secret
    from rtrace.pack.plan import PackingPlan
    from rtrace.trace.directory import TraceDirectory

_SHOWN = 8
"""Notices that a sentence names."""
_STEP = 4 << 20
"""Bytes between two reports of progress."""


@dataclass(frozen=True, slots=True)
class PackReport:
    """What was packed.

    ``notices`` are the troubles that packing met, ``secrets`` what looked like one: the bundle's manifest has them too.
    ``incomplete`` says, a sentence each, what the bundle lacks.
    """

    target: Path
    identity: str
    files: int
    size: int
    notices: tuple[Notice, ...]
    secrets: tuple[Secret, ...]
    incomplete: tuple[str, ...] = ()


def pack(
    directory: TraceDirectory, target: Path, *, progress: Progress = SILENT, allow_missing: bool = False
) -> PackReport:
    """Pack a trace into a bundle. Raises TraceError, ManifestError and BundleError; then there is no bundle."""
    return carry_out(plan_packing(directory, target), progress=progress, allow_missing=allow_missing)


def carry_out(plan: PackingPlan, *, progress: Progress = SILENT, allow_missing: bool = False) -> PackReport:
    """Write the bundle of a plan: whole, or not at all. Raises BundleError.

    That is IncompleteError where content is missing that a run needs, unless ``allow_missing``.
    """
    with held(lambda: BundleWriter(plan.target, find_repeated(plan.items))) as writer, without_collector():
        files = _Files(plan, writer)
        files.write(plan.items, progress)
        files.tell_together()
        if not allow_missing:
            refuse_missing(find_missing(files.notices))
        disguise = plan.disguise
        elsewhere = plan.elsewhere
        if disguise is not None:
            files.notices += disguise.notices
            elsewhere = {disguise.rewrite(path): one for path, one in elsewhere.items()}
        manifest = replace(
            plan.manifest,
            elsewhere=tell_elsewhere(elsewhere, writer.elsewhere),
            notices=tuple(dict.fromkeys((*plan.manifest.notices, *files.notices))),
        )
        database = writer.folder / DATABASE
        with closing(open_for_reading(plan.directory)) as connection:
            copy_database(connection, database)
        call_runs(database, plan.run_names)
        plan.concealment.conceal_database(database)
        results: Iterable[Result] = finish_results(plan)
        earlier, inspect = _read_earlier(plan), None
        told: tuple[Notice, ...] = ()
        if disguise is not None:
            from rtrace.privacy.anonymous.last_look import check_anonymity

            disguise.rewrite_database(database)
            results = disguise.rewrite_results(results, plan.results, plan.run_names)
            manifest = disguise.rewrite_manifest(manifest)
            earlier = earlier and disguise.rewrite(earlier.encode()).decode()
            inspect = partial(check_anonymity, disguise=disguise)
            told = disguise.others
        identity = writer.finish(manifest, results, database, earlier=earlier, inspect=inspect)
    return PackReport(
        plan.target,
        identity,
        files.count,
        files.size,
        (*plan.notices, *files.notices, *told),
        manifest.secrets,
        tuple(list_incomplete(manifest)),
    )


def refuse_missing(missing: tuple[Notice, ...]) -> None:
    """Raise IncompleteError, which names what is missing."""
    if missing:
        some = "; ".join(f"{notice.what} ({notice.advice})" for notice in missing[:_SHOWN])
        more = f"; and {len(missing) - _SHOWN} more" if len(missing) > _SHOWN else ""
        raise IncompleteError(
            f"no bundle was written, for content that the runs need is missing: {some}{more}; "
            "with --allow-missing it is packed all the same, as INCOMPLETE"
        )


def _read_earlier(plan: PackingPlan) -> str | None:
    """Give the text of the manifest, whose comments travel in the bundle, without secrets; None where there is none."""
    from rtrace.manifest.reading.load import read_text

    if not plan.directory.manifest.exists():
        return None
    text = plan.concealment.conceal(read_text(plan.directory.manifest).encode())
    return plan.secret_files.cross_out_text(text).decode(errors="replace")


def _was_readable(entry: Entry) -> bool:
    """Whether this user could read a file when the run found it: what could only be executed was no input."""
    if os.geteuid() in {0, entry.uid}:
        return os.geteuid() == 0 or bool(entry.mode & 0o400)
    return bool(entry.mode & (0o040 if entry.gid in {os.getegid(), *os.getgroups()} else 0o004))


class _Files:
    """The items of a plan on their way into a bundle, and what is noticed on it."""

    def __init__(self, plan: PackingPlan, writer: BundleWriter) -> None:
        self.notices: list[Notice] = []
        self.count = 0
        self.size = 0
        self._plan = plan
        self._writer = writer
        self._orphans: dict[bytes, bytes | None] = {}
        self._touched: list[bytes] = []
        self._recovery = Recovery(plan, writer.folder / "packages")

    def write(self, items: Iterable[Item], progress: Progress) -> None:
        """Write every item of the plan that can be had."""
        waiting = 0
        folder, cross_out = self._writer.folder, self._plan.secret_files.cross_out
        add = self._writer.add if self._plan.disguise is None else self._add
        progress.start("packing", self._plan.size)
        for planned in items:
            item = planned
            if self._orphans and item.entry.link in self._orphans:
                item = self._adopt(item)
            safe = cross_out(item, folder)
            written = add(safe, strict=True)
            if written is not Written.WHOLE and not self._add_otherwise(item, safe, written):
                continue
            entry = item.entry
            if planned is not item and entry.link is None and planned.entry.link is not None:
                self._orphans[planned.entry.link] = entry.path
            self.count += entry.type is not FileType.DIRECTORY
            if item.source is not None:
                self.size += entry.size
                waiting += entry.size
                if waiting >= _STEP:
                    progress.advance(waiting)
                    waiting = 0
        progress.advance(waiting)
        progress.finish()

    def tell_together(self) -> None:
        """Note, in one notice each, the files that may have changed, and extended attributes that could not be kept."""
        if self._touched:
            more = f" and {len(self._touched) - 1} more" if len(self._touched) > 1 else ""
            what = f"{printable(self._touched[0])}{more} {_TOUCHED}"
            self.notices.append(Notice("changed", what, "trace again if the content may be another"))
        kinds = []
        for name, (path, number) in sorted(self._writer.unkept.items()):
            more = f" and {number - 1} more" if number > 1 else ""
            kinds.append(f"{printable(os.fsencode(name))} of {printable(path)}{more}")
        if kinds:
            what = f"extended attributes that are not packed: {', '.join(kinds)}"
            self.notices.append(Notice("not packed", what, "set them again where the replay needs them"))

    def _add(self, item: Item, *, strict: bool = False) -> Written:
        """Write an item, in an anonymous bundle under neutral names."""
        if self._plan.disguise is not None:
            item = self._plan.disguise.put_on(item, self._writer.folder)
        return self._writer.add(item, strict=strict)

    def _add_otherwise(self, item: Item, safe: Item, written: Written) -> bool:
        """Write what is not as the trace says: from its package, else as it is now; tell whether it was written.

        ``safe`` is the item without its secrets, which no package has.
        """
        if written is not Written.HOLLOW and safe is item:
            recovered = self._recovery.recover(item, written)
            if recovered is not None and self._add(recovered, strict=True) is Written.WHOLE:
                return True
        if written in {Written.CHANGED, Written.TOUCHED}:
            written = self._add(safe)
        if written is Written.TOUCHED:
            self._touched.append(item.entry.path)
        elif written is not Written.WHOLE:
            self._tell(item, written)
        return written in {Written.WHOLE, Written.TOUCHED, Written.CHANGED}

    def _adopt(self, item: Item) -> Item:
        """Hang a further hard link elsewhere, as the one that should have held the content could not be packed.

        The first such link holds the content itself, the others link to it.
        """
        entry = item.entry
        holder = self._orphans[entry.link] if entry.link is not None else None
        if holder is None:
            found = self._plan.whereabouts.get(entry.path)
            source, mtime_ns = (entry.path, None) if found is None else found[:2]
            return Item(entry._replace(link=None), source, mtime_ns=mtime_ns, attributes=None)
        return Item(entry._replace(link=holder))

    def _tell(self, item: Item, written: Written) -> None:
        """Note what was wrong; what cannot be read goes in as a placeholder, so that it is there to be refused."""
        entry = item.entry
        name = printable(entry.path)
        problem = self._plan.problems.get(entry.path)
        found = self._plan.whereabouts.get(entry.path)
        moved = found is not None and found.moved_to is not None and found.mtime_ns is not None
        if problem is not None:
            what = f"the run changed {name}, and no copy of it could be made before that ({problem})"
        elif moved and found is not None:
            name = what = f"{name}, renamed by the run to {printable(found.moved_to or b'')},"
        elif item.source != entry.path:
            what = f"the copy of {name} in {self._plan.directory.snapshots} is not what it was"
        else:
            what = name
        if written is Written.CHANGED:
            what += ": it was packed as it is now" if what != name else f" {_CHANGED}"
            advice = self._recovery.advise(item) or "trace again to have it as the run finds it"
            self.notices.append(Notice("changed" if problem is None else "missing", what, advice))
            return
        if item.entry.link is None:
            self._orphans.setdefault(entry.path, None)
        if written is Written.VANISHED and entry.reason == REASON:  # asked for by a person, and needed by no run
            what = f"{name} is no longer there, or not as it was: only its name and size were packed"
            self.notices.append(Notice("not packed", what, "put it back and pack again, or take it out of `include:`"))
        elif written is Written.VANISHED:
            what += ": it was not packed" if what != name else f" {_VANISHED}"
            advice = self._recovery.advise(item) or "put it back and pack again, or trace again"
            self.notices.append(Notice("missing", what, advice))
            return
        elif written is Written.HOLLOW:
            self.notices.append(Notice("missing", f"{name} {_HOLLOW}", "make it smaller, if the replay needs it"))
        else:
            what += ": it cannot be read now" if what != name else f" {_UNREADABLE}"
            kind = "missing" if _was_readable(entry) else "unreadable"
            self.notices.append(Notice(kind, what, "pack as a user who may read it, if the replay needs it"))
        self._add(Item(entry._replace(placeholder=True, elsewhere=False)))
        self.count += 1


_TOUCHED = "touched after the trace, with size and time as they were: packed as now"
_CHANGED = "changed after the trace: it was packed as it is now"
_VANISHED = "is no longer there: it was not packed"
_HOLLOW = "has larger holes than a bundle may hold: only its name and size were packed"
_UNREADABLE = "cannot be read: only its name and size were packed"
