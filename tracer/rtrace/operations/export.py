"""`rtrace export` and `rtrace pack --format reprozip`: a bundle as a file of another kind."""

from __future__ import annotations

import os
from dataclasses import replace
from itertools import chain
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError
from rtrace.exports.protocol import Expectations, ExpectedResult, Exporting
from rtrace.exports.registry import load_exporter
from rtrace.files.incomplete import Incomplete
from rtrace.opening import open_bundle
from rtrace.pack.packing import PackReport, carry_out
from rtrace.pack.target import check_target
from rtrace.progress import SILENT, Progress
from rtrace.reprozip.reprozip_format import WHOLE

if TYPE_CHECKING:
    from rtrace.bundle.protocol import Exported, OpenBundle
    from rtrace.elsewhere.sources import Sources
    from rtrace.pack.plan import PackingPlan


def export(
    bundle: Path, form: str, target: Path, *, progress: Progress = SILENT, sources: Sources | None = None
) -> Exported:
    """Write a bundle as a new file of another kind. Raises BundleError, and UsageError for an unknown format.

    ``sources`` tells where content may come from that is not in the bundle.
    """
    exporter = load_exporter(form)
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    with open_bundle(bundle) as opened:
        exporting = Exporting(opened, lambda: expect(opened))
        if sources is not None:
            exporting = replace(exporting, sources=sources)
        return exporter.export(exporting, target, progress=progress)


def name_export(bundle: Path, form: str) -> Path:
    """Return the file that a bundle is written as when none is named: in this folder, `study.reprozip.rpz`."""
    return Path(f"{Path(bundle.name).with_suffix('')}{load_exporter(form).ending}")


def expect(opened: OpenBundle) -> Expectations:
    """Return what replays of all runs of a bundle are compared with, as `rtrace verify` compares them."""
    from rtrace.files.hierarchy import is_provided
    from rtrace.files.workspaces import temporary
    from rtrace.operations.verify import read_subject
    from rtrace.verify.doubts import find_doubts
    from rtrace.verify.renames import find_patterns
    from rtrace.verify.scopes import Scopes
    from rtrace.verify.verdicts import Line

    with temporary("verify") as workspace:
        subject = read_subject(opened, (), workspace)
    manifest = subject.manifest
    named, patterns = {output.path for output in manifest.outputs}, find_patterns(manifest.outputs)
    results = [result for result in subject.results if not is_provided(result.path)]
    paths = chain((entry.path for entry in subject.entries), (result.path for result in results))
    scopes = Scopes(manifest, manifest.ignore, paths)
    lines = [Line("same", result.run, result.path) for result in results]
    sorted_lines = list(zip(results, scopes.sort(lines), strict=True))
    streams = frozenset(
        name for name in ("stdout", "stderr") if scopes.find(Line("same", "", None, "", name)) == "output"
    )
    return Expectations(
        tuple(
            ExpectedResult(
                result,
                counts=line.scope == "output",
                held=(result.run, result.path) in subject.held,
                renamed=result.path in patterns,
                optional=result.vague and result.path not in named,
            )
            for result, line in sorted_lines
            if line.scope != "ignored"
        ),
        {run: doubt.sentence for run, doubt in find_doubts(manifest, subject.runs).items()},
        tuple((line.run, line.path or b"") for line in scopes.find_unwritten(lines, [run.id for run in subject.runs])),
        sum(line.scope == "ignored" for _, line in sorted_lines),
        streams,
    )


def carry_out_for_reprozip(
    plan: PackingPlan, *, progress: Progress = SILENT, allow_missing: bool = False
) -> tuple[PackReport, Exported]:
    """Write the bundle of a plan in ReproZip's format, by way of one of rtrace's own, as `carry_out` does."""
    if plan.elsewhere:
        raise BundleError(f"ReproZip's format has no place for content elsewhere; {WHOLE}")
    check_target(plan.target, replace=plan.replace)
    with Incomplete(plan.target, replace=plan.replace) as incomplete:
        own, other = incomplete.folder / "own.rpz", incomplete.folder / "other.rpz"
        report = carry_out(replace(plan, target=own), progress=progress, allow_missing=allow_missing)
        exported = export(own, "reprozip", other, progress=progress)
        incomplete.give_name(other)
        return replace(report, target=plan.target), replace(exported, target=plan.target)
