"""What a bundle knows of its runs that a committee asks for: machine, software, time, memory, disk, claims."""

from __future__ import annotations

import shlex
from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.printable import count, format_size, printable, printable_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from rtrace.bundle.entry import Result
    from rtrace.bundle.protocol import OpenBundle
    from rtrace.manifest.model import Claim, Manifest, Package, Run
    from rtrace.record.document import MachineFact, Record

UNKNOWN = "not known"


@dataclass(frozen=True, slots=True)
class RunFacts:
    """A run: what was typed, how it ended, what it took. Sizes are bytes, times seconds; None is what nobody knows."""

    name: str
    command: str
    workingdir: str
    status: int | None
    seconds: float | None
    processor_seconds: float | None
    memory: int | None
    written: int
    outputs: tuple[str, ...]

    @property
    def cost(self) -> str:
        """Time, memory and disk in a few words."""
        time = UNKNOWN if self.seconds is None else format_seconds(self.seconds)
        memory = UNKNOWN if self.memory is None else format_size(self.memory)
        return f"time: {time}; memory: {memory}; disk for what it writes: {format_size(self.written)}"


@dataclass(frozen=True, slots=True)
class Facts:
    """Everything that an appendix is made of. ``size`` and ``unpacked`` are bytes, ``sha256`` is that of the file."""

    bundle: str
    identity: str
    sha256: str
    size: int
    unpacked: int
    runs: tuple[RunFacts, ...]
    claims: tuple[Claim, ...]
    system: tuple[str, ...]
    hardware: tuple[str, ...]
    compilers: tuple[str, ...]
    packages: tuple[Package, ...]
    inputs: tuple[str, ...]
    elsewhere: tuple[str, ...]
    notices: tuple[str, ...]
    repositories: tuple[tuple[str, str], ...]
    languages: tuple[str, ...]
    ended: float | None

    @property
    def seconds(self) -> float:
        """How long all runs took, as far as that is known."""
        return sum(run.seconds or 0.0 for run in self.runs)

    @property
    def memory(self) -> int | None:
        """The most that a process of a run took."""
        return max((run.memory for run in self.runs if run.memory is not None), default=None)

    @property
    def disk(self) -> int:
        """What a reviewer needs: the file, what is unpacked of it, what the runs write."""
        return self.size + self.unpacked + sum(run.written for run in self.runs)


def format_seconds(seconds: float) -> str:
    """Write a duration as a person says it."""
    if seconds < 120:  # noqa: PLR2004 -- two minutes
        return count(max(1, round(seconds)), "second")
    minutes = seconds / 60
    return f"{round(minutes)} minutes" if minutes < 120 else f"{minutes / 60:.1f} hours"  # noqa: PLR2004


def gather_facts(bundle: OpenBundle, records: Mapping[str, Record], sha256: str, size: int, unpacked: int) -> Facts:
    """Gather the facts of an open bundle; ``records`` are those of its runs, by their names."""
    manifest = bundle.manifest
    written: dict[str, int] = {}
    for result in bundle.results:
        written[result.run] = written.get(result.run, 0) + _size(result)
    known = [records[run.id] for run in manifest.runs if run.id in records]
    return Facts(
        bundle=printable_text(bundle.path.name),
        identity=f"sha256:{bundle.identity}",
        sha256=sha256,
        size=size,
        unpacked=unpacked,
        runs=tuple(_describe_run(run, records.get(run.id), manifest, written.get(run.id, 0)) for run in manifest.runs),
        claims=manifest.claims,
        system=_once(_describe_system(run, records.get(run.id)) for run in manifest.runs),
        hardware=_once(_describe_hardware(record["machine"]) for record in known),
        compilers=_once(_list_compilers(known)),
        packages=manifest.packages,
        inputs=_once(f"{file.name} ({printable(file.path)})" for file in manifest.inputs),
        elsewhere=_once(f"{printable(one.path)}, {one.url or 'at no known place'}" for one in manifest.elsewhere),
        notices=_once(f"{notice.what}; {notice.advice}" for notice in manifest.notices),
        repositories=tuple(
            dict.fromkeys(
                (printable_text(one["remote"] or ""), printable_text(one["commit"] or ""))
                for record in known
                for one in record["repositories"]
                if one["remote"] or one["commit"]
            )
        ),
        languages=_once(
            fact["language"] or "" for record in known for fact in record["libraries"] if fact["language"] != "C"
        ),
        ended=max((run.finished for run in manifest.runs if run.finished is not None), default=None),
    )


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    """Return each text once, printable, without empty ones."""
    return tuple(dict.fromkeys(printable_text(text) for text in texts if text))


def _size(result: Result) -> int:
    return result.size if result.type == "file" else 0


def _describe_run(run: Run, record: Record | None, manifest: Manifest, written: int) -> RunFacts:
    usage = None if record is None else record["usage"]
    wall = None if usage is None else usage["wall"]
    if wall is None and run.started is not None and run.finished is not None:
        wall = max(0.0, run.finished - run.started)
    processor = None if usage is None else (usage["user"] or 0.0) + (usage["system"] or 0.0)
    return RunFacts(
        name=printable_text(run.id),
        command=" ".join(shlex.quote(printable(word)) for word in run.argv),
        workingdir=printable(run.workingdir),
        status=run.exit_status,
        seconds=wall,
        processor_seconds=processor,
        memory=None if usage is None else usage["peak_memory"],
        written=written,
        outputs=tuple(printable_text(file.name) for file in manifest.outputs if run.id in (file.runs or (run.id,))),
    )


def _describe_system(run: Run, record: Record | None) -> str:
    libc = "" if record is None or not record["machine"]["libc"] else f", {record['machine']['libc']}"
    return f"{' '.join(filter(None, run.distribution))}, {' '.join(filter(None, run.system))}, {run.architecture}{libc}"


def _describe_hardware(machine: MachineFact) -> str:
    parts = [
        machine["processor"] or "",
        f"{machine['cores']} processors" if machine["cores"] else "",
        f"{format_size(machine['memory'])} of memory" if machine["memory"] else "",
        *(f"GPU {gpu['name'] or UNKNOWN} (driver {gpu['driver'] or UNKNOWN})" for gpu in machine["gpus"]),
    ]
    return ", ".join(filter(None, parts))


def _list_compilers(records: Iterable[Record]) -> Iterable[str]:
    """Yield what compiled the experiment's own programs, and the interpreters that ran."""
    for record in records:
        interpreters = {script["interpreter"] for script in record["scripts"] if script["interpreter"]}
        for program in record["executables"]:
            if program["path"] in interpreters and program["version"]:
                yield f"{program['name']} {program['version']}"
            elif program["compiler"] and not program["package"]:
                flags = f" ({program['compiler_flags']})" if program["compiler_flags"] else ""
                yield f"{program['name']} was compiled by {program['compiler']}{flags}"
