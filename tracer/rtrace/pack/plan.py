"""What packing will do, as a value that can be printed, compared and carried out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from rtrace.privacy.masking import Masking
from rtrace.privacy.redaction import Redaction

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.manifest.model import Elsewhere, Manifest, Notice
    from rtrace.pack.choosing.moved import Location
    from rtrace.pack.records import FoundRecord
    from rtrace.packages.model import Installed
    from rtrace.privacy.anonymous.plan import Anonymity
    from rtrace.trace.directory import TraceDirectory
    from rtrace.trace.reading import reader
    from rtrace.trace.reading.one_run import TracedStream


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """What is written where: facts alone, which workers made and workers carry out.

    ``replace`` is whether a bundle that has the name of ``target`` is replaced. ``notices`` are what planning found;
    those of ``manifest`` include them. ``results`` lack the digests of big files, which ``copies`` may help to find.
    ``run_names`` are the manifest's ids of runs by number, without those taken out. ``problems`` says by path why there
    is no copy of a file that a run changed, ``locations`` where the content of renamed files is, ``elsewhere`` where
    content is that is left out, ``owners`` which package has a file now. ``redaction`` and ``masking`` are the secrets
    in the trace and in files, ``anonymity`` the names that are replaced. ``records`` are those of the runs.
    ``streams`` are their standard streams, by the run's name and the descriptor; of what they wrote, ``most_written``
    bytes are packed, but for those at the places ``secret_written``.
    """

    directory: TraceDirectory
    target: Path
    manifest: Manifest
    items: tuple[Item, ...]
    results: tuple[reader.After, ...]
    copies: tuple[reader.Copy, ...]
    run_names: dict[int, str]
    notices: tuple[Notice, ...] = ()
    problems: dict[bytes, str] = field(default_factory=dict)
    locations: dict[bytes, Location] = field(default_factory=dict)
    elsewhere: dict[bytes, Elsewhere] = field(default_factory=dict)
    owners: dict[bytes, Installed] = field(default_factory=dict)
    redaction: Redaction = field(default_factory=Redaction)
    masking: Masking = field(default_factory=Masking)
    anonymity: Anonymity | None = None
    records: tuple[FoundRecord, ...] = ()
    streams: dict[str, dict[int, TracedStream]] = field(default_factory=dict)
    most_written: int = 0
    secret_written: frozenset[str] = frozenset()
    replace: bool = False

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, sorted by path; digests and offsets are found when they are written."""
        return tuple(item.entry for item in self.items)

    @property
    def size(self) -> int:
        """Bytes of content to be read."""
        return sum(item.entry.size for item in self.items if item.source is not None)
