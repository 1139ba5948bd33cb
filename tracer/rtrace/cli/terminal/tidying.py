"""What killed processes of rtrace left is put in order before a command begins, and told."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.cli.terminal.speaking import say

if TYPE_CHECKING:
    from rtrace.trace.directory import TraceDirectory


def tell_settled(*traces: TraceDirectory) -> None:
    """Put trace directories in order that a killed process of rtrace left, with what it left beside them; say so."""
    from rtrace.trace.settling import settle

    for trace in traces:
        for sentence in settle(trace):
            say(sentence)
    tell_cleaned(*(trace.path.parent for trace in traces))


def tell_cleaned(*folders: Path) -> tuple[Path, ...]:
    """Remove what killed processes of rtrace left in folders, say so, and return what it was.

    Where no folder is named, it is the one for temporary files, and the cache.
    """
    from rtrace.files.workspaces import temporary_folder
    from rtrace.operations.machine.leftovers import clean_folder
    from rtrace.replay.cache_place import find_place

    places = dict.fromkeys(folders or (temporary_folder(), find_place()))
    gone = tuple(path for folder in places for path in clean_folder(folder))
    for path in gone:
        say(f"removed {path}, which a killed process of rtrace had left")
    return gone
