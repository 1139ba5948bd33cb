"""Another image below the bundle's files, and the packages that the bundle left out, installed in it as recorded.

The words of a bundle and of a person reach a builder as elements of a list, never as text that a shell or a Dockerfile
takes apart, and only where they are what they have to be.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence

from rtrace.errors import HostileBundleError, UsageError
from rtrace.manifest.model import Package
from rtrace.printable import printable

_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?(?::[0-9]{1,5})?/)?"
_PART = r"[a-z0-9]+(?:(?:\.|_{1,2}|-+)[a-z0-9]+)*"
_IMAGE = re.compile(
    rf"{_HOST}{_PART}(?:/{_PART})*(?::[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}})?(?:@sha256:[0-9a-f]{{64}})?\Z"
)
LONGEST_NAME = 512
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9+._-]{0,199}\Z")
_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9.+~:^_!-]{0,199}\Z")

AT_ONCE = 200
"""Packages of one step."""
APT = 'apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "$@"'
DNF = 'if command -v dnf >/dev/null; then dnf install -y "$@"; else yum install -y "$@"; fi'
INSTALLERS = {
    "dpkg": (APT, "{name}={version}"),
    "rpm": (DNF, "{name}-{version}"),
    "apk": ('apk add --no-cache "$@"', "{name}={version}"),
    "pip": ('python3 -m pip install --no-cache-dir "$@"', "{name}=={version}"),
}
"""By the manager of a package: what a shell runs in the image, and how a package is named with its version."""


def check_base(name: str) -> str:
    """Return the name of an image. Raises UsageError for what is none."""
    if len(name) > LONGEST_NAME or not _IMAGE.match(name) or name == "scratch":
        raise UsageError(f"--base-image {printable(name.encode())} is not the name of an image, such as debian:12")
    return name


def list_absent(packages: Iterable[Package]) -> tuple[Package, ...]:
    """Return the packages that the bundle left out, which an image's own manager can install."""
    return tuple(one for one in packages if not one.pack and one.manager in INSTALLERS)


def render_base(base: str | None, packages: Iterable[Package]) -> list[str]:
    """Return the first instructions of a Dockerfile. Raises HostileBundleError for what names no package."""
    if base is None:
        return ["FROM scratch"]
    return [f"FROM {base}", "USER 0:0", "ENTRYPOINT []", *render_steps(list_absent(packages))]


def render_steps(packages: Sequence[Package]) -> Iterator[str]:
    """Yield the instructions that install packages."""
    for manager, (command, form) in INSTALLERS.items():
        wanted = sorted({form.format(name=check(one, one.name, _NAME), version=check(one, one.version, _VERSION))
                         for one in packages if one.manager == manager})  # fmt: skip
        for start in range(0, len(wanted), AT_ONCE):
            yield f"RUN {json.dumps(['/bin/sh', '-c', command, 'sh', *wanted[start : start + AT_ONCE]])}"


def check(package: Package, word: str, pattern: re.Pattern[str]) -> str:
    """Return a word that names a package or its version. Raises HostileBundleError."""
    if not pattern.match(word):
        raise HostileBundleError(
            f"the bundle names a package {printable(package.name.encode())} {printable(package.version.encode())}, "
            "which nothing can install; unpack it without --base-image"
        )
    return word


def tell_base(base: str, packages: Iterable[Package]) -> str:
    """Return what the builder of such an image has to know."""
    absent = list_absent(packages)
    note = f"the build takes {base} from the engine, or from its registry"
    if any(one.manager == "dpkg" for one in absent):
        note += (
            "; versions that Debian's mirrors have no more are at snapshot.debian.org, to be named in the base image"
        )
    return note
