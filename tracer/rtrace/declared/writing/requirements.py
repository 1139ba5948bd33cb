"""requirements.txt with exact versions, and with hashes where all are known: pip takes those of all or of none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.declared.pep508 import is_version
from rtrace.declared.writing.pins import Pins, Written, split_origin
from rtrace.printable import count, name_some

if TYPE_CHECKING:
    from rtrace.declared.model import Used


def write_requirements(pins: Pins) -> Written:
    """Return the Python distributions as a requirements file."""
    known = [one for one in pins.of("python") if is_version(one.version)]
    unknown = [one.shown for one in known if not _has_address(one) and (one.name, one.version) not in pins.hashes]
    local = [one.shown for one in known if one.origin.startswith("file:")]
    from_elsewhere = [one.shown for one in known if one.origin and one.shown not in local]
    hashed = bool(known) and not unknown and not from_elsewhere
    lines = [f"# What the run used, exactly; written by {pins.maker}."]
    lines += [_write(one, pins, hashed=hashed) for one in known]
    losses = []
    if unknown:
        told = name_some(unknown)
        losses.append(f"no hashes, because those of {told} are in no lock file here and not in pip's cache")
    elif from_elsewhere:
        losses.append(f"no hashes, because {name_some(from_elsewhere)} came from no index")
    if local:
        losses.append(f"only the versions of {name_some(local)}, which came from files of this machine")
    lost = len(pins.of("python")) - len(known)
    if lost:
        losses.append(f"{count(lost, 'distribution')} without a proper version left out")
    return Written("\n".join(lines) + "\n", tuple(losses))


def _has_address(one: Used) -> bool:
    return bool(one.origin) and not one.origin.startswith("file:")


def _write(one: Used, pins: Pins, *, hashed: bool) -> str:
    if _has_address(one):
        address, commit = split_origin(one.origin)
        return f"{one.name} @ git+{address}@{commit}" if commit else f"{one.name} @ {address}"
    pin = f"{one.name}=={one.version}"
    if not hashed:
        return pin
    digests = sorted(pins.hashes[one.name, one.version])
    return " \\\n".join([pin, *(f"    --hash=sha256:{digest}" for digest in digests)])
