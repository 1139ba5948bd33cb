"""A reason why a replay differs that no bundle can take away: readdir(3) gives names in an order of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.printable import printable
from rtrace.trace.treatment import Treatment

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from rtrace.bundle.entry import Entry
    from rtrace.manifest.model import Run
    from rtrace.verify.verdicts import Line


def tell_order(lines: Iterable[Line], runs: Sequence[Run], entries: Iterable[Entry]) -> tuple[str, ...]:
    """Return that the order of names may be what differs, where results have the right size and a run listed a folder.

    Looked for are folders in the working directories of the runs, with more than one name in them.
    """
    if not any(line.verdict == "different" and "content" in line.reasons for line in lines):
        return ()
    homes = tuple(run.workingdir.rstrip(b"/") + b"/" for run in runs)
    listed: dict[bytes, int] = {}
    for entry in entries:  # sorted: a folder comes before what is in it
        is_listed = entry.type is FileType.DIRECTORY and entry.reason == Treatment.LISTED.value
        if is_listed and (entry.path + b"/").startswith(homes):
            listed[entry.path] = 0
        parent = entry.path.rpartition(b"/")[0]
        if parent in listed:
            listed[parent] += 1
    folders = [path for path, count in listed.items() if count > 1]
    if not folders:
        return ()
    others = f" and {len(folders) - 1} more folders" if len(folders) > 1 else ""
    names = f"names in {printable(folders[0])}{others}, which the run lists"
    reason = f"perhaps in another order, as the order of {names}, is the file system's; have the program sort them"
    return (f"results have the same size and different content: {reason}",)
