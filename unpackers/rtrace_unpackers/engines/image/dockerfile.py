"""The Dockerfile of a target: a pure function of the bundle, the same bytes for the same bundle."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence

from rtrace.errors import TargetError
from rtrace.manifest.model import Run
from rtrace.printable import printable
from rtrace_unpackers.engines.image.layers import name_file

FOLDER = "/.rtrace"
"""Where the image holds the launchers; no bundle may hold anything there."""
PAUSE = "pause"
START = "start"
"""The program that a container of an exported image starts; like the one before, beside the launchers."""
NUMBERED = "run-number-"
"""Begins the launcher's name of a run whose own cannot be one."""

LONGEST_LINE = 32768
"""Docker's parser takes lines of up to 65535 bytes."""
LARGEST_ENVIRONMENT = 1 << 18

_IDENTITY = re.compile(r"[0-9a-f]{1,128}\Z")
_LAUNCHER_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}\Z")
_VARIABLE_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def name_launchers(runs: Sequence[Run]) -> dict[str, str]:
    """Return the path of each run's launcher in the image, by the run's id."""
    names: dict[str, str] = {}
    for number, run in enumerate(runs, start=1):
        usable = _LAUNCHER_NAME.match(run.id) is not None and run.id not in {PAUSE, START}
        usable = usable and not run.id.startswith(NUMBERED)
        names[run.id] = f"{FOLDER}/{run.id if usable else f'{NUMBERED}{number}'}"
    return names


def render_ignored(layers: Sequence[str]) -> str:
    """Return the .dockerignore: of the target's folder, the engine is to get the layers alone."""
    return "".join(("*\n", *(f"!{name_file(name)}\n" for name in layers)))


def render_dockerfile(
    runs: Sequence[Run], identity: str, layers: Sequence[str], beginning: Sequence[str] = ("FROM scratch",)
) -> str:
    """Return the Dockerfile of an image that replays the first run, and holds a launcher for each of the others.

    ENV, WORKDIR and USER are for whoever looks around in a container; the launchers bring their own. Each instruction
    is a step of a build, so that all variables share one. Whatever a bundle says stands in a line of an instruction or
    comment of ours, and none but ours continues a line; the first line is never a directive of the parser.
    """
    if not _IDENTITY.match(identity):
        raise TargetError(f"the bundle's digest {printable(identity.encode())} is not a digest; check the bundle")
    launchers = name_launchers(runs)
    first = runs[0]
    variables, left_out = render_environment(first)
    lines = [
        f"# The bundle {identity}, made into an image by rtrace.",
        "# A container replays the first run; the others are started by their launchers:",
        *(f"#     {launchers[run.id]}" for run in runs),
        *beginning,
        *(f"ADD {name_file(name)} /" for name in layers),
        f'LABEL rtrace.bundle="{identity}"',
        *([variables] if variables else []),
    ]
    if left_out:
        lines.append(f"# {left_out} more variables are in the launcher only: a Dockerfile cannot hold them.")
    workingdir = quote_path(say_workingdir(first.workingdir))
    if workingdir is None:
        lines.append("# The working directory is in the launcher only: a Dockerfile cannot hold it.")
    else:
        lines.append(f"WORKDIR {workingdir}")
    lines += [f"USER {first.uid}:{first.gid}", f"CMD {json.dumps([launchers[first.id]])}"]
    return "\n".join(lines) + "\n"


def render_environment(run: Run) -> tuple[str, int]:
    """Return the instruction ENV, a line for each variable that a Dockerfile can say, and the number of those left out.

    Without any variable the instruction is empty.
    """
    variables, left_out = list_variables(run)
    settings = [render_variable(name, value) for name, value in variables.items()]
    return ("ENV " + " \\\n    ".join(settings) if settings else ""), left_out


def list_variables(run: Run) -> tuple[dict[str, str], int]:
    """Return the variables that a Dockerfile can say, by name, and the number of those left out.

    Of a name that occurs twice, the first one counts, as in getenv(3).
    """
    variables: dict[str, str] = {}
    left_out = size = 0
    for name, value in run.environ:
        text = None if value is None else decode_plain(value)
        plain_name = decode_plain(name)
        if text is None or plain_name is None or plain_name in variables or not _VARIABLE_NAME.match(plain_name):
            left_out += 1
            continue
        line = render_variable(plain_name, text)
        if len(line.encode()) > LONGEST_LINE or size + len(line) > LARGEST_ENVIRONMENT:
            left_out += 1
            continue
        size += len(line)
        variables[plain_name] = text
    return variables, left_out


def render_variable(name: str, value: str) -> str:
    """Return how ENV sets a variable: it ends with a quote, so that no backslash of the value ends a line."""
    return f'{name}="{escape(value)}"'


def decode_plain(value: bytes) -> str | None:
    """Return a byte string as text, None if it is not one line of text."""
    try:
        text = value.decode()
    except UnicodeDecodeError:
        return None
    return text if all(character.isprintable() or character == "\t" for character in text) else None


def escape(text: str) -> str:
    """Escape text for double quotes in a Dockerfile."""
    return re.sub(r'([\\"$])', r"\\\1", text)


def say_workingdir(path: bytes) -> str | None:
    """Return a working directory as text; None when WORKDIR cannot say it: it knows no quotes around blanks.

    A backslash at the end would make the next line a part of this one.
    """
    text = decode_plain(path)
    if text is None or text != text.strip() or "\t" in text or not text.startswith("/") or text.endswith("\\"):
        return None
    return text


def quote_path(path: str | None) -> str | None:
    """Return a path as WORKDIR takes it."""
    return None if path is None else re.sub(r"""([\\"'$])""", r"\\\1", path)
