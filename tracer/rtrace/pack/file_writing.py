"""The files of a plan on their way into a bundle, and what is noticed on the way."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from rtrace.bundle.counts import Counts
from rtrace.bundle.writing.bundle_writer import BundleWriter, Item, Written
from rtrace.debugging import debug
from rtrace.pack.choosing.inclusion import PATTERN
from rtrace.pack.restoring import Restorer
from rtrace.pack.shortfall import Shortfall, describe_shortfall, describe_touched, describe_unkept
from rtrace.printable import printable

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Notice
    from rtrace.pack.plan import PackingPlan
    from rtrace.privacy.anonymous.anonymizer import Anonymizer
    from rtrace.privacy.masking import Masker
    from rtrace.progress import Progress

_STEP = 4 << 20
"""Bytes between two reports of progress."""
_IN_THE_BUNDLE = frozenset({Written.WHOLE, Written.TOUCHED, Written.CHANGED})


class FileWriter:
    """Writes the items of a plan; ``counts`` are those of the entries written so far."""

    def __init__(
        self, plan: PackingPlan, writer: BundleWriter, masker: Masker, anonymizer: Anonymizer | None = None
    ) -> None:
        self.notices: list[Notice] = []
        self.counts = Counts()
        self._plan = plan
        self._writer = writer
        self._masker = masker
        self._anonymizer = anonymizer
        self._restorer = Restorer(plan, writer.folder / "packages")
        self._new_holders: dict[bytes, bytes | None] = {}
        """For each path that could not be packed as the holder of a content, the hard link that holds it instead."""
        self._touched: list[bytes] = []

    def write(self, items: Iterable[Item], progress: Progress) -> None:
        """Write every item that can be read, and note what there is to tell."""
        waiting = 0
        progress.start("packing", self._plan.size)
        for planned in items:
            item = planned
            if self._new_holders and item.entry.link in self._new_holders:
                item = self._relink(item)
            if not self._write_one(item):
                continue
            entry = item.entry
            if planned is not item and entry.link is None and planned.entry.link is not None:
                self._new_holders[planned.entry.link] = entry.path
            self.counts.add(entry)
            if item.source is not None:
                waiting += entry.size
                if waiting >= _STEP:
                    progress.advance(waiting)
                    waiting = 0
        progress.advance(waiting)
        progress.finish()
        debug(__name__, "written: %s; %d notices", self.counts.text, len(self.notices))
        if self._touched:
            self.notices.append(describe_touched(self._touched))
        if self._writer.unkept:
            self.notices.append(describe_unkept(self._writer.unkept))

    def _write_one(self, item: Item) -> bool:
        """Write an item as the run found it, from its package, or as it is now; return whether it was written."""
        safe = self._masker.mask(item, self._writer.folder)
        written = self._add(safe, strict=True)
        if written is Written.WHOLE:
            return True
        if written is not Written.HOLLOW and safe is item:  # no package has a masked file
            restored = self._restorer.restore(item, written)
            if restored is not None and self._add(restored, strict=True) is Written.WHOLE:
                debug(__name__, "%s: restored from an archive, or known to be the same", printable(item.entry.path))
                return True
        if written in {Written.CHANGED, Written.TOUCHED}:
            written = self._add(safe)
        if written is Written.TOUCHED:
            self._touched.append(item.entry.path)
        elif written is not Written.WHOLE:
            self._report(item, written)
        return written in _IN_THE_BUNDLE

    def _add(self, item: Item, *, strict: bool = False) -> Written:
        """Write an item, in an anonymous bundle under pseudonyms."""
        if self._anonymizer is not None:
            item = self._anonymizer.anonymize_item(item, self._writer.folder)
        return self._writer.add(item, strict=strict)

    def _relink(self, item: Item) -> Item:
        """Return a further hard link to a content that could not be packed under the name that should hold it.

        The first such link holds the content itself, and the others link to it.
        """
        entry = item.entry
        holder = self._new_holders[entry.link] if entry.link is not None else None
        if holder is not None:
            return Item(entry._replace(link=holder))
        found = self._plan.locations.get(entry.path)
        source, mtime_ns = (entry.path, None) if found is None else (found.source, found.mtime_ns)
        return Item(entry._replace(link=None), source, mtime_ns=mtime_ns, attributes=None)

    def _report(self, item: Item, written: Written) -> None:
        """Note what was wrong; a file that cannot be read becomes a placeholder, which a replay cannot read either."""
        entry = item.entry
        shortfall = find_shortfall(self._plan, item, written, self._restorer)
        self.notices.append(describe_shortfall(shortfall))
        if written is Written.CHANGED:
            return
        if entry.link is None:
            self._new_holders.setdefault(entry.path, None)
        if written is not Written.VANISHED or shortfall.by_pattern:
            placeholder = entry._replace(placeholder=True, elsewhere=False)
            self._add(Item(placeholder))
            self.counts.add(placeholder)


def find_shortfall(
    plan: PackingPlan, item: Item, written: Written, restorer: Restorer, *, expected: bool = False
) -> Shortfall:
    """Return what is known of a file that could not be packed, or would not be (``expected``), as the run found it."""
    entry = item.entry
    found = plan.locations.get(entry.path)
    return Shortfall(
        entry.path,
        written,
        problem=plan.problems.get(entry.path),
        moved_to=None if found is None or found.mtime_ns is None else found.moved_to,
        copies=str(plan.directory.snapshots) if item.source != entry.path else None,
        by_pattern=entry.reason == PATTERN,
        was_readable=_was_readable(entry),
        remedy=restorer.advise(item) if written in {Written.CHANGED, Written.VANISHED} else None,
        expected=expected,
    )


def _was_readable(entry: Entry) -> bool:
    """Whether this user could read a file when the run found it: one that could only be executed was no input."""
    if os.geteuid() in {0, entry.uid}:
        return os.geteuid() == 0 or bool(entry.mode & 0o400)
    return bool(entry.mode & (0o040 if entry.gid in {os.getegid(), *os.getgroups()} else 0o004))
