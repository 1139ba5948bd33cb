"""`rtrace export` and `rtrace pack --format reprozip`: the same bundle in another format."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BundleError, UsageError
from rtrace.files.incomplete import Incomplete
from rtrace.opening import list_writable_formats, open_bundle
from rtrace.pack.packing import PackReport, carry_out
from rtrace.pack.target import check_target
from rtrace.printable import suggest
from rtrace.progress import SILENT, Progress
from rtrace.reprozip.reprozip_format import WHOLE

if TYPE_CHECKING:
    from rtrace.bundle.protocol import Exported
    from rtrace.pack.plan import PackingPlan


def export(bundle: Path, form: str, target: Path, *, progress: Progress = SILENT) -> Exported:
    """Write a bundle as a new file in another format. Raises BundleError, and UsageError for an unknown format."""
    formats = list_writable_formats()
    write = formats[form].write if form in formats else None
    if write is None:
        meant = suggest(form, formats) or f"; choose one of: {', '.join(formats)}"
        raise UsageError(f"there is no format {form!r}{meant}")
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    with open_bundle(bundle) as opened:
        return write(opened, target, progress=progress)


def name_export(bundle: Path, form: str) -> Path:
    """Return the file that a bundle is written as when none is named: in this folder, `study.reprozip.rpz`."""
    return Path(f"{Path(bundle.name).with_suffix('')}.{form}.rpz")


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
