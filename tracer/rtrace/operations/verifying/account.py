"""The account of a verification: the bundle, runs of then beside replays of now, both machines, what is lacking.

Nothing in it names who verifies, or where: a page may be sent to authors who are not to know their reviewers.
"""

from __future__ import annotations

import shlex
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.opening import open_bundle
from rtrace.path_text import to_text
from rtrace.printable import format_size, printable_text
from rtrace.record.bundled import read_bundled
from rtrace.record.facts.machine import read_machine

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from rtrace.manifest.model import Notice, Run
    from rtrace.record.document import MachineFact, Record
    from rtrace.verify.verdicts import Replayed, Report


@dataclass(frozen=True, slots=True)
class RunAccount:
    """A run and its replay. ``seconds`` is wall time, ``memory`` that of the largest process, in bytes, of the run."""

    name: str
    command: tuple[str, ...]
    folder: str
    started: float | None
    exit_status: int | None
    seconds: float | None
    memory: int | None
    replay: Replayed | None


@dataclass(frozen=True, slots=True)
class Beside:
    """A fact of the machine of then beside that of now; empty where it is not known."""

    what: str
    then: str
    now: str

    @property
    def differs(self) -> bool:
        """Whether both are known, and not the same."""
        return bool(self.then and self.now) and self.then != self.now


@dataclass(frozen=True, slots=True)
class Step:
    """A command to type, and what it is for."""

    purpose: str
    command: str


@dataclass(frozen=True, slots=True)
class Account:
    """What is told of a verification besides its report. ``verified`` is seconds since 1970."""

    bundle: str
    identity: str
    size: int
    maker: str
    unpacker: str
    verified: float
    runs: tuple[RunAccount, ...]
    machine: tuple[Beside, ...]
    notices: tuple[Notice, ...]
    steps: tuple[Step, ...]


def give_account(bundle: Path, report: Report, unpacker: str, words: Sequence[str] = ()) -> Account:
    """Return the account of a verification that is done.

    ``words`` are what was typed behind `rtrace verify`, as far as it chose what was compared, and how.
    Raises BundleError for a bundle that is not there any more.
    """
    replays = {replay.run: replay for replay in report.replays}
    with open_bundle(bundle) as opened:
        records = read_bundled(opened)
        manifest = opened.manifest
        identity = f"sha256:{opened.identity}" if opened.identity else ""
        maker = opened.maker
    runs = [run for run in manifest.runs if run.id in replays] or list(manifest.runs)
    return Account(
        bundle=printable_text(bundle.name),
        identity=identity,
        size=bundle.stat().st_size,
        maker=printable_text(maker),
        unpacker=unpacker,
        verified=time.time(),
        runs=tuple(_describe_run(run, records.get(run.id), replays.get(run.id)) for run in runs),
        machine=tuple(_compare_machines(runs[0], records.get(runs[0].id))) if runs else (),
        notices=manifest.notices,
        steps=tuple(_list_steps(bundle.name, identity, unpacker, words, report)),
    )


def _describe_run(run: Run, record: Record | None, replay: Replayed | None) -> RunAccount:
    lasted = None if run.started is None or run.finished is None else run.finished - run.started
    usage = None if record is None else record["usage"]
    return RunAccount(
        name=run.id,
        command=tuple(map(to_text, run.argv)),
        folder=to_text(run.workingdir),
        started=run.started,
        exit_status=run.exit_status,
        seconds=lasted if usage is None or usage["wall"] is None else usage["wall"],
        memory=None if usage is None else usage["peak_memory"],
        replay=replay,
    )


def _compare_machines(run: Run, record: Record | None) -> list[Beside]:
    """Return what is known of both machines; of names and addresses of machines nothing is told."""
    now = _describe_machine(read_machine())
    then = _describe_machine(record["machine"]) if record is not None else {}
    system, release = run.system
    distribution, version = run.distribution
    known = {
        "system": f"{distribution} {version}".strip(),
        "kernel": f"{system} {release}".strip(),
        "architecture": run.architecture,
    }
    return [Beside(what, then.get(what) or known.get(what, ""), value) for what, value in now.items()]


def _describe_machine(machine: MachineFact) -> Mapping[str, str]:
    """Return a machine in a few words for each fact."""
    memory, cores = machine["memory"], machine["cores"]
    gpus = ", ".join(filter(None, (one["name"] for one in machine["gpus"])))
    return {
        "system": _join(machine["distribution"], machine["distribution_version"]),
        "kernel": _join(machine["system"], machine["release"]),
        "architecture": machine["architecture"] or "",
        "processor": machine["processor"] or "",
        "cores": "" if cores is None else str(cores),
        "memory": "" if memory is None else format_size(memory),
        "graphics processors": gpus,
        "C library": machine["libc"] or "",
    }


def _join(*words: str | None) -> str:
    return " ".join(filter(None, words))


def is_plain(path: str) -> bool:
    """Whether a path can be typed as it is shown."""
    return printable_text(path) == path


def _list_steps(name: str, identity: str, unpacker: str, words: Sequence[str], report: Report) -> list[Step]:
    file = shlex.quote(name)
    steps = [Step("the same verification", shlex.join(["rtrace", "verify", "--unpacker", unpacker, *words]))]
    if identity:
        steps.append(Step("is it the same bundle?", f"rtrace check --identity {identity} {file}"))
    differing = (to_text(one.path) for one in report.lines if one.verdict == "different" and one.path is not None)
    path = next(filter(is_plain, differing), None)
    if path is not None:
        command = f"rtrace extract --written {file} {shlex.quote(path)} > original"
        steps.append(Step("a file as the original run wrote it", command))
    steps += [
        Step("unpack it, to look around", f"rtrace unpack {unpacker} {file} target"),
        Step("replay it there", "rtrace replay target"),
        Step("all that the bundle says of its runs", f"rtrace info {file}"),
    ]
    return steps
