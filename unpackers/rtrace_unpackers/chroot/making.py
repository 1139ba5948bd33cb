"""Make a chroot target of a bundle."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from rtrace.elsewhere.sources import Sources
from rtrace.files.folders import directory_flags
from rtrace.files.workspaces import Workspace
from rtrace.printable import format_size
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.chroot.owners import choose_owners
from rtrace_unpackers.chroot.state_words import NAME, TREE
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.placeholders import tell_unreserved
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.isolation.users.rights import acts_as_root
from rtrace_unpackers.target.making import Material, opened_material, plan_material
from rtrace_unpackers.target.placement import building


def plan_target(bundle: Path, target: Path) -> tuple[str, ...]:
    """Return what `make_target` would write, a line for each step."""
    material = plan_material(bundle)
    layout, runs = material.layout, material.manifest.runs
    whose = "owned as recorded" if acts_as_root() else "owned by you"
    return (
        f"make {target}, which only you can enter",
        f"write {layout.counts.text} ({format_size(layout.size)}) in {target / TREE}, {whose}",
        f"prepare {', '.join(run.id for run in runs)} for replay",
    )


@dataclass(frozen=True, slots=True)
class Kind:
    """What kind of tree a target is: which unpacker's, whether owners may be shifted, and what is added in the end.

    ``complete`` gets what the target is made of, the open root of the tree, and the folder around it; ``facts`` are
    the unpacker's own.
    """

    unpacker: str
    shifts: bool = True
    complete: Callable[[Material, int, Workspace], None] = lambda _material, _root, _workspace: None
    facts: Mapping[str, str] = field(default_factory=dict)


CHROOT = Kind(NAME)


def make_target(bundle: Path, target: Path, progress: Progress, sources: Sources, kind: Kind = CHROOT) -> Unpacked:
    """Write the bundle's files below a new folder."""
    with opened_material(bundle, target, sources) as (material, contents), building(target) as workspace:
        os.mkdir(TREE, 0o700, dir_fd=workspace.descriptor)
        root = os.open(TREE, directory_flags(), dir_fd=workspace.descriptor)
        try:
            owners = choose_owners(root, shifts=kind.shifts)
            ownership = owners.make_ownership(material.manifest.runs)
            unreserved = extract(material.layout, contents, root, ownership, progress=progress)
            kind.complete(material, root, workspace)
        finally:
            os.close(root)
        material.note(workspace, kind.unpacker, {**owners.facts, **kind.facts})
    return material.conclude(target, (*tell_lost(ownership.lost), *tell_unreserved(unreserved)))
