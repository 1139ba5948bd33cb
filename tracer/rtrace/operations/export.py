"""`rtrace export` and `rtrace pack --format reprozip`: the same bundle in another format."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.errors import BundleError, UsageError
from rtrace.files.incomplete import Incomplete
from rtrace.opening import open_bundle
from rtrace.pack.packing import PackReport, carry_out
from rtrace.printable import suggest
from rtrace.progress import SILENT, Progress
from rtrace.reprozip.extended import ExtendedBundle
from rtrace.reprozip.writing.reprozip_writer import Written, write_reprozip

if TYPE_CHECKING:
    from rtrace.pack.plan import PackingPlan

_WHOLE = "pack all of it, without --larger-than and `elsewhere:`"


def export(bundle: Path, form: str, target: Path, *, progress: Progress = SILENT) -> Written:
    """Write a bundle as a new file in another format. Raises BundleError, and UsageError for an unknown format."""
    if form not in FORMATS:
        meant = suggest(form, FORMATS) or f"; choose one of: {', '.join(FORMATS)}"
        raise UsageError(f"there is no format {form!r}{meant}")
    return FORMATS[form](bundle, target, progress=progress)


def name_export(bundle: Path, form: str) -> Path:
    """Return the file that a bundle is written as when none is named: in this folder, `study.reprozip.rpz`."""
    return Path(f"{Path(bundle.name).with_suffix('')}.{form}.rpz")


def convert(source: Path, target: Path, *, progress: Progress = SILENT) -> Written:
    """Write a bundle of rtrace's in ReproZip's format. Raises BundleError; then there is no new file."""
    if os.path.lexists(target):
        raise BundleError(f"{target} exists already; remove it or name another file")
    with open_bundle(source) as bundle:
        if not isinstance(bundle, Bundle) or isinstance(bundle, ExtendedBundle):
            raise BundleError(f"{source} is a bundle in ReproZip's format already; copy it")
        if bundle.manifest.elsewhere:
            raise BundleError(f"{source} leaves content elsewhere, which ReproZip's format cannot; {_WHOLE}")
        return write_reprozip(bundle, target, progress=progress)


def carry_out_for_reprozip(
    plan: PackingPlan, *, progress: Progress = SILENT, allow_missing: bool = False
) -> tuple[PackReport, Written]:
    """Write the bundle of a plan in ReproZip's format, by way of one of rtrace's own, as `carry_out` does."""
    if plan.elsewhere:
        raise BundleError(f"ReproZip's format has no place for content elsewhere; {_WHOLE}")
    with Incomplete(plan.target) as incomplete:
        own = incomplete.folder / plan.target.name
        report = carry_out(replace(plan, target=own), progress=progress, allow_missing=allow_missing)
        return report, convert(own, plan.target, progress=progress)


FORMATS = {"reprozip": convert}
"""What writes a bundle in another format, by the format's name."""
