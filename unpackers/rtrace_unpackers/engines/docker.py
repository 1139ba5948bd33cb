"""The unpacker ``docker``: a build context from which any engine makes an image, and that image when one answers.

TARGET/
  rtrace-target.json        what this is
  manifest.yml              the runs
  Dockerfile .dockerignore  how the image is made
  rootfs.tar                its files: those of the bundle, and a launcher for each run in /.rtrace
"""

from __future__ import annotations

import re
import shlex
from collections.abc import Sequence
from itertools import chain
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace.elsewhere.sources import NO_SOURCES, Sources, complete_data
from rtrace.errors import TargetError
from rtrace.files.hierarchy import SHARED_MEMORY
from rtrace.manifest.incompleteness import list_incomplete
from rtrace.manifest.model import Run
from rtrace.opening import open_bundle
from rtrace.printable import format_size, printable
from rtrace.progress import SILENT, Progress
from rtrace.replay.protocol import Unpacked
from rtrace.replay.target_folder import TargetFolder
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
from rtrace_unpackers.engines.belonging.leftovers import clean, list_leftovers
from rtrace_unpackers.engines.belonging.possessions import kept_when_done, make_image, name_possession
from rtrace_unpackers.engines.belonging.use import hold_for_life
from rtrace_unpackers.engines.container.arguments import refuse_ids
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.image.dockerfile import FOLDER, IGNORED, PAUSE, ROOTFS, name_launchers, render_dockerfile
from rtrace_unpackers.engines.image.launcher import build_launcher, build_pause
from rtrace_unpackers.engines.image.rootfs import is_sayable, write_rootfs
from rtrace_unpackers.engines.target import KEEPING, DockerTarget
from rtrace_unpackers.files.copying import refuse_too_large
from rtrace_unpackers.files.layout import Layout, plan_layout
from rtrace_unpackers.files.xattr_setting import tell_lost
from rtrace_unpackers.target.placement import building, refuse_existing
from rtrace_unpackers.target.state import State, read_manifest, read_state, write_state

DOCKERS_OWN = (b"/etc/hostname", b"/etc/hosts", b"/etc/mtab", b"/etc/resolv.conf")
"""Files that Docker replaces by its own in every container, whatever the image holds there."""


class DockerUnpacker:
    """Makes docker targets."""

    name = NAME
    summary = "a Dockerfile with all files, and the image where an engine answers"

    def plan(self, bundle: Path, target: Path) -> tuple[str, ...]:
        """Tell what ``unpack`` would write and build."""
        with open_bundle(bundle) as opened:
            layout = plan_layout(opened.entries)
            runs, identity = opened.manifest.runs, opened.identity
        engine = choose_engine()
        image = name_image(target, identity)
        answers = engine.answers()
        holds = f"{layout.counts.text} ({format_size(layout.size)}) and {count(len(runs), 'launcher')}"
        return (
            f"make {target}",
            f"write {target / ROOTFS} with {holds}",
            f"write {target / 'Dockerfile'}",
            f"make an image {image}-... with {engine.name}" if answers else f"make no image: {silence(engine)}",
        )

    def unpack(
        self, bundle: Path, target: Path, *, progress: Progress = SILENT, sources: Sources = NO_SOURCES
    ) -> Unpacked:
        """Write a build context in a new folder, and have an engine build the image if one answers."""
        refuse_existing(target)
        with open_bundle(bundle) as opened:
            manifest = opened.manifest
            if not manifest.runs:
                raise TargetError(f"{bundle} holds no run to replay")
            refuse_ids(manifest.runs, opened.entries)
            programs = build_programs(manifest.runs)
            layout = plan_layout(opened.entries)
            engine = choose_engine()
            answers = engine.answers()
            gone = clean(engine) if answers else ()
            identity = make_identity(name_image(target, opened.identity), used=answers)
            made = None
            contents = complete_data(opened, sources)
            with kept_when_done(engine, identity), building(target) as workspace:
                folder = workspace.path
                with (folder / ROOTFS).open("x+b") as file:
                    lock = hold_for_life(folder, ROOTFS)
                    refuse_too_large(layout.size, file.fileno())
                    empty = write_rootfs(file, layout, contents, FOLDER, programs, progress=progress)
                dockerfile = render_dockerfile(manifest.runs, opened.identity)
                (folder / "Dockerfile").write_text(dockerfile, encoding="utf-8", newline="\n")
                (folder / ".dockerignore").write_text(IGNORED, encoding="utf-8", newline="\n")
                facts = {**identity.to_facts(), **({KEEPING: "yes"} if layout.has_shared_memory else {})}
                write_state(workspace.descriptor, State(NAME, opened.identity, facts), manifest)
                if answers:
                    labels = {**label_target(identity, target), BUILDING_LABEL: encode_path(resolve(folder))}
                    made = make_image(engine, workspace.descriptor, manifest.runs, opened.identity, labels, lock)
            if made is not None:
                name_possession(engine, made, identity)
            copies = chain.from_iterable(layout.copies.values())
            files = (*layout.files, *copies, *layout.symlinks)
            replaced = [entry.path for entry in files if entry.path in DOCKERS_OWN]
            lost = [(entry.path, name) for entry in opened.entries for name, _ in entry.xattrs if not is_sayable(name)]
        notes = (
            *(f"removed what a killed rtrace left: {left}" for left in gone),
            *tell_image(engine, identity, target, manifest.runs, plan_volumes(layout), answers=answers),
            *tell_limits(replaced, empty),
            *tell_lost(lost),
        )
        return Unpacked(target, notes, tuple(list_incomplete(manifest)))

    def open(self, target: Path) -> DockerTarget:
        """Open a folder that ``unpack`` made."""
        folder = TargetFolder(target)
        return DockerTarget(folder, read_state(folder, NAME), read_manifest(folder))

    def list_leftovers(self) -> tuple[str, ...]:
        """Describe what killed processes left in the engine."""
        return tuple(leftover.description for leftover in list_leftovers())

    def clean(self) -> tuple[str, ...]:
        """Remove that, and describe what is gone."""
        return clean()


def build_programs(runs: Sequence[Run]) -> dict[str, bytes]:
    """Return the launchers of an image by their paths."""
    launchers = name_launchers(runs)
    programs = {launchers[run.id]: build_launcher(run) for run in runs}
    return {**programs, f"{FOLDER}/{PAUSE}": build_pause(runs[0].architecture)}


def name_image(target: Path, identity: str) -> str:
    """Return the name and the tag of a target's image, as far as they follow from the target and its bundle."""
    words = re.sub(r"[^a-z0-9]+", "-", target.absolute().name.lower()).strip("-")[:64].strip("-")
    return f"rtrace-{words or 'target'}:{identity[:12]}"


def silence(engine: Engine) -> str:
    """Say that no engine answers."""
    return f"no engine answers `{engine.name} version`"


def plan_volumes(layout: Layout) -> str:
    """Return what a container needs besides, so that it shows the image's files in /dev/shm."""
    return f" --volume {SHARED_MEMORY.decode()}" if layout.has_shared_memory else ""


def tell_image(
    engine: Engine, identity: Identity, target: Path, runs: Sequence[Run], volumes: str, *, answers: bool
) -> tuple[str, ...]:
    """Say how the image is used, and how it is built when it was not."""
    image = identity.image
    hostname = shlex.quote(runs[0].hostname)
    use = f"`{engine.name} run --rm --network none{volumes} --hostname {hostname} {image}` replays {runs[0].id}"
    if answers:
        return (f"made the image {image}; {use}",)
    label = f"--label {TARGET_LABEL}={identity.number}"
    build = f"`{engine.name} build --tag {image} {label} {shlex.quote(str(target))}`"
    return (f"{silence(engine)}, so no image was made; {build} builds it, and then {use}",)


def tell_limits(replaced: Sequence[bytes], empty: Sequence[Entry]) -> tuple[str, ...]:
    """Say in what a container differs from the machine of the original run."""
    notes = []
    if replaced:
        names = ", ".join(printable(path) for path in replaced)
        notes.append(f"a container has Docker's own {names}, not the bundle's; the chroot unpacker has the bundle's")
    if empty:
        names = ", ".join(printable(entry.path) for entry in empty[:3]) + (" and others" if len(empty) > 3 else "")  # noqa: PLR2004
        notes.append(f"only the names of {names} were needed: in the image these large files are empty")
    return tuple(notes)


UNPACKER = DockerUnpacker()
