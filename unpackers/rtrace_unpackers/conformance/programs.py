"""The machine's `sh` and `cat` with the files that they load: what the bundles of the suite consist of."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass

from rtrace.errors import TargetError

SHELL, CAT = b"/bin/sh", b"/bin/cat"
OWN_MAPS = {
    "sh": ("-c", 'while read -r line; do printf "%s\\n" "$line"; done </proc/self/maps'),
    "cat": ("/proc/self/maps",),
}
"""By which arguments each of the programs prints which files it has loaded; proc(5), maps."""


@dataclass(frozen=True, slots=True)
class Needed:
    """A file that a program needs at a path: the content of a file of this machine, or a symlink."""

    path: bytes
    source: bytes | None = None
    target: bytes | None = None


def find_programs() -> Iterator[Needed]:
    """Yield what `sh` and `cat` need. Raises TargetError where this machine has none."""
    for name, place in (("sh", SHELL), ("cat", CAT)):
        program = shutil.which(name, path="/usr/bin:/bin")
        if program is None or not os.path.exists("/proc/self/maps"):
            raise TargetError("the suite needs Linux with sh and cat in /bin or /usr/bin; run it there")
        real = os.path.realpath(os.fsencode(program))
        yield Needed(place, real)
        yield from list_loaded(program, OWN_MAPS[name], real)


def list_loaded(program: str, arguments: tuple[str, ...], real: bytes) -> Iterator[Needed]:
    """Yield the libraries that a program loads, under their other names, too, and the loader that it names."""
    environment = {"LC_ALL": "C", "PATH": "/usr/bin:/bin"}
    maps = subprocess.run([program, *arguments], env=environment, capture_output=True, check=True).stdout
    loaded = {line.split(None, 5)[5] for line in maps.splitlines() if b" /" in line} - {real}
    for library in sorted(loaded):
        yield Needed(library, library)
        folder = os.path.dirname(library)
        for other in os.listdir(folder):
            path = os.path.join(folder, other)
            if path != library and os.path.islink(path) and os.path.realpath(path) == library:
                yield Needed(path, target=os.path.basename(library))
    with open(real, "rb") as file:
        loader = re.search(rb"\0(/[\x21-\x7e]+/ld[-.][\x21-\x7e]+)\0", file.read(1 << 14))  # elf(5), PT_INTERP
    if loader is not None and loader[1] not in loaded:
        yield Needed(loader[1], os.path.realpath(loader[1]))
