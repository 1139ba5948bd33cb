"""`rtrace pack`: a bundle from a trace directory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import UsageError
from rtrace.gc_pause import without_collector
from rtrace.manifest.incompleteness import find_missing
from rtrace.pack.packing import PackReport, carry_out
from rtrace.pack.planning import plan_packing
from rtrace.pack.written import MOST
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from rtrace.bundle.protocol import Exported
    from rtrace.manifest.model import Notice
    from rtrace.pack.plan import PackingPlan
    from rtrace.trace.directory import TraceDirectory


@dataclass(frozen=True, slots=True, kw_only=True)
class PackRequest:
    """What to pack and how. Patterns are glob patterns besides those of the manifest; see `plan_packing`.

    ``replace`` is whether a bundle of that name may exist, ``allow_missing`` whether content that a run needs may be
    missing; ``named`` are patterns of files that may hold the names that ``anonymous`` replaces. Of what the runs wrote
    ``most_written`` bytes are packed.
    """

    trace: TraceDirectory
    bundle: Path
    exclude: tuple[bytes, ...] = ()
    include: tuple[bytes, ...] = ()
    ignore: tuple[bytes, ...] = ()
    anonymous: bool = False
    named: tuple[bytes, ...] = ()
    larger_than: int | None = None
    replace: bool = False
    allow_missing: bool = False
    most_written: int = MOST


@dataclass(frozen=True, slots=True)
class Forecast:
    """What packing would do: the plan, what it would have to tell, and what keeps it from writing a bundle."""

    plan: PackingPlan
    notices: tuple[Notice, ...]
    missing: tuple[Notice, ...]

    @property
    def exit_status(self) -> int:
        """The exit status that packing would have."""
        return 1 if self.missing else 0


@contextmanager
def planned(request: PackRequest, progress: Progress) -> Iterator[PackingPlan]:
    """Yield the plan of a request; meanwhile the trace stays as it is. Raises UsageError, TraceError, BundleError."""
    for pattern in request.include:
        if not pattern.startswith(b"/"):
            raise UsageError(f"--include {printable(pattern)} is not an absolute path; begin it with a slash")
    with request.trace.lock(shared=True), without_collector():
        yield plan_packing(
            request.trace,
            request.bundle,
            exclude=request.exclude,
            include=request.include,
            ignore=request.ignore,
            anonymous=request.anonymous or bool(request.named),
            named=request.named,
            progress=progress,
            larger_than=request.larger_than,
            replace=request.replace,
            most_written=request.most_written,
        )


def forecast(request: PackRequest, *, progress: Progress = SILENT) -> Forecast:
    """Plan a bundle, look at every file that would be packed, and write nothing."""
    from rtrace.pack.forecast import forecast_notices

    with planned(request, progress) as plan:
        notices = forecast_notices(plan)
    missing = () if request.allow_missing else find_missing(notices)
    return Forecast(plan, (*plan.notices, *notices), missing)


def pack(request: PackRequest, *, progress: Progress = SILENT) -> PackReport:
    """Write a bundle: whole, or not at all. Raises IncompleteError where content is missing that a run needs."""
    with planned(request, progress) as plan:
        report = carry_out(plan, progress=progress, allow_missing=request.allow_missing)
    note_bundle(report)
    return report


def note_bundle(report: PackReport) -> None:
    """Let the history know which bundle holds a run; what keeps it from that is no matter of the bundle's."""
    if not report.records:
        return
    from rtrace.operations.recording.packed import note_packed

    note_packed(report.target, report.identity, report.records)


def pack_for_reprozip(request: PackRequest, *, progress: Progress = SILENT) -> tuple[PackReport, Exported]:
    """Write the bundle in ReproZip's format."""
    from rtrace.operations.export import carry_out_for_reprozip

    with planned(request, progress) as plan:
        return carry_out_for_reprozip(plan, progress=progress, allow_missing=request.allow_missing)
