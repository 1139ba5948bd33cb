"""Which images and containers are a target's: those that bear its random number, and were made for its folder.

A state file is a file that anybody may have written: it can name nothing that rtrace did not make for this target.

    label            image   container
    rtrace.target    yes     yes         128 random bits, which the target's state has, too
    rtrace.folder    yes     yes         the target's folder, as a URL has it
    rtrace.building  yes     no          the folder it was built in, before it had its name
    rtrace.maker     yes     yes         whose rtrace made it, and on which machine: UID@HOST

A container that a person makes of an image inherits the image's labels; what makes one a target's is its name as well.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote_from_bytes, unquote_to_bytes

from rtrace.errors import TargetError
from rtrace_unpackers.engines.engine.choice import NAMES
from rtrace_unpackers.target.state import read_state

TARGET_LABEL = "rtrace.target"
FOLDER_LABEL = "rtrace.folder"
BUILDING_LABEL = "rtrace.building"
MAKER_LABEL = "rtrace.maker"

_NUMBER = re.compile(r"[0-9a-f]{32}\Z")
_IMAGE = re.compile(r"rtrace-[a-z0-9]+(-[a-z0-9]+)*:[0-9a-f]{12}-(?P<number>[0-9a-f]{8})\Z")


@dataclass(frozen=True, slots=True)
class Identity:
    """A target's number and the name of its image; ``used`` is True once an engine has been asked for it."""

    number: str
    image: str
    used: bool = False

    @property
    def container(self) -> str:
        """The name of its container, which follows from the number."""
        return name_container(self.number)

    def to_facts(self) -> dict[str, str]:
        """Return what a target's state holds of it."""
        return {
            "container": self.container,
            "image": self.image,
            "image_is_ours": "yes" if self.used else "no",
            "target": self.number,
        }


def name_container(number: str) -> str:
    """Return the name of a target's container."""
    return f"rtrace-{number}"


def make_identity(image: str, *, used: bool) -> Identity:
    """Make the identity of a new target; its image's name ends with a part of the number, and so is its alone."""
    number = secrets.token_hex(16)
    return Identity(number, f"{image}-{number[:8]}", used)


def read_identity(facts: Mapping[str, str], target: Path) -> Identity:
    """Return the identity that a state names. Raises TargetError for names that rtrace does not give."""
    number, image = facts.get("target", ""), facts.get("image", "")
    if not is_number(number):
        raise TargetError(
            f"{target} was made by an older rtrace and has no number that identifies its image and container: "
            "unpack the bundle into another folder"
        )
    if not is_image_name(image, number):
        raise TargetError(f"{target} names an image {image!r} that rtrace did not make; nothing was touched")
    identity = Identity(number, image, facts.get("image_is_ours") != "no")
    if facts.get("container", identity.container) != identity.container:
        raise TargetError(
            f"{target} names a container {facts['container']!r} that rtrace did not make; nothing was touched"
        )
    return identity


def label_target(identity: Identity, target: Path) -> dict[str, str]:
    """Return the labels of what is made for a target."""
    return {
        TARGET_LABEL: identity.number,
        FOLDER_LABEL: encode_path(resolve(target)),
        MAKER_LABEL: name_maker(),
    }


def name_maker() -> str:
    """Return who makes things here."""
    user = os.geteuid() if os.name == "posix" else 0
    return f"{user}@{quote_from_bytes(os.fsencode(platform.node()))}"


def resolve(target: Path) -> Path:
    """Return where a target is or will be: absolute, through no symbolic link but the target's own name."""
    absolute = target.absolute()
    return Path(os.path.realpath(absolute.parent)) / absolute.name


def encode_path(path: Path) -> str:
    """Return a path as the value of a label."""
    return quote_from_bytes(os.fsencode(path), safe="/")


def decode_path(value: str | None) -> Path | None:
    """Return the path in a label, None if there is no absolute path in it."""
    decoded = unquote_to_bytes(value or "")
    return Path(os.fsdecode(decoded)) if decoded.startswith(b"/") and b"\0" not in decoded else None


def is_image_name(value: str, number: str) -> bool:
    """Whether rtrace gives this name to the image of the target with that number."""
    match = _IMAGE.match(value)
    return match is not None and number.startswith(match["number"])


def is_number(value: str) -> bool:
    """Whether the value of a label is the number of a target."""
    return _NUMBER.match(value) is not None


def read_number(folder: Path) -> str | None:
    """Return the number of the target in a folder of this user's, None if there is no target."""
    for name in NAMES:
        try:
            number = read_state(folder, name).facts.get("target", "")
        except TargetError:  # nothing there, or nothing of ours
            continue
        return number if is_number(number) else None
    return None


def refuse_foreign(labels: Mapping[str, str], identity: Identity, target: Path, what: str) -> None:
    """Raise TargetError when something was not made for this target, but for another one or by somebody else."""
    if labels.get(TARGET_LABEL) != identity.number:
        raise TargetError(f"{target} names the {what}, which rtrace did not make for it; nothing was touched")
    folder = decode_path(labels.get(FOLDER_LABEL))
    if folder is None or folder == resolve(target) or read_number(folder) != identity.number:
        return
    if not os.path.samefile(folder, target):
        raise TargetError(f"{target} names the {what} of the target {folder}; nothing was touched")
