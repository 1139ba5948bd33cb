"""What an engine has of a target: its container and its images."""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from rtrace.errors import TargetError
from rtrace.interrupts import shielded
from rtrace.manifest.model import Run
from rtrace.printable import count
from rtrace_unpackers.engines.belonging.identity import (
    FOLDER_LABEL,
    TARGET_LABEL,
    Identity,
    is_image_name,
    refuse_foreign,
)
from rtrace_unpackers.engines.engine.command_line import Engine
from rtrace_unpackers.engines.engine.facts import Thing
from rtrace_unpackers.engines.image.loading import configure_image, hash_layer, write_archive


@dataclass(frozen=True, slots=True)
class Possessions:
    """The container of a target, and its images. A person may have built some of these: rtrace does not remove them."""

    containers: tuple[Thing, ...]
    images: tuple[Thing, ...]

    @property
    def summary(self) -> str:
        """What there is, in a few words."""
        kinds = (("image", self.images), ("container", self.containers))
        words = [count(len(things), kind) for kind, things in kinds if things]
        return " and ".join(words) or "nothing"


def find_possessions(engine: Engine, identity: Identity, target: Path) -> Possessions:
    """Return what was made for a target. Raises TargetError when something has its name and is another's."""
    container = find_container(engine, identity, target)
    return Possessions(() if container is None else (container,), find_images(engine, identity, target))


def find_container(engine: Engine, identity: Identity, target: Path) -> Thing | None:
    """Return the container of a target, None if there is no such container. Raises TargetError if it is another's."""
    container = engine.find("container", identity.container)
    if container is not None:
        refuse_foreign(container.labels, identity, target, f"container {identity.container}")
    return container


def find_images(engine: Engine, identity: Identity, target: Path) -> tuple[Thing, ...]:
    """Return the images of a target. Raises TargetError when one has its name and is another's."""
    images = engine.list("image", f"{TARGET_LABEL}={identity.number}", besides=(identity.image,))
    for image in images:
        names = {name.removeprefix("localhost/") for name in image.names}
        is_another = image.labels.get(TARGET_LABEL) != identity.number  # then its name is why it was found
        what = identity.image if identity.image in names or is_another else image.id
        refuse_foreign(image.labels, identity, target, f"image {what}")
    return images


@dataclass(frozen=True, slots=True)
class Context:
    """A build context in an open folder: its layers, and the runs and the bundle that it was made of."""

    folder: int
    layers: tuple[str, ...]
    runs: Sequence[Run]
    bundle: str


def make_image(engine: Engine, context: Context, labels: Mapping[str, str], lock: int | None) -> Thing:
    """Make an image of a build context, still without a name; return it. Raises TargetError."""
    layers = context.layers
    digests = [hash_layer(context.folder, layer) for layer in layers]
    configuration = configure_image(context.runs, context.bundle, labels, digests)
    engine.load(lambda stream: write_archive(stream, context.folder, layers, configuration), keep=lock)
    usual_id = f"sha256:{hashlib.sha256(configuration).hexdigest()}"
    images = engine.find_all("image", (usual_id,)) or engine.list(  # a store of containerd's has ids of its own
        "image", f"{TARGET_LABEL}={labels[TARGET_LABEL]}"
    )
    if not images:
        raise TargetError(
            f"`{engine.name} load` succeeded, but the engine does not have the image; unpack the bundle again"
        )
    return images[0]


def name_possession(engine: Engine, image: Thing, identity: Identity) -> None:
    """Give an image its name, which no other target has."""
    engine.demand("tag", image.id, identity.image)


@contextlib.contextmanager
def kept_when_done(engine: Engine, identity: Identity) -> Iterator[None]:
    """Remove what was made in the engine for a new target if the block fails."""
    try:
        yield
    except BaseException:
        with shielded(), contextlib.suppress(TargetError):  # what resists is a leftover, found by the next command
            images = engine.list("image", f"{TARGET_LABEL}={identity.number}") if identity.used else ()
            remove_possessions(engine, Possessions((), images), None)
        raise


def remove_possessions(engine: Engine, possessions: Possessions, lock: int | None) -> None:
    """Remove the container, and the images that rtrace made; a name that a person gave one of these keeps it.

    Raises TargetError when something still needs them.
    """
    for container in possessions.containers:
        remove_thing(engine, container, ("rm", "--force", "--volumes", container.id), lock)
    for image in possessions.images:
        if FOLDER_LABEL in image.labels:
            ours = [
                name
                for name in image.names
                if is_image_name(name.removeprefix("localhost/"), image.labels[TARGET_LABEL])
            ]
            if ours or not image.names:
                remove_thing(engine, image, ("rmi", *(ours or [image.id])), lock)


def remove_thing(engine: Engine, thing: Thing, arguments: Sequence[str], lock: int | None) -> None:
    """Remove something, which may be going already: a command that was killed had its engine begin."""
    done = engine.call(*arguments, keep=lock)
    if done.returncode != 0 and engine.find(thing.kind, thing.id) is not None:
        raise engine.fail(arguments[0], done.returncode, done.stderr)
