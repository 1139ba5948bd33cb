"""What a sweep will do, as a value: its combinations, each with the changes and files of its replay."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.elsewhere.sources import Sources
from rtrace.errors import UsageError
from rtrace.files.reading import hash_file
from rtrace.limits import Limits
from rtrace.opening import open_bundle
from rtrace.operations.exchange import bundles, names
from rtrace.path_text import to_text
from rtrace.printable import printable_text
from rtrace.replay.changing import Changes, change_run, refuse_several
from rtrace.replay.foreign import refuse_foreign
from rtrace.replay.grants import Grants
from rtrace.replay.needs import add_needed, choose_runs
from rtrace.replay.registry import read_unpacker
from rtrace.replay.target_folder import TargetFolder
from rtrace.replay.uploads import NO_UPLOADS, read_uploads
from rtrace.sweep.axes import Axis, resolve_axes
from rtrace.sweep.combinations import Combination, make_combinations

if TYPE_CHECKING:
    from rtrace.operations.replay import Exchange
    from rtrace.sweep.asked import Asked


@dataclass(frozen=True, slots=True)
class Settings:
    """What a person asks of all replays of a sweep."""

    place: Path
    """A bundle or a target."""
    names: tuple[str, ...]
    unpacker: str
    sources: Sources
    limits: Limits
    grants: Grants
    changes: Changes
    exchange: Exchange
    asked: tuple[Asked, ...]
    most: int
    freezes: bool = False


@dataclass(frozen=True, slots=True)
class Sweep:
    """All that is to be replayed. ``outputs`` are the names of those that the replayed runs write.

    ``settings_digest`` is of what all combinations have in common.
    """

    bundle: Path
    identity: str
    unpacker: str
    settings: Settings
    axes: tuple[Axis, ...]
    combinations: tuple[Combination, ...]
    outputs: tuple[str, ...]
    settings_digest: str

    def find_changes(self, combination: Combination) -> Changes:
        """Return what is changed of the runs in a combination."""
        words, variables = list(self.settings.changes.words), list(self.settings.changes.variables)
        for axis, value in zip(self.axes, combination.values, strict=True):
            if axis.kind == "env":
                variables.append((os.fsencode(axis.name), os.fsencode(value)))
            elif axis.spot is not None:
                words.append(axis.spot.write(value))
        return replace(self.settings.changes, words=tuple(words), variables=tuple(variables))

    def find_inputs(self, combination: Combination) -> tuple[tuple[str, Path | None], ...]:
        """Return the files that are exchanged in a combination, by the names of the inputs."""
        pairs = zip(self.axes, combination.values, strict=True)
        swept = [(axis.name, Path(value)) for axis, value in pairs if axis.kind == "input"]
        return (*self.settings.exchange.inputs, *swept)

    def find_key(self, combination: Combination, digests: dict[str, str]) -> str:
        """Return a digest of all that decides what is replayed; ``digests`` keeps those of files that were read.

        Raises UsageError for a file that cannot be read.
        """
        values = []
        for axis, value in zip(self.axes, combination.values, strict=True):
            content = (
                read_digest(Path(value), axis.name, digests) if axis.kind == "input" else to_text(os.fsencode(value))
            )
            values.append([axis.kind, axis.name, content])
        return digest_of([self.settings_digest, values])


def plan_sweep(settings: Settings) -> Sweep:
    """Return what a sweep does. Raises UsageError, BundleError and TargetError; nothing is written or replayed."""
    refuse_senseless(settings)
    bundle, unpacker = find_bundle(settings)
    with open_bundle(bundle) as opened:
        runs = choose_runs(opened.manifest.runs, settings.names, settings.place)
        if not runs:
            raise UsageError(f"{settings.place} holds no run to replay")
        refuse_several(settings.changes, runs)
        changed = [change_run(run, settings.changes) for run in runs]
        axes = resolve_axes(settings.asked, changed, [one.name for one in opened.manifest.inputs])
        given = [name for name, _ in settings.exchange.inputs]
        for axis in axes:
            if axis.kind == "input":
                names.find_file(opened, axis.name)
                if axis.name in given:
                    raise UsageError(f"-i {axis.name} is what --sweep {axis.text} changes; leave out one of them")
        for name in given:
            names.find_file(opened, name)
        all_runs = add_needed(opened.manifest.runs, runs)
        refuse_foreign(all_runs, settings.grants)
        replayed = {run.id for run in all_runs}
        outputs = tuple(one.name for one in opened.manifest.outputs if not one.runs or replayed & set(one.runs))
        identity = opened.identity or (hash_file(os.fspath(bundle)) or b"").hex()
    digest = digest_of(describe_settings(settings, identity, [run.id for run in runs], unpacker))
    return Sweep(bundle, identity, unpacker, settings, axes, make_combinations(axes, settings.most), outputs, digest)


def refuse_senseless(settings: Settings) -> None:
    """Raise UsageError for options of one replay that many at a time cannot have."""
    exchange = settings.exchange
    if exchange.outputs or exchange.everything is not None:
        raise UsageError("a sweep fetches all outputs of each replay into a folder of --into DIR; leave out -o")
    if any(file is None for _, file in exchange.inputs):
        raise UsageError("standard input cannot be an input of many replays; write it to a file, and name that")
    if settings.grants.ports:
        raise UsageError("--port leads to one replay, and a sweep has many; leave it out")


def find_bundle(settings: Settings) -> tuple[Path, str]:
    """Return the bundle that is replayed, and the unpacker: for a target those that it was made of and with."""
    if settings.place.is_file():
        return settings.place.absolute(), settings.unpacker
    from rtrace.operations.replay import refuse_command

    refuse_command(settings.place)
    folder = TargetFolder(settings.place)
    try:
        uploads = read_uploads(folder)
    finally:
        folder.close()
    if uploads != NO_UPLOADS:
        names_of = ", ".join(printable_text(one.name) for one in uploads.files.values()) or "some"
        raise UsageError(
            f"a sweep replays the bundle that {settings.place} was made of, and inputs of the target were replaced "
            f"({names_of}); give these with -i NAME=FILE and the bundle, or bring the packed ones back"
        )
    return bundles.find_bundle(settings.place, None).absolute(), read_unpacker(settings.place)


def describe_settings(settings: Settings, identity: str, runs: Sequence[str], unpacker: str) -> list[object]:
    """Return what decides, besides the combination, what is replayed."""
    digests: dict[str, str] = {}
    inputs = [(name, read_digest(file, name, digests)) for name, file in settings.exchange.inputs if file is not None]
    grants = settings.grants
    opened = [grants.network, grants.display, grants.gpu, sorted(grants.calls), grants.emulation, settings.freezes]
    return [identity, list(runs), unpacker, repr(settings.changes), sorted(inputs), opened]


def read_digest(file: Path, name: str, digests: dict[str, str]) -> str:
    """Return the SHA-256 of a file that stands in for an input. Raises UsageError where it cannot be read."""
    key = os.fspath(file)
    if key not in digests:
        digest = hash_file(key) if file.is_file() else None
        if digest is None:
            shown = printable_text(key)
            raise UsageError(f"cannot read {shown}, which is to be the input {printable_text(name)}; name another file")
        digests[key] = digest.hex()
    return digests[key]


def digest_of(value: object) -> str:
    """Return the SHA-256 of a value as JSON."""
    return hashlib.sha256(json.dumps(value, sort_keys=True).encode("ascii")).hexdigest()
