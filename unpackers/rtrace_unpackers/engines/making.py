"""Make a target of an engine of a bundle: a build context, and the image where an engine answers."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import BinaryIO

from rtrace.bundle.entry import Entry
from rtrace.debugging import debug
from rtrace.elsewhere.sources import Sources
from rtrace.errors import TargetError
from rtrace.files.folders import has_descriptors
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.manifest.model import Run
from rtrace.printable import count, format_size, printable
from rtrace.progress import Progress
from rtrace.replay.protocol import Images, Unpacked
from rtrace_unpackers.engines.belonging.identity import (
    BUILDING_LABEL,
    TARGET_LABEL,
    Identity,
    encode_path,
    label_target,
    make_identity,
    resolve,
)
from rtrace_unpackers.engines.belonging.leftovers import clean
from rtrace_unpackers.engines.belonging.possessions import Context, kept_when_done, make_image, name_possession
from rtrace_unpackers.engines.belonging.use import hold_for_life
from rtrace_unpackers.engines.container.arguments import refuse_ids
from rtrace_unpackers.engines.container.exported import REPLACED
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.image.base import render_base, tell_base
from rtrace_unpackers.engines.image.dockerfile import FOLDER, render_dockerfile, render_ignored
from rtrace_unpackers.engines.image.launcher import build_programs
from rtrace_unpackers.engines.image.layers import OWN, Plan, name_file, plan_layers
from rtrace_unpackers.engines.image.rootfs import is_sayable, write_layers
from rtrace_unpackers.engines.target import BASE, KEEPING, LAYERS
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.layout import Layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.target.making import Contents, Material, opened_material, plan_material
from rtrace_unpackers.target.placement import building_anywhere


@dataclass(frozen=True, slots=True)
class Maker:
    """Who makes the image: an engine, or nobody, and why not."""

    engine: Engine
    silence: str | None
    base: str | None = None

    @property
    def answers(self) -> bool:
        """Whether the engine makes it."""
        return self.silence is None


def find_maker(engine: Engine, images: Images) -> Maker:
    """Return who makes an image; an engine is not asked where none is wanted.

    On top of another image a person has to build it: that may take the network, and runs programs of that image.
    """
    if images.base is not None:
        return Maker(engine, "rtrace builds nothing on another image", images.base)
    if not images.build:
        return Maker(engine, "none is asked for")
    if not has_descriptors():
        return Maker(engine, "rtrace makes no images on this system")
    answers = engine.answers()
    debug(__name__, "the engine `%s` %s", engine.name, "answers" if answers else "does not answer")
    return Maker(engine, None if answers else f"no engine answers `{engine.name} version`")


def plan_target(bundle: Path, target: Path, maker: Maker) -> tuple[str, ...]:
    """Return what `make_target` would write and make, a line for each step."""
    material = plan_material(bundle)
    layout = material.layout
    layers = plan_layers(layout, material.manifest.inputs).names
    image = name_image(target, material.identity)
    launchers = count(len(material.manifest.runs), "launcher")
    files = f"{layout.counts.text} ({format_size(layout.size)}) and {launchers}"
    return (
        f"make {target}",
        f"write {', '.join(map(name_file, layers))} in {target} with {files}",
        f"write {target / 'Dockerfile'}",
        f"make an image {image}-... with {maker.engine.name}" if maker.answers else f"make no image: {maker.silence}",
    )


def make_target(bundle: Path, target: Path, progress: Progress, sources: Sources, name: str, maker: Maker) -> Unpacked:
    """Write a build context in a new folder, and have its maker, if there is one, load the image."""
    with opened_material(bundle, target, sources) as (material, contents):
        runs = material.manifest.runs
        if not runs:
            raise TargetError(f"{bundle} holds no run to replay")
        refuse_ids(runs, material.entries)
        programs = build_programs(runs)
        engine, answers = maker.engine, maker.answers
        gone = clean(engine) if answers else ()
        identity = make_identity(name_image(target, material.identity), used=answers)
        made = None
        with kept_when_done(engine, identity), building_anywhere(target) as workspace:
            folder = workspace if isinstance(workspace, Path) else workspace.path
            plan = plan_layers(material.layout, material.manifest.inputs)
            lock, empty = write_context(folder, material, plan, contents, programs, progress)
            write_instructions(folder, material, plan, maker.base)
            based = {} if maker.base is None else {BASE: maker.base}
            shared = {KEEPING: "yes"} if material.layout.has_shared_memory else {}
            material.note(workspace, name, {**identity.to_facts(), **shared, LAYERS: " ".join(plan.names), **based})
            if answers and not isinstance(workspace, Path):
                labels = {**label_target(identity, target), BUILDING_LABEL: encode_path(resolve(folder))}
                context = Context(workspace.descriptor, plan.names, runs, material.identity)
                made = make_image(engine, context, labels, lock)
        if made is not None:
            name_possession(engine, made, identity)
    lost = [(entry.path, name) for entry in material.entries for name, _ in entry.xattrs if not is_sayable(name)]
    notices = (
        *(f"removed what a killed rtrace left: {left}" for left in gone),
        *tell_image(maker, identity, target, runs, plan_volumes(material.layout)),
        *(() if maker.base is None else (tell_base(maker.base, material.manifest.packages),)),
        *tell_limits(material.layout, empty),
        *tell_lost(lost),
    )
    return material.conclude(target, notices)


def write_context(
    folder: Path,
    material: Material,
    plan: Plan,
    contents: Contents,
    programs: Mapping[str, bytes],
    progress: Progress,
) -> tuple[int | None, tuple[Entry, ...]]:
    """Write a build context; return the lock that tells that its maker lives, and the placeholders left empty."""
    with ExitStack() as stack:
        files: dict[str, BinaryIO] = {OWN: stack.enter_context((folder / name_file(OWN)).open("x+b"))}
        lock = hold_for_life(folder, name_file(OWN))
        for name in plan.names:
            if name != OWN:
                files[name] = stack.enter_context((folder / name_file(name)).open("x+b"))
        refuse_too_large(material.layout.size, files[OWN].fileno())
        empty = write_layers(files, material.layout, plan, contents, FOLDER, programs, progress=progress)
    return lock, empty


def write_instructions(folder: Path, material: Material, plan: Plan, base: str | None) -> None:
    """Write the Dockerfile, and what of the folder is not to be sent to an engine."""
    beginning = render_base(base, material.manifest.packages)
    dockerfile = render_dockerfile(material.manifest.runs, material.identity, plan.names, beginning)
    (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8", newline="\n")
    (folder / ".dockerignore").write_text(render_ignored(plan.names), encoding="utf-8", newline="\n")


def name_image(target: Path, identity: str) -> str:
    """Return the name and the tag of a target's image, as far as they follow from the target and its bundle."""
    words = re.sub(r"[^a-z0-9]+", "-", target.absolute().name.lower()).strip("-")[:64].strip("-")
    return f"rtrace-{words or 'target'}:{identity[:12]}"


def plan_volumes(layout: Layout) -> str:
    """Return the option that a container needs so that it shows the image's files in /dev/shm."""
    return f" --volume {SHARED_MEMORY.decode()}" if layout.has_shared_memory else ""


def tell_image(maker: Maker, identity: Identity, target: Path, runs: Sequence[Run], volumes: str) -> tuple[str, ...]:
    """Return how the image is used, and how it is built where no engine did that."""
    image, engine = identity.image, maker.engine
    hostname = shlex.quote(runs[0].hostname)
    use = f"`{engine.name} run --rm --network none{volumes} --hostname {hostname} {image}` replays {runs[0].id}"
    if maker.answers:
        return (f"made the image {image}; {use}",)
    label = f"--label {TARGET_LABEL}={identity.number}"
    build = f"`{engine.name} build --tag {image} {label} {shlex.quote(str(target))}`"
    return (f"{maker.silence}, so no image was made; {build} builds it, and then {use}",)


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
