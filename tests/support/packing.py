"""Packing a trace in one step, as the command does."""

from __future__ import annotations

from pathlib import Path

from rtrace.pack.packing import PackReport, carry_out
from rtrace.pack.planning import plan_packing
from rtrace.progress import SILENT, Progress
from rtrace.trace.directory import TraceDirectory


def pack(
    directory: TraceDirectory,
    target: Path,
    *,
    progress: Progress = SILENT,
    allow_missing: bool = False,
    replace: bool = False,
) -> PackReport:
    """Pack a trace into a bundle; with ``replace`` in place of one that has the name, which stays until then.

    Raises TraceError, ManifestError and BundleError; then there is no new bundle.
    """
    plan = plan_packing(directory, target, replace=replace)
    return carry_out(plan, progress=progress, allow_missing=allow_missing)
