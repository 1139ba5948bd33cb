"""What every unpacker begins and ends with when it makes a target: the bundle opened and sorted, the state written."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources, complete_data
from rtrace.errors import TargetError
from rtrace.files.workspaces import Workspace
from rtrace.manifest.incompleteness import list_incomplete
from rtrace.manifest.model import Manifest
from rtrace.opening import open_bundle
from rtrace.replay.foreign import tell_foreign
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.files.layout import Layout, plan_layout
from rtrace_unpackers.target.placement import refuse_existing
from rtrace_unpackers.target.state import State, write_state


@dataclass(frozen=True, slots=True)
class Material:
    """What a target is made of: the bundle's manifest and identity, and its entries as the steps of unpacking them."""

    manifest: Manifest
    identity: str
    entries: tuple[Entry, ...]
    layout: Layout

    def note(self, workspace: Workspace | Path, unpacker: str, facts: Mapping[str, str]) -> None:
        """Write what the target says of itself: who made it, of which bundle, and the unpacker's own facts."""
        place = workspace if isinstance(workspace, Path) else workspace.descriptor
        write_state(place, State(unpacker, self.identity, facts), self.manifest)

    def conclude(self, target: Path, notices: Iterable[str]) -> Unpacked:
        """Return what is told of the new target."""
        foreign = tell_foreign(self.manifest.runs)
        told = () if foreign is None else (f"{foreign}; `rtrace replay --emulate` runs it",)
        return Unpacked(target, (*told, *notices), tuple(list_incomplete(self.manifest)))


Contents = Iterator[tuple[Entry, Iterator[bytes]]]
"""Every file that has a content, with the parts of it."""


def plan_material(bundle: Path) -> Material:
    """Return what a target would be made of."""
    with open_bundle(bundle) as opened:
        entries = opened.entries
        return Material(opened.manifest, opened.identity, entries, plan_layout(entries))


@contextlib.contextmanager
def opened_material(bundle: Path, target: Path, sources: Sources) -> Iterator[tuple[Material, Contents]]:
    """Yield what a new target is made of, and the contents of its files.

    Raises TargetError before anything is read when there can be no target of that name, and what `read_material` does.
    """
    refuse_existing(target)
    with read_material(bundle, sources) as found:
        yield found


@contextlib.contextmanager
def read_material(bundle: Path, sources: Sources, identity: str | None = None) -> Iterator[tuple[Material, Contents]]:
    """Yield what a target is made of, and the contents of its files.

    Raises TargetError for a bundle that has not the ``identity`` that is asked for, and what `plan_layout` and
    `complete_data` raise before anything is written.
    """
    with open_bundle(bundle) as opened:
        if identity is not None and opened.identity != identity:
            raise TargetError(
                f"{bundle} is not the bundle that the target was made of (which is sha256:{identity}); name that one"
            )
        entries = opened.entries
        layout = plan_layout(entries)
        debug(__name__, "%s: %d files with %d bytes to write", bundle, layout.count, layout.size)
        yield Material(opened.manifest, opened.identity, entries, layout), complete_data(opened, sources)
