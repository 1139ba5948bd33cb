"""`rtrace drift` as a whole: declarations and packages used are gathered, and compared."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from rtrace.declared.comparing import compare
from rtrace.declared.files.finding import read_declarations
from rtrace.declared.files.installed import KINDS, MOST_WORK
from rtrace.declared.model import Declarations, Drift
from rtrace.declared.names import find_used
from rtrace.operations.declared.places import (
    BundledFolder,
    LocalFolder,
    find_bundled_metadata,
    find_local_metadata,
    find_trace,
    read_bundled,
    read_limited,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from rtrace.declared.files.installed import Requires
    from rtrace.declared.model import Folder, Used
    from rtrace.manifest.model import Manifest


class Subject(NamedTuple):
    """What is compared: a run's manifest, the project's folder, and what is installed where it ran.

    ``metadata`` are paths of files for ``read``. ``name`` is how the place was called.
    """

    name: str
    manifest: Manifest
    folder: Folder
    metadata: Iterable[bytes]
    read: Callable[[bytes], bytes | None]


class DriftReport(NamedTuple):
    """The drift, and what it was found by. ``unknown`` says why nothing can be judged, in a sentence."""

    drift: Drift
    declarations: Declarations
    used: tuple[Used, ...]
    unknown: str | None

    def is_clean(self, ignored: Iterable[str] = ()) -> bool:
        """Whether all findings are of kinds that do not count."""
        return all(one.kind in set(ignored) for one in self.drift.findings)


@contextmanager
def open_subject(place: Path, project: Path | None) -> Iterator[Subject]:
    """Open a folder that has a trace, a trace directory, or a bundle; ``project`` is where the declarations are.

    Raises TraceError, ManifestError, BundleError and UsageError.
    """
    if place.is_dir():
        from rtrace.manifest.reading.load import load
        from rtrace.trace.reading.reader import open_for_reading

        trace, folder = find_trace(place)
        open_for_reading(trace).close()  # it says what is wrong where there is none
        manifest = load(trace.manifest)
        yield Subject(str(place), manifest, LocalFolder(project or folder), find_local_metadata(trace), read_limited)
        return
    from rtrace.opening import open_bundle

    with open_bundle(place) as bundle:
        yield Subject(
            str(place),
            bundle.manifest,
            BundledFolder(bundle) if project is None else LocalFolder(project),
            find_bundled_metadata(bundle),
            lambda path: read_bundled(bundle, path),
        )


def find_drift(subject: Subject) -> DriftReport:
    """Return what a project declares and a run of it did not use, and the other way round."""
    manifest = subject.manifest
    declarations = read_declarations(subject.folder)
    used = [
        one
        for package in manifest.packages
        for one in find_used(package.manager, package.name, package.version, package.origin)
    ]
    base = manifest.runs[0].distribution if manifest.runs else None
    installed = read_installed(subject, declarations.problems)
    drift = compare(declarations, used, installed, base)
    unknown = None
    if not used:
        unknown = f"no packages are known of {subject.name}; trace again with a newer rtrace"
    elif not declarations.files:
        unknown = f"no file declares what {subject.name} needs; name the project's folder with --project"
    elif drift.problems and not drift.findings:
        unknown = drift.problems[0]
    return DriftReport(drift, declarations, tuple(used), unknown)


def read_installed(subject: Subject, problems: list[str]) -> Requires:
    """Return what the installed packages say that they need; it is a problem where that is more than rtrace reads."""
    requires: Requires = {}
    work = 0
    for path in subject.metadata:
        reader = next(reader for pattern, reader in KINDS if pattern.fullmatch(path))
        data = subject.read(path)
        if data is not None:
            with contextlib.suppress(ValueError):  # metadata that is none: then nobody knows what that package needs
                work += reader(data, requires)
        if work > MOST_WORK:
            problems.append(f"the packages of {subject.name} need more than {MOST_WORK} others; not all were read")
            break
    return requires
