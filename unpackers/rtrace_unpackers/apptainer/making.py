"""Make an apptainer target: the image as an archive, its definition, and the tree that replays work on.

    TARGET/
      root/ ...             as in a directory target, without a script: the sandbox that replays take place in
      image.oci.tar         the image as `rtrace export --format oci` writes it
      image.def             the definition: what Apptainer makes an image file of
      image.sif             that image file

A throw-away target has the tree alone; with --no-build a target has the archive and the definition alone.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from rtrace.bundle.protocol import OpenBundle
from rtrace.elsewhere.sources import Sources
from rtrace.exports.protocol import Expectations, Exporting
from rtrace.files.folders import write_new
from rtrace.files.workspaces import Workspace, temporary
from rtrace.opening import open_bundle
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.apptainer.definition import render_definition
from rtrace_unpackers.apptainer.own_places import choose_entries
from rtrace_unpackers.apptainer.tool import build_image, demand_tool, find_tool
from rtrace_unpackers.apptainer.words import ARCHIVE, CLOSED, DEFINITION, IMAGE, NAME, TREE_FACT, WRITABLE
from rtrace_unpackers.chroot.making import Kind, make_target
from rtrace_unpackers.directory.making import add_entry, refuse_taken
from rtrace_unpackers.oci.exporting import Purpose, export_image
from rtrace_unpackers.target.making import Material, plan_material, read_material
from rtrace_unpackers.target.placement import building

Expect = Callable[[OpenBundle], Expectations]
FOR_APPTAINER = Purpose(choose_entries, tells_owners=True, tells_variables=False)
"""Apptainer would make a shell script of variables, whose quotes do not hold what a bundle may say; and whether files
keep their owners depends on the rights of who builds an image."""


def plan_apptainer(bundle: Path, target: Path, *, builds: bool) -> tuple[str, ...]:
    """Return what would be made, a line for each step."""
    material = plan_material(bundle)
    files = f"{material.layout.counts.text}"
    image = (f"write the image to {target / ARCHIVE}", f"write its definition to {target / DEFINITION}")
    if not builds:
        return (f"make {target}", *image)
    tool = find_tool()
    built = "fail, for there is no Apptainer; else have it" if tool is None else f"have {os.path.basename(tool)}"
    return (
        f"make {target}, which only you can enter",
        f"write {files} in {target / 'root'}, owned by you",
        *image,
        f"{built} build {target / IMAGE}",
    )


def make_apptainer(
    bundle: Path, target: Path, progress: Progress, sources: Sources, expect: Expect, *, throw_away: bool
) -> Unpacked:
    """Write the bundle's files below a new folder, and build the image. Raises BundleError and TargetError."""
    tool = demand_tool()

    def complete(material: Material, root: int, workspace: Workspace) -> None:
        refuse_taken(material)
        add_entry(root)
        if throw_away:
            return
        write_image(bundle, workspace.path, material, sources, expect)
        with temporary("build") as folder:
            build_image(tool, workspace.path, folder)

    made = make_target(
        bundle, target, progress, sources, Kind(NAME, shifts=False, complete=complete, facts={TREE_FACT: "yes"})
    )
    if throw_away:
        return made
    use = f"`apptainer test {CLOSED} {WRITABLE} {target / IMAGE}` replays and compares without rtrace"
    return Unpacked(made.target, (*made.notes, use), made.incomplete)


def write_definition(bundle: Path, target: Path, progress: Progress, sources: Sources, expect: Expect) -> Unpacked:
    """Write the archive and the definition below a new folder, and nothing else."""
    with read_material(bundle, sources) as (material, _), building(target) as workspace:
        write_image(bundle, workspace.path, material, sources, expect, progress)
        material.note(workspace, NAME, {TREE_FACT: "no"})
    build = f"`apptainer build --notest {IMAGE} {DEFINITION}` in {target} builds the image, as a plain user"
    use = f"`apptainer test {CLOSED} {WRITABLE} {IMAGE}` replays and compares then"
    return replace(material.conclude(target, (f"no image was made: {build}; {use}",)), replays=False)


def write_image(
    bundle: Path, folder: Path, material: Material, sources: Sources, expect: Expect, progress: Progress = SILENT
) -> None:
    """Write the archive and the definition into a folder. Raises BundleError and TargetError."""
    with open_bundle(bundle) as opened:
        exporting = Exporting(opened, lambda: expect(opened), sources)
        export_image(exporting, folder / ARCHIVE, progress, FOR_APPTAINER)
    write_new(folder, DEFINITION, render_definition(material.manifest.runs, material.identity))
