"""Make a docker target of a bundle: a build context, and the image where an engine answers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from itertools import chain
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError
from rtrace.files.folders import has_descriptors
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.manifest.model import Run
from rtrace.printable import count, format_size, printable
from rtrace.progress import Progress
from rtrace.replay.protocol import Unpacked
from rtrace_unpackers.engines.belonging.identity import (
    BUILDING_LABEL,
    NAME,
    TARGET_LABEL,
    Identity,
    encode_path,
    label_target,
    make_identity,
    resolve,
)
from rtrace_unpackers.engines.belonging.leftovers import clean
from rtrace_unpackers.engines.belonging.possessions import kept_when_done, make_image, name_possession
from rtrace_unpackers.engines.belonging.use import hold_for_life
from rtrace_unpackers.engines.container.arguments import refuse_ids
from rtrace_unpackers.engines.container.exported import REPLACED
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.image.dockerfile import FOLDER, IGNORED, ROOTFS, render_dockerfile
from rtrace_unpackers.engines.image.launcher import build_programs
from rtrace_unpackers.engines.image.rootfs import is_sayable, write_rootfs
from rtrace_unpackers.engines.target import KEEPING
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.layout import Layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.target.making import Contents, Material, opened_material, plan_material
from rtrace_unpackers.target.placement import building_anywhere


def plan_target(bundle: Path, target: Path) -> tuple[str, ...]:
    """Return what `make_target` would write and make, a line for each step."""
    material = plan_material(bundle)
    layout = material.layout
    engine = choose_engine()
    image = name_image(target, material.identity)
    launchers = count(len(material.manifest.runs), "launcher")
    files = f"{layout.counts.text} ({format_size(layout.size)}) and {launchers}"
    return (
        f"make {target}",
        f"write {target / ROOTFS} with {files}",
        f"write {target / 'Dockerfile'}",
        f"make an image {image}-... with {engine.name}" if engine.answers() else f"make no image: {silence(engine)}",
    )


def make_target(bundle: Path, target: Path, progress: Progress, sources: Sources) -> Unpacked:
    """Write a build context in a new folder, and have an engine load the image if one answers."""
    with opened_material(bundle, target, sources) as (material, contents):
        runs = material.manifest.runs
        if not runs:
            raise TargetError(f"{bundle} holds no run to replay")
        refuse_ids(runs, material.entries)
        programs = build_programs(runs)
        engine = choose_engine()
        answers = has_descriptors() and engine.answers()
        debug(__name__, "the engine `%s` %s", engine.name, "answers" if answers else "does not answer")
        gone = clean(engine) if answers else ()
        identity = make_identity(name_image(target, material.identity), used=answers)
        made = None
        with kept_when_done(engine, identity), building_anywhere(target) as workspace:
            folder = workspace if isinstance(workspace, Path) else workspace.path
            lock, empty = write_context(folder, material, contents, programs, progress)
            shared = {KEEPING: "yes"} if material.layout.has_shared_memory else {}
            material.note(workspace, NAME, {**identity.to_facts(), **shared})
            if answers and not isinstance(workspace, Path):
                labels = {**label_target(identity, target), BUILDING_LABEL: encode_path(resolve(folder))}
                made = make_image(engine, workspace.descriptor, runs, material.identity, labels, lock)
        if made is not None:
            name_possession(engine, made, identity)
    lost = [(entry.path, name) for entry in material.entries for name, _ in entry.xattrs if not is_sayable(name)]
    notices = (
        *(f"removed what a killed rtrace left: {left}" for left in gone),
        *tell_image(engine, identity, target, runs, plan_volumes(material.layout), answers=answers),
        *tell_limits(material.layout, empty),
        *tell_lost(lost),
    )
    return material.conclude(target, notices)


def write_context(
    folder: Path, material: Material, contents: Contents, programs: Mapping[str, bytes], progress: Progress
) -> tuple[int | None, tuple[Entry, ...]]:
    """Write a build context; return the lock that tells that its maker lives, and the placeholders left empty."""
    with (folder / ROOTFS).open("x+b") as file:
        lock = hold_for_life(folder, ROOTFS)
        refuse_too_large(material.layout.size, file.fileno())
        empty = write_rootfs(file, material.layout, contents, FOLDER, programs, progress=progress)
    dockerfile = render_dockerfile(material.manifest.runs, material.identity)
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8", newline="\n")
    (folder / ".dockerignore").write_text(IGNORED, encoding="utf-8", newline="\n")
    return lock, empty


def name_image(target: Path, identity: str) -> str:
    """Return the name and the tag of a target's image, as far as they follow from the target and its bundle."""
    words = re.sub(r"[^a-z0-9]+", "-", target.absolute().name.lower()).strip("-")[:64].strip("-")
    return f"rtrace-{words or 'target'}:{identity[:12]}"


def silence(engine: Engine) -> str:
    """Return the words for an engine that does not answer, or is not asked."""
    if not has_descriptors():
        return "rtrace makes no images on this system"
    return f"no engine answers `{engine.name} version`"


def plan_volumes(layout: Layout) -> str:
    """Return the option that a container needs so that it shows the image's files in /dev/shm."""
    return f" --volume {SHARED_MEMORY.decode()}" if layout.has_shared_memory else ""


def tell_image(
    engine: Engine, identity: Identity, target: Path, runs: Sequence[Run], volumes: str, *, answers: bool
) -> tuple[str, ...]:
    """Return how the image is used, and how it is built where no engine did that."""
    image = identity.image
    hostname = shlex.quote(runs[0].hostname)
    use = f"`{engine.name} run --rm --network none{volumes} --hostname {hostname} {image}` replays {runs[0].id}"
    if answers:
        return (f"made the image {image}; {use}",)
    label = f"--label {TARGET_LABEL}={identity.number}"
    build = f"`{engine.name} build --tag {image} {label} {shlex.quote(str(target))}`"
    return (f"{silence(engine)}, so no image was made; {build} builds it, and then {use}",)


def tell_limits(layout: Layout, empty: Sequence[Entry]) -> tuple[str, ...]:
    """Return in what a container differs from the machine of the original run, a sentence each."""
    files = (*layout.files, *chain.from_iterable(layout.copies.values()), *layout.symlinks)
    replaced = [entry.path for entry in files if entry.path in REPLACED]
    notes = []
    if replaced:
        names = ", ".join(printable(path) for path in replaced)
        notes.append(f"a container has Docker's own {names}, not the bundle's; the chroot unpacker has the bundle's")
    if empty:
        names = ", ".join(printable(entry.path) for entry in empty[:3]) + (" and others" if len(empty) > 3 else "")  # noqa: PLR2004
        notes.append(f"only the names of {names} were needed: in the image these large files are empty")
    return tuple(notes)
