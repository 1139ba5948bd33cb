"""The trace directory: what tracing wrote, for packing to read.

What stands here itself is for those who only name or recognise one, and need no database for that. As a function it
traces a command, see `rtrace.inside.tracing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.calling import make_callable
from rtrace.printable import shell_word

if TYPE_CHECKING:
    from pathlib import Path

make_callable(__name__, "rtrace.inside.tracing:trace")

DEFAULT_NAME = ".rtrace"
"""What a trace directory is called that nobody has named."""
DATABASE = "trace.sqlite3"
_NO_ROOM = frozenset({"database or disk is full", "disk I/O error", "unable to open database file"})
"""What SQLite says where the disk is full or a file may not be opened: Python 3.10 tells no number."""


def explain_absence(path: Path) -> str:
    """Return the sentence for a folder that is no trace directory, or is not there."""
    if path.exists():
        return f"{path} is not a trace directory; name another with -d"
    import glob

    if path.name and any(path.parent.glob(glob.escape(path.name) + ".*.rank-*")):  # see rtrace.trace.parallel
        advice = (
            f"`rtrace combine -d {shell_word(path)} {shell_word(path)}.*.rank-*` joins the traces of those that have"
        )
        return f"{path} does not exist, for not all ranks have ended: {advice}"
    return f"{path} does not exist; run `rtrace trace COMMAND` first, or name another with -d"


def advise_unreadable(error: Exception) -> str:
    """Return what to do about a database that SQLite cannot open, whose content may be a whole trace all the same."""
    if str(error) in _NO_ROOM:
        return "free some space, or check the permissions"
    return "trace again with --overwrite"


def explain_trace(path: Path) -> str | None:
    """Return what is to be said of a trace directory that was named in place of something else; None for others."""
    if not (path / DATABASE).is_file():
        return None
    return f"it is a trace directory: `rtrace pack -d {shell_word(path)}` makes a bundle of it"
