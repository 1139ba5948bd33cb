"""The definition file of an image: a pure function of the bundle, the same bytes for the same bundle.

Nothing of a bundle is a word of it but its digest and what a run is called and does, which stand in labels alone: as
printable ASCII, without the characters that mean something to the parser or to a shell.
"""

from __future__ import annotations

import os
import re
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace_unpackers.apptainer.words import ARCHIVE, CLOSED, DEFINITION, IMAGE, WRITABLE
from rtrace_unpackers.engines.image.dockerfile import FOLDER, START

_IDENTITY = re.compile(r"[0-9a-f]{1,128}\Z")
_SAYABLE = re.compile(r"[^A-Za-z0-9 ,./:=+@_-]")
LONGEST = 200
"""Characters of a label."""
SCRIPT, VERIFY_SCRIPT = "--script", "--verify-script"
"""What the first program of an image is told by the first line of a script: image.c knows."""


def render_definition(runs: Sequence[Run], identity: str) -> bytes:
    """Return the definition. Raises TargetError for a digest that is none."""
    if not _IDENTITY.match(identity):
        raise TargetError(f"the bundle's digest {printable(identity.encode())} is not a digest; check the bundle")
    labels = {
        "rtrace.bundle": identity,
        "rtrace.runs": ", ".join(run.id for run in runs),
        "rtrace.command": " ".join(map(printable, runs[0].argv)),
        "rtrace.architecture": runs[0].architecture,
    }
    lines = (
        f"# The bundle {identity}, made into an image by rtrace.",
        f"# As a plain user:  apptainer build --notest {IMAGE} {DEFINITION}",
        "# Without --notest the run would be replayed while the image is made, and not shut in.",
        "Bootstrap: oci-archive",
        f"From: {ARCHIVE}",
        "",
        "%labels",
        *(f"    {name} {say(text)}" for name, text in labels.items()),
        "",
        "%help",
        f"    apptainer run {CLOSED} {WRITABLE} {IMAGE} [RUN...]",
        "        replays the recorded runs, or those that are named",
        f"    apptainer test {CLOSED} {WRITABLE} {IMAGE}",
        "        replays, and compares what comes out: 0 the same, 1 different, 3 no verdict",
        "    Without these options a run sees the files and the network of the machine.",
        "",
        "%runscript",
        f"#!{FOLDER}/{START} {SCRIPT}",
        "",
        "%test",
        f"#!{FOLDER}/{START} {VERIFY_SCRIPT}",
    )
    return "".join(f"{line}\n" for line in lines).encode("ascii")


def say(text: str) -> str:
    """Return text as a label may have it: in one line, ASCII, short, and never empty."""
    plain = _SAYABLE.sub("_", printable(os.fsencode(text))).strip()
    return (plain if len(plain) <= LONGEST else f"{plain[:LONGEST]}...") or "-"
