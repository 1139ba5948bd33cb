"""Make a vagrant target: the files of a machine, which a person has Vagrant make."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from rtrace.elsewhere.sources import Sources
from rtrace.errors import HostileBundleError, TargetError
from rtrace.files.folders import write_new
from rtrace.manifest.model import Run
from rtrace.printable import format_size, printable
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.directory.starters import build_starters, render_table
from rtrace_unpackers.directory.words import LAUNCHERS, OWN, SCRIPT, TABLE
from rtrace_unpackers.engines.image.dockerfile import FOLDER
from rtrace_unpackers.engines.image.rootfs import make_own_header, open_tar, write_rootfs
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.isolation.users.ids import refuse_no_id
from rtrace_unpackers.target.making import opened_material, plan_material
from rtrace_unpackers.target.placement import building
from rtrace_unpackers.vagrant.vagrantfile import choose_box, render_vagrantfile
from rtrace_unpackers.vagrant.words import FILES, NAME, PLACE, PROVISIONING, REPLAYING, VAGRANTFILE

RUN_SCRIPT = Path(__file__).parent.with_name("directory") / SCRIPT
BOX = "box"
"""The word of the state that says which box a machine is made of."""


def plan_vagrant(bundle: Path, target: Path, named: str | None) -> tuple[str, ...]:
    """Return what `make_vagrant` would write, a line for each step."""
    material = plan_material(bundle)
    box = choose_box(named, find_distribution(material.manifest.runs))
    return (
        f"make {target}",
        f"write {target / VAGRANTFILE} for the box {box}, and {target / PROVISIONING}",
        f"write {material.layout.counts.text} ({format_size(material.layout.size)}) to {target / FILES}",
    )


def make_vagrant(bundle: Path, target: Path, progress: Progress, sources: Sources, named: str | None) -> Unpacked:
    """Write the files of a machine below a new folder; ask nobody. Raises BundleError and TargetError."""
    with opened_material(bundle, target, sources) as (material, contents):
        runs = material.manifest.runs
        if not runs:
            raise TargetError(f"{bundle} holds no run to replay")
        for entry in material.entries:
            refuse_no_id((entry.uid, entry.gid), printable(entry.path))
            if entry.path.startswith(FOLDER.encode() + b"/"):
                raise HostileBundleError(f"the bundle holds {printable(entry.path)}, where rtrace puts launchers")
        replaying = pack_replaying(runs)
        box = choose_box(named, find_distribution(runs))
        with building(target) as workspace:
            with (workspace.path / FILES).open("x+b") as file:
                refuse_too_large(material.layout.size, file.fileno())
                write_rootfs(file, material.layout, contents, FOLDER, progress=progress)
            write_new(workspace.descriptor, REPLAYING, replaying)
            write_new(workspace.descriptor, PROVISIONING, Path(__file__).with_name(PROVISIONING).read_bytes())
            write_new(workspace.descriptor, VAGRANTFILE, render_vagrantfile(box).encode("ascii"))
            material.note(workspace, NAME, {BOX: box})
    up = f"`vagrant up` in {target} makes a machine of the box {box}, and may download that"
    use = f"`vagrant ssh -c 'sudo {PLACE}/{SCRIPT}'` replays in it, `vagrant destroy` removes it"
    return replace(material.conclude(target, (f"{up}; {use}",)), replays=False)


def find_distribution(runs: Sequence[Run]) -> str:
    """Return the name of the distribution of the first run, by which a box is looked up, and no more."""
    return runs[0].distribution[0] if runs else ""


def pack_replaying(runs: Sequence[Run]) -> bytes:
    """Return the archive of what replays: launchers, the table of runs, and the script that a directory target has."""
    packed = io.BytesIO()
    launchers = [(f"{LAUNCHERS}/{kind}/{name}", program) for kind, name, program in build_starters(runs, as_root=True)]
    files = [*launchers, (TABLE, render_table(runs, as_root=True)), (SCRIPT, RUN_SCRIPT.read_bytes())]
    folders = (OWN, LAUNCHERS, *sorted({path.rpartition("/")[0] for path, _ in launchers}))
    with open_tar(packed) as tar:
        for folder in folders:
            tar.addfile(make_own_header(f"/{folder}", tarfile.DIRTYPE, 0))
        for path, content in files:
            tar.addfile(make_own_header(f"/{path}", tarfile.REGTYPE, len(content)), io.BytesIO(content))
    return packed.getvalue()
