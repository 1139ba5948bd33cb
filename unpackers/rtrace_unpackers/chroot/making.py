"""Make a chroot target of a bundle."""

from __future__ import annotations

import os
from pathlib import Path

from rtrace.elsewhere.sources import Sources, complete_data
from rtrace.files.folders import directory_flags
from rtrace.manifest.incompleteness import list_incomplete
from rtrace.opening import open_bundle
from rtrace.printable import format_size
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.chroot.state_words import CALLER, NAME, RECORDED, SHIFTED, TREE
from rtrace_unpackers.files.extraction import extract
from rtrace_unpackers.files.layout import plan_layout
from rtrace_unpackers.files.ownership import choose_ownership
from rtrace_unpackers.files.placeholders import tell_unreserved
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.isolation.users.rights import acts_as_root, find_shift
from rtrace_unpackers.isolation.users.user_namespace import can_map_owners
from rtrace_unpackers.target.placement import building, refuse_existing
from rtrace_unpackers.target.state import State, write_state


def plan_target(bundle: Path, target: Path) -> tuple[str, ...]:
    """Tell what `make_target` would write."""
    with open_bundle(bundle) as opened:
        layout = plan_layout(opened.entries)
        runs = opened.manifest.runs
    whose = "owned as recorded" if acts_as_root() else "owned by you"
    return (
        f"make {target}, entered by nobody but you",
        f"write {layout.counts.text} ({format_size(layout.size)}) in {target / TREE}, {whose}",
        f"note {', '.join(run.id for run in runs)} for replay",
    )


def make_target(bundle: Path, target: Path, progress: Progress, sources: Sources) -> Unpacked:
    """Write the bundle's files below a new folder."""
    refuse_existing(target)
    as_root = acts_as_root()
    with open_bundle(bundle) as opened:
        manifest = opened.manifest
        layout = plan_layout(opened.entries)
        contents = complete_data(opened, sources)
        with building(target) as workspace:
            os.mkdir(TREE, 0o700, dir_fd=workspace.descriptor)
            root = os.open(TREE, directory_flags(), dir_fd=workspace.descriptor)
            try:
                shift = choose_shift_of(root) if as_root else 0
                ownership = choose_ownership(manifest.runs, as_root=as_root, shift=shift)
                unreserved = extract(layout, contents, root, ownership, progress=progress)
            finally:
                os.close(root)
            facts = {"owners": RECORDED if as_root else CALLER}
            if shift:
                facts = {"owners": SHIFTED, "shift": str(shift)}
            write_state(workspace.descriptor, State(NAME, opened.identity, facts), manifest)
    notices = (*tell_lost(ownership.lost), *tell_unreserved(unreserved))
    return Unpacked(target, notices, tuple(list_incomplete(manifest)))


def choose_shift_of(root: int) -> int:
    """Return by how much the owners of root's files are to be shifted: by nothing, where a mount can show others."""
    return 0 if can_map_owners(root) else find_shift() or 0
