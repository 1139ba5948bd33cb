"""environment.yml with exact versions, those of pip included."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from rtrace.declared.writing.pins import Pins, Written
from rtrace.manifest.scalars import quoted

if TYPE_CHECKING:
    from rtrace.declared.model import Used

_USUAL = "conda-forge"
_CHANNEL = re.compile(
    r"(.+?)/(?:noarch|(?:linux|osx|win)-[a-z0-9_]+)(?:/[^/]+)?|([a-z]+://.+)/[^/]+\.(?:conda|tar\.bz2)"
)


def write_environment(pins: Pins) -> Written:
    """Return the packages of conda and the Python distributions as an environment.yml."""
    conda, python = pins.of("conda"), pins.of("python")
    channels = list(dict.fromkeys(channel for one in conda if (channel := _find_channel(one)))) or [_USUAL]
    lines = [f"# What the run used, exactly; written by {pins.maker}.", "channels:"]
    lines += [f"  - {quoted(channel)}" for channel in channels]
    lines.append("dependencies:" if conda or python else "dependencies: []")
    lines += [f"  - {quoted(_write(one))}" for one in conda]
    if python:
        lines += [] if any(one.name == "pip" for one in conda) else ["  - pip"]
        lines.append("  - pip:")
        lines += [f"      - {quoted(f'{one.name}=={one.version}')}" for one in python if one.name != "pip"]
    losses = () if conda else ("no packages of conda were used, so pip installs these, in any version of Python",)
    return Written("\n".join(lines) + "\n", losses)


def _write(one: Used) -> str:
    return f"{one.name}={one.version}" + (f"={one.build}" if one.build else "")


def _find_channel(one: Used) -> str:
    """Return the channel that a package of conda came from: its address without folder and file."""
    match = _CHANNEL.fullmatch(one.origin)
    return (match[1] or match[2]) if match else one.origin
