"""``rtrace unpack``: from a bundle to a target."""

from __future__ import annotations

from pathlib import Path

import click

from rtrace.answers.replays.replaying import answer_plan, answer_unpack
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.options.common import FETCH, FROM, JSON
from rtrace.cli.options.completing import complete_bundles, complete_unpackers
from rtrace.cli.terminal.manner import is_verbose
from rtrace.cli.terminal.progress_bar import progress
from rtrace.cli.terminal.speaking import give_json, say, show, warn
from rtrace.cli.terminal.tidying import tell_cleaned
from rtrace.elsewhere.sources import Sources
from rtrace.manifest.incompleteness import MARK
from rtrace.operations.unpack import name_target, plan_unpacking, resolve_name, unpack
from rtrace.printable import shell_word
from rtrace.replay.protocol import Images


@click.command(
    cls=RtraceCommand,
    examples=("rtrace unpack docker bundle.rpz", "rtrace unpack chroot bundle.rpz target", "rtrace replay target"),
)
@click.option("-n", "--dry-run", is_flag=True, help="Show what would be done; write nothing.")
@click.option(
    "--with-shell", is_flag=True, help="Add a static busybox for `rtrace shell`, where the bundle has no shell."
)
@click.option(
    "--no-build",
    is_flag=True,
    help="docker, podman: write the build context alone; ask no engine. apptainer: write definition and archive alone.",
)
@click.option(
    "--base-image",
    metavar="IMAGE",
    help="docker, podman: write a build context on top of IMAGE, which installs the packages with `pack: false`. "
    "vagrant: the box of the machine.",
)
@JSON
@FETCH
@FROM
@click.argument("unpacker_name", metavar="UNPACKER", shell_complete=complete_unpackers)
@click.argument("bundle", type=click.Path(path_type=Path), shell_complete=complete_bundles)
@click.argument("target", type=click.Path(path_type=Path), required=False)
def command(  # noqa: PLR0913 -- an argument for each option
    unpacker_name: str,
    bundle: Path,
    target: Path | None,
    *,
    as_json: bool,
    dry_run: bool,
    with_shell: bool,
    no_build: bool,
    base_image: str | None,
    fetch: bool,
    folders: tuple[Path, ...],
) -> None:
    """Make TARGET from BUNDLE with UNPACKER.

    chroot: a folder, replayed in namespaces. docker, podman: an image, replayed by that container engine. directory: a
    folder with a script that replays it without rtrace, by whatever tool is there. apptainer: an image for Apptainer
    and Singularity, replayed in their containers. proot: a folder, replayed under proot, which does not isolate. vm: a
    disk, booted with qemu and a kernel of its own. vagrant: the files of a machine that Vagrant makes. auto: the first
    of chroot, docker, podman, apptainer and proot that can replay here.

    TARGET is a folder that does not exist yet [default: the bundle's name without its ending].
    """
    target = target or name_target(bundle)
    unpacker_name = resolve_name(unpacker_name, say)
    images = Images(build=not no_build, base=base_image)
    if dry_run:
        steps = plan_unpacking(unpacker_name, bundle, target, images)
        if as_json:
            give_json(answer_plan(steps, target, unpacker_name))
            return
        for line in steps:
            show(line)
        return
    tell_cleaned(target.absolute().parent)
    if is_verbose():
        for line in plan_unpacking(unpacker_name, bundle, target, images):
            say(line)
    unpacked = unpack(
        unpacker_name,
        bundle,
        target,
        progress=progress(),
        sources=Sources(folders, fetch),
        with_shell=with_shell,
        images=images,
    )
    if as_json:
        give_json(answer_unpack(unpacked, target, unpacker_name))
        return
    for sentence in unpacked.incomplete:
        warn(f"{MARK}: {sentence}")
    for note in unpacked.notes:
        say(note)
    word = shell_word(target)
    replaying = f"`rtrace replay {word}` replays it, " if unpacked.replays else ""
    say(f"unpacked into {target}; {replaying}`rtrace destroy {word}` removes it")
