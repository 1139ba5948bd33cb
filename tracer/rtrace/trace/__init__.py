"""The trace directory: what tracing wrote, for packing to read.

What stands here itself is for those who only name or recognise one, and need no database for that. As a function it
traces a command, see `rtrace.inside.tracing`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.calling import make_callable

if TYPE_CHECKING:
    from pathlib import Path

make_callable(__name__, "rtrace.inside.tracing:trace")

DEFAULT_NAME = ".rtrace"
"""What a trace directory is called that nobody has named."""
DATABASE = "trace.sqlite3"


def explain_trace(path: Path) -> str | None:
    """Return what is to be said of a trace directory that was named in place of something else; None for others."""
    if not (path / DATABASE).is_file():
        return None
    return f"it is a trace directory: `rtrace pack -d {path}` makes a bundle of it"
