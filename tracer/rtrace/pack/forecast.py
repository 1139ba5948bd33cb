"""What a bundle would lack if a plan were carried out now: found by looking at every file, without reading any."""

from __future__ import annotations

import os
from stat import S_ISREG
from typing import TYPE_CHECKING

from rtrace.bundle.writing.item import Written, compare_state
from rtrace.files.reading import open_content
from rtrace.files.workspaces import temporary
from rtrace.pack.file_writing import find_shortfall
from rtrace.pack.restoring import Restorer
from rtrace.pack.shortfall import describe_shortfall, describe_touched

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.bundle.writing.item import Item
    from rtrace.manifest.model import Notice
    from rtrace.pack.plan import PackingPlan


def forecast_notices(plan: PackingPlan) -> tuple[Notice, ...]:
    """Return the notices of files that would not be packed as the runs found them.

    Those that `find_missing` chooses keep the bundle from being written, unless that is allowed. What can be known only
    by reading a file (it changes meanwhile, its disk has an error) is not among them.
    """
    suspects = [(item, status) for item, status in _look_at(plan) if status is not Written.WHOLE]
    if not suspects:
        return ()
    notices = []
    touched = []
    with temporary("pack") as folder:
        restorer = Restorer(plan, folder / "packages")
        for item, status in suspects:
            if item.entry.path not in plan.masking.rules and restorer.restore(item, status) is not None:
                continue
            if status is Written.TOUCHED:
                touched.append(item.entry.path)
            else:
                notices.append(describe_shortfall(find_shortfall(plan, item, status, restorer, expected=True)))
    return (*notices, *([describe_touched(touched)] if touched else ()))


def _look_at(plan: PackingPlan) -> Iterator[tuple[Item, Written]]:
    """Yield every item with content, and whether its file is there as the item says."""
    for item in plan.items:
        if item.source is None:
            continue
        try:
            descriptor = open_content(item.source)
        except (FileNotFoundError, NotADirectoryError):
            yield item, Written.VANISHED
            continue
        except OSError:
            yield item, Written.UNREADABLE
            continue
        try:
            state = os.fstat(descriptor)
        finally:
            os.close(descriptor)
        yield item, compare_state(item, state) if S_ISREG(state.st_mode) else Written.VANISHED
