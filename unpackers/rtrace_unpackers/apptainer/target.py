"""An apptainer target: a directory target in all but how it is replayed, and that it may have no tree."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

from rtrace.errors import TargetError
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Run
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Outcome, Streams
from rtrace_unpackers.apptainer.words import DEFINITION, IMAGE, MADE, NAME, TREE_FACT
from rtrace_unpackers.chroot.target import refuse_unexecutable
from rtrace_unpackers.directory.target import DirectoryTarget
from rtrace_unpackers.isolation.users.ids import Maps
from rtrace_unpackers.isolation.users.layers import Layers


class ApptainerTarget(DirectoryTarget):
    """A folder with the bundle's files, which Apptainer takes for an image."""

    made: tuple[str, ...] = MADE

    def run(
        self,
        run: Run,
        *,
        streams: Streams = OWN_STREAMS,
        limits: Limits = DEFAULT_LIMITS,
        grants: Grants = NOTHING,
    ) -> Outcome:
        """Replay a run in a container; what it writes stays in the tree. The target is locked meanwhile."""
        from rtrace_unpackers.apptainer.running import run_contained

        with self.using(), self.opened_tree() as tree:
            if isinstance(tree, Layers):
                raise TargetError(f"{self.folder.shown} is damaged; unpack the bundle again")
            refuse_unexecutable(tree, self.folder.shown)
            return run_contained(run, tree, streams, limits, grants)

    @contextlib.contextmanager
    def using(self) -> Iterator[None]:
        """Lock the target while the block lasts. Raises BusyError, and TargetError where there is no tree."""
        if self.state.facts.get(TREE_FACT) != "yes":
            raise TargetError(
                f"{self.folder.shown} has the definition and the archive alone: `apptainer build --notest {IMAGE} "
                f"{DEFINITION}` in it makes an image, or `rtrace unpack {NAME}` without --no-build makes another target"
            )
        with super().using():
            yield

    def caution(self) -> str | None:
        """Return nothing: a replay is isolated."""
        return None

    def is_traced(self) -> bool:
        """Whether a replay takes place under proot: never."""
        return False

    def list_others(self) -> Maps | None:
        """Return no users of whom a replay may have been: a container has one user."""
        return None
