"""Export a bundle as an image."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.bundle.protocol import Exported
from rtrace.elsewhere.sources import complete_data
from rtrace.errors import BundleError
from rtrace.exports.protocol import Exporting
from rtrace.files.incomplete import Incomplete
from rtrace.manifest.incompleteness import list_incomplete
from rtrace.progress import Progress
from rtrace_unpackers.engines.container.arguments import refuse_ids
from rtrace_unpackers.engines.image.dockerfile import FOLDER, START
from rtrace_unpackers.engines.image.launcher import build_launchers
from rtrace_unpackers.engines.image.layers import plan_layers
from rtrace_unpackers.engines.image.rootfs import choose_empty, is_sayable, refuse_taken
from rtrace_unpackers.engines.making import tell_limits
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.layout import plan_layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.oci.archive import write_archive
from rtrace_unpackers.oci.configuration import configure, name_image
from rtrace_unpackers.oci.first_program import build_first_program
from rtrace_unpackers.oci.writing import write_layers, write_own_layer


@dataclass(frozen=True, slots=True)
class Purpose:
    """What an image is for. ``choose`` returns the entries that it has.

    ``tells_variables``: whether who looks around in a container has the run's variables; a run has them in any case.
    ``tells_owners``: whether the image can tell if its files have kept their owners.
    """

    choose: Callable[[Sequence[Entry]], Sequence[Entry]] = tuple
    tells_owners: bool = False
    tells_variables: bool = True


FOR_ENGINES = Purpose()


def export_image(exporting: Exporting, target: Path, progress: Progress, purpose: Purpose = FOR_ENGINES) -> Exported:
    """Write an image's file. Raises BundleError, TargetError and ElsewhereError before anything is written."""
    bundle = exporting.bundle
    runs = bundle.manifest.runs
    if not runs:
        raise BundleError(f"{bundle.path} holds no run to replay, so no image can be made of it")
    entries = tuple(purpose.choose(tuple(bundle.entries)))
    refuse_ids(runs, entries)
    layout = plan_layout(entries)
    refuse_taken(layout, FOLDER.encode())
    programs = build_launchers(runs)
    programs[f"{FOLDER}/{START}"] = build_first_program(
        runs, exporting.expect(), bundle.identity, keeps_digests=bundle.keeps_digests
    )
    contents = complete_data(bundle, exporting.sources)
    with Incomplete(target) as incomplete:
        folder = incomplete.folder
        with tempfile.TemporaryFile(dir=folder) as file:
            refuse_too_large(layout.size, file.fileno())
        layers = write_layers(layout, plan_layers(layout, bundle.manifest.inputs), contents, folder, progress)
        owner = (runs[0].uid, runs[0].gid) if purpose.tells_owners else None
        layers = (*layers, write_own_layer(FOLDER, programs, folder, owner))
        configuration, platform = configure(
            runs,
            bundle.identity,
            layers,
            has_shared_memory=layout.has_shared_memory,
            tells_variables=purpose.tells_variables,
        )
        whole = folder / "whole"
        write_archive(whole, configuration, platform, layers, bundle.identity)
        incomplete.give_name(whole)
    lost = [(entry.path, name) for entry in entries for name, _ in entry.xattrs if not is_sayable(name)]
    empty = tuple(sorted(choose_empty(layout.placeholders), key=lambda entry: entry.path))
    notes = (*tell_use(target, bundle.identity), *tell_limits(layout, empty), *tell_lost(lost))
    return Exported(target, bundle.identity, layout.count, (), notes, tuple(list_incomplete(bundle.manifest)))


def tell_use(target: Path, identity: str) -> tuple[str, ...]:
    """Return how the image is used."""
    start = f"docker run --rm --network none {name_image(identity)}"
    return (f"`docker load --input {target}` loads it; `{start}` replays, `{start} verify` compares, too",)
