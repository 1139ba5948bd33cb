"""Exporters found by name: the formats of bundles that can be written, and what entry points bring."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.errors import UsageError
from rtrace.exports.protocol import ENTRY_POINT_GROUP
from rtrace.opening import list_writable_formats
from rtrace.plugins import find_plugins, load
from rtrace.printable import suggest
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.protocol import Exported, Writer
    from rtrace.exports.protocol import Exporter, Exporting

READERS = {"reprozip": "ReproZip"}
"""Who reads a format of bundles, where its name is not as they write themselves."""


@dataclass(frozen=True, slots=True)
class FormatExporter:
    """A format of bundles as an exporter."""

    name: str
    write: Writer
    readers: str
    ending: str

    def export(self, exporting: Exporting, target: Path, *, progress: Progress = SILENT) -> Exported:
        """Write a bundle in the format."""
        return self.write(exporting.bundle, target, progress=progress)


def list_exporters() -> list[str]:
    """Return the names of the installed exporters; those of entry points are not imported."""
    return [*list_writable_formats(), *(name for name in find_plugins(ENTRY_POINT_GROUP))]


def load_exporter(name: str) -> Exporter:
    """Import an exporter. Raises UsageError for an unknown name."""
    formats, plugins = list_writable_formats(), find_plugins(ENTRY_POINT_GROUP)
    if name in plugins:
        exporter: Exporter = load(plugins[name])
        return exporter
    write = formats[name].write if name in formats else None
    if write is None:
        known = (*formats, *plugins)
        meant = suggest(name, known) or f"; choose one of: {', '.join(known)}"
        raise UsageError(f"there is no format {name!r}{meant}")
    return FormatExporter(name, write, READERS.get(name, name), f".{name}.rpz")
