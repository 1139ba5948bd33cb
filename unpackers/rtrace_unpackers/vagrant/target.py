"""A vagrant target: the files of a machine that is Vagrant's. Rtrace itself does not work in it."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import BinaryIO, NoReturn

from rtrace.bundle.entry import Entry
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import TargetError
from rtrace.files.renaming import is_there
from rtrace.limits import DEFAULT_LIMITS, Limits
from rtrace.manifest.model import Manifest, Run
from rtrace.progress import SILENT, Progress
from rtrace.replay.grants import NOTHING, Grants
from rtrace.replay.protocol import OWN_STREAMS, Expected, Outcome, Snapshot, Streams
from rtrace.replay.target_folder import TargetFolder
from rtrace_unpackers.target.removal import remove_target
from rtrace_unpackers.vagrant.words import MACHINES, MADE, PLACE


class VagrantTarget:
    """The folder of a machine."""

    def __init__(self, folder: TargetFolder, manifest: Manifest) -> None:
        self.folder = folder
        self.manifest = manifest

    @property
    def path(self) -> Path:
        """The folder, as the caller named it."""
        return self.folder.path

    def runs(self) -> Sequence[Run]:
        """Return the runs of the bundle."""
        return self.manifest.runs

    def run(
        self,
        run: Run,
        *,
        streams: Streams = OWN_STREAMS,  # noqa: ARG002
        limits: Limits = DEFAULT_LIMITS,  # noqa: ARG002
        grants: Grants = NOTHING,  # noqa: ARG002
    ) -> Outcome:
        """Refuse to replay, and say how Vagrant does."""
        self.refuse(f"`sudo {PLACE}/run.sh` replays {run.id} there")

    def inspect(self, paths: Expected, packed: Iterable[Entry]) -> Snapshot:  # noqa: ARG002
        """Refuse to look into a machine."""
        self.refuse(f"its files are in {PLACE}/root")

    def put(self, entry: Entry, content: BinaryIO) -> None:  # noqa: ARG002
        """Refuse to put a file into a machine."""
        self.refuse(f"`vagrant upload FILE` brings a file there, and {PLACE}/root is where it belongs")

    def fetch(self, path: bytes, into: BinaryIO) -> None:  # noqa: ARG002
        """Refuse to fetch a file from a machine."""
        self.refuse(f"`sudo cat {PLACE}/root/...` prints a file")

    def reset(
        self,
        bundle: Path,  # noqa: ARG002
        *,
        progress: Progress = SILENT,  # noqa: ARG002
        sources: Sources = NO_SOURCES,  # noqa: ARG002
    ) -> None:
        """Refuse to reset a machine."""
        self.refuse("`vagrant provision` brings the packed state back")

    def refuse(self, instead: str) -> NoReturn:
        """Raise TargetError with what to do instead."""
        raise TargetError(
            f"rtrace makes the files of Vagrant's machine in {self.folder.shown} and does not work in it: "
            f"`vagrant up` there, then `vagrant ssh`; {instead}"
        )

    def destroy(self) -> None:
        """Remove the folder. Raises TargetError while Vagrant has something in it."""
        if is_there(self.folder.descriptor, MACHINES):
            raise TargetError(
                f"{self.folder.shown} has a machine of Vagrant's: `vagrant destroy` in it first, and remove its folder "
                f"{MACHINES}; nothing was removed"
            )
        remove_target(self.folder, MADE)
