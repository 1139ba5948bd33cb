"""Which files are a person's concern, and by which path that person knows each."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.describe.linked_names import find_links, follow_back
from rtrace.describe.program_files import is_program
from rtrace.files.hierarchy import BELOW, SEMAPHORE, SYSTEM, is_in_memory
from rtrace.trace.schema import KEPT_INPUT

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from rtrace.manifest.model import Run
    from rtrace.trace.reading.reader import After, Before

_HIDDEN = re.compile(rb"/\.[^/]")


def find_homes(runs: Iterable[Run]) -> tuple[bytes, ...]:
    """Return the folders in which runs work, with a slash behind; / is nobody's."""
    return tuple(run.workingdir.rstrip(b"/") + b"/" for run in runs if run.workingdir != b"/")


class Concern:
    """A person's files: no package's, not those of programs, of the system or of the trace itself, nothing hidden.

    ``homes`` are the folders of `find_homes`, ``packaged`` the paths that packages own.
    """

    def __init__(
        self,
        homes: tuple[bytes, ...],
        packaged: Collection[bytes],
        trace_directory: bytes,
        world: Sequence[Before],
        left: Sequence[After],
    ) -> None:
        self._homes = homes
        self._packaged = packaged
        self._excluded = (trace_directory + b"/", SEMAPHORE)
        self._links = find_links(world, left)

    def is_personal(self, path: bytes) -> bool:
        """Whether a path is a person's by where it lies."""
        if path in self._packaged or path.startswith(self._excluded):
            return False
        if is_in_memory(path):
            return True
        if path.startswith(BELOW):
            return False
        if path.startswith(KEPT_INPUT + b"/"):
            return True
        if path.startswith(SYSTEM) and not path.startswith(self._homes):
            return False
        # A hidden folder on the way to the experiment itself does not make the experiment's files hidden.
        start = max((len(home) - 1 for home in self._homes if path.startswith(home)), default=0)
        return not _HIDDEN.search(path, start)

    def find_shown(self, path: bytes) -> bytes | None:
        """Return the path by which a person knows a file; None for one that is nobody's concern.

        A file that lies where nobody looks, but that a symlink of the experiment leads to (git-annex, DataLad), is
        known by that.
        """
        if self.is_personal(path):
            return path
        if not self._links or path in self._packaged or path.startswith(BELOW):
            return None
        link = follow_back(path, self._links)
        return link if link != path and self.is_personal(link) and not is_program(link) else None
