"""The Dockerfile of a target: a pure function of the bundle, the same bytes for the same bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rtrace.manifest.model import Run

FOLDER = "/.rtrace"
"""Where the image holds the launchers; no bundle may hold anything there."""
PAUSE = "pause"
ROOTFS = "rootfs.tar"
IGNORED = f"*\n!{ROOTFS}\n"
"""The .dockerignore: of the target's folder, the engine is to get the files alone."""

LONGEST_LINE = 32768
"""Docker's parser takes lines of up to 65535 bytes."""
LARGEST_ENVIRONMENT = 1 << 18

_LAUNCHER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def name_launchers(runs: Sequence[Run]) -> dict[str, str]:
    """Return the path of each run's launcher in the image, by the run's id."""
    names: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        usable = _LAUNCHER_NAME.match(run.id) is not None and run.id != PAUSE
        names[run.id] = f"{FOLDER}/{run.id if usable else f'run-number-{number}'}"
    return names


def render_dockerfile(runs: Sequence[Run], identity: str) -> str:
    """Return the Dockerfile of an image that replays the first run, and holds a launcher for each of the others.

    ENV, WORKDIR and USER are for whoever looks around in a container; the launchers bring their own.
    """
    launchers = name_launchers(runs)
    first = runs[0]
    variables, left_out = render_environment(first)
    lines = [
        f"# The bundle {identity}, made into an image by rtrace.",
        "# A container replays the first run; the others are started by their launchers:",
        *(f"#     {launchers[run.id]}" for run in runs),
        "FROM scratch",
        f"ADD {ROOTFS} /",
        f'LABEL rtrace.bundle="{identity}"',
        *variables,
    ]
    if left_out:
        lines.append(f"# {left_out} more variables are in the launcher only: a Dockerfile cannot say them.")
    workingdir = quote_path(first.workingdir)
    if workingdir is None:
        lines.append("# The working directory is in the launcher only: a Dockerfile cannot say it.")
    else:
        lines.append(f"WORKDIR {workingdir}")
    lines += [f"USER {first.uid}:{first.gid}", f"CMD {json.dumps([launchers[first.id]])}"]
    return "\n".join(lines) + "\n"


def render_environment(run: Run) -> tuple[list[str], int]:
    """Return an ENV line for each variable that a Dockerfile can say, and the number of those left out.

    Of a name that occurs twice, the first one counts, as in getenv(3).
    """
    lines: dict[bytes, str] = {}
    left_out = size = 0
    for name, value in run.environ:
        text = None if value is None else decode_plain(value)
        plain_name = decode_plain(name)
        if name in lines or text is None or plain_name is None or not _VARIABLE_NAME.match(plain_name):
            left_out += 1
            continue
        line = f'ENV {plain_name}="{escape(text)}"'
        if len(line.encode()) > LONGEST_LINE or size + len(line) > LARGEST_ENVIRONMENT:
            left_out += 1
            continue
        size += len(line)
        lines[name] = line
    return list(lines.values()), left_out


def decode_plain(value: bytes) -> str | None:
    """Return a byte string as text of one line; None when it is none."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character == "\t" for character in text) else None


def escape(text: str) -> str:
    """Escape text for double quotes in a Dockerfile."""
    return re.sub(r'([\\"$])', r"\\\1", text)


def quote_path(path: bytes) -> str | None:
    """Return a path as WORKDIR takes it; None when it cannot: that instruction knows no quotes around blanks."""
    text = decode_plain(path)
    if text is None or text != text.strip() or "\t" in text:
        return None
    return re.sub(r"""([\\"'$])""", r"\\\1", text)
