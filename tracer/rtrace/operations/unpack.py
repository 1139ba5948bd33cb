"""`rtrace unpack`: a target from a bundle."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.debugging import debug
from rtrace.elsewhere.sources import NO_SOURCES, Sources
from rtrace.errors import ForeignError, RtraceError, TargetError, UsageError
from rtrace.exports.protocol import SelfVerifier
from rtrace.files.folders import has_descriptors
from rtrace.operations.exchange.bundles import keep_bundle, read_identity
from rtrace.printable import shell_word
from rtrace.progress import SILENT, Progress
from rtrace.replay.choosing import choose_unpacker
from rtrace.replay.protocol import ANY_IMAGES, ImageMaker, Images
from rtrace.replay.registry import AUTO, load_unpacker

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from rtrace.replay.protocol import Target, Unpacked, Unpacker


def name_target(bundle: Path) -> Path:
    """Return the folder that a bundle is unpacked into when none is named: in this one, by the bundle's name."""
    target = Path(bundle.name).with_suffix("")
    return Path(f"{bundle.name}.target") if target == Path(bundle.name) else target


def find_unpacker(name: str, images: Images) -> Unpacker:
    """Return the unpacker of a name, which makes images as is asked for. Raises UsageError where it makes none."""
    unpacker = load_unpacker(name)
    if isinstance(unpacker, SelfVerifier):
        from rtrace.operations.export import expect

        unpacker = unpacker.expecting(expect)
    if images == ANY_IMAGES:
        return unpacker
    if not isinstance(unpacker, ImageMaker):
        raise UsageError(f"the unpacker {name} makes no image: leave out --no-build and --base-image, or name docker")
    return unpacker.make_images(images)


def plan_unpacking(unpacker_name: str, bundle: Path, target: Path, images: Images = ANY_IMAGES) -> tuple[str, ...]:
    """Return what would be done, a sentence each. Raises UsageError, TargetError and BundleError."""
    unpacker = find_unpacker(unpacker_name, images)
    refuse_existing(target)
    return unpacker.plan(bundle, target)


def unpack(
    unpacker_name: str,
    bundle: Path,
    target: Path,
    *,
    progress: Progress = SILENT,
    sources: Sources = NO_SOURCES,
    with_shell: bool = False,
    images: Images = ANY_IMAGES,
) -> Unpacked:
    """Make a target from a bundle, which is kept in it, and note where it is.

    ``with_shell``: it gets a shell if it has none, and so its image has to be made.
    Raises UsageError, TargetError, BundleError and ElsewhereError.
    """
    unpacker = find_unpacker(unpacker_name, images)
    if with_shell and (images.base is not None or not images.build):
        raise UsageError(
            "--with-shell needs an image, and --no-build and --base-image make none; leave out one of them"
        )
    refuse_existing(target)
    lacks_shell = with_shell and prepare_shell(bundle)
    began = time.monotonic()
    with noted(target, unpacker_name, bundle):
        unpacked = unpacker.unpack(bundle, target, progress=progress, sources=sources)
    debug(__name__, "unpacked with %s in %.3f s", unpacker_name, time.monotonic() - began)
    notes = [*unpacked.notes, *keep(target, bundle)]
    if lacks_shell:
        notes += add_shell(unpacker.open(target))
    return replace(unpacked, notes=tuple(notes))


@contextlib.contextmanager
def noted(target: Path, unpacker_name: str, bundle: Path) -> Iterator[None]:
    """Note in the person's register that a target is made, and was made; where that cannot be, it is not."""
    from rtrace.replay.register import note_made, registering

    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(registering(target, unpacker_name, bundle))
        except (OSError, ForeignError) as error:
            debug(__name__, "%s is not noted among the targets: %s", target, error)
        yield
        try:
            note_made(target, unpacker_name, bundle, read_identity(target))
        except (OSError, ForeignError, TargetError) as error:
            debug(__name__, "%s is not noted among the targets: %s", target, error)


def keep(target: Path, bundle: Path) -> tuple[str, ...]:
    """Keep the bundle in its target, where targets can be used; return a sentence where that cannot be."""
    if not has_descriptors():
        return ()
    try:
        keep_bundle(target, bundle)
    except (OSError, RtraceError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        return (f"{bundle} is not kept in {target} ({reason}); `rtrace upload` and `reset` need it: --bundle {bundle}",)
    return ()


def prepare_shell(bundle: Path) -> bool:
    """Return whether a target of a bundle will lack a shell. Raises TargetError where there is none to be added."""
    from rtrace.bundle.resolving import resolve_path
    from rtrace.opening import open_bundle
    from rtrace.operations.exchange.programs import HOST_BUSYBOX, SHELLS, refuse_unfit

    with open_bundle(bundle) as opened:
        if any(opened.find(resolve_path(opened, shell)) is not None for shell in SHELLS):
            return False
        runs = opened.manifest.runs
    refuse_unfit(HOST_BUSYBOX, runs[0].architecture if runs else os.uname().machine)
    return True


def add_shell(target: Target) -> tuple[str, ...]:
    """Put a shell into a new target, which stays whole without it; return a sentence on that."""
    from rtrace.operations.exchange.programs import BUSYBOX, put_shell

    try:
        put_shell(target)
    except RtraceError as error:
        return (f"{target.path} got no shell: {error}",)
    return (f"added a shell, {BUSYBOX.decode()}, for `rtrace shell {shell_word(target.path)}`",)


def resolve_name(name: str, say: Callable[[str], None]) -> str:
    """Return the name of the unpacker to use: for `auto` the first that can replay here, else this one, come what may.

    Raises TargetError where none can.
    """
    if name != AUTO:
        return name
    chosen = choose_unpacker(name)
    if chosen.told is not None:
        say(chosen.told)
    return chosen.name


def refuse_existing(target: Path) -> None:
    """Raise TargetError where something exists already."""
    if os.path.lexists(target):
        removal = f"`rtrace destroy {shell_word(target)}`"
        raise TargetError(f"{target} exists already; name another folder, or remove it with {removal}")
