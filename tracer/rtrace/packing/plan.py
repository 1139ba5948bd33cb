"""What packing will do, as a value."""

from __future__ import annotations

from contextlib import closing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.packing.rewriting import rewrite_value
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Generator
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.writer import Item
    from rtrace.manifest.model import Elsewhere, Manifest, Notice
    from rtrace.packages.attribution import Installed
    from rtrace.packing.concealment import Concealment
    from rtrace.packing.disguise import Disguise
    from rtrace.packing.secret_files import SecretFiles
    from rtrace.packing.whereabouts import Whereabout
    from rtrace.trace import reader
    from rtrace.trace.directory import TraceDirectory


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """What is to be written where.

    ``notices`` are what planning found, also among those of ``manifest``. ``results`` still lack the digests of big
    files, which ``copies`` may help to find. ``problems`` says of files that a run changed why there is no snapshot,
    ``whereabouts`` where the content is of those that it gave another name, ``elsewhere``, by path, what the manifest
    says of those whose content is left out, ``owners`` which package has a file now. Until a plan is ``settled``, the
    files have not been searched for secrets: neither are those of them in the manifest, nor is what is left out of the
    items known.
    """

    directory: TraceDirectory
    target: Path
    manifest: Manifest
    items: tuple[Item, ...]
    results: tuple[reader.After, ...]
    copies: tuple[reader.Copy, ...]
    run_names: dict[int, str]
    notices: tuple[Notice, ...]
    problems: dict[bytes, str]
    whereabouts: dict[bytes, Whereabout]
    concealment: Concealment
    secret_files: SecretFiles
    elsewhere: dict[bytes, Elsewhere]
    owners: dict[bytes, Installed]
    settled: bool = False
    disguise: Disguise | None = None

    def settle(self, progress: Progress = SILENT) -> PackingPlan:
        """Search the files for secrets at once, which packing does in passing, and give the whole plan."""
        if self.settled:
            return self
        items = []
        progress.start("looking for secrets", len(self.items))
        with closing(self.settle_items()) as settled:
            for item in settled:
                items.append(item)
                progress.advance(1)
        progress.finish()
        return replace(self.tell_secrets(), items=tuple(items))

    def settle_items(self) -> Generator[Item, None, None]:
        """Give the items in their order, each as it is to be packed, as soon as it has been searched for secrets."""
        if self.settled:
            yield from self.items
        else:
            yield from self.secret_files.look_at(self.items)

    def tell_secrets(self) -> PackingPlan:
        """Give the plan with all secrets that were found in its manifest; to be called when all items are settled."""
        if self.settled:
            return self
        unused = self.concealment.unused
        manifest = replace(
            self.manifest,
            secrets=self.concealment.secrets,
            notices=tuple(dict.fromkeys((*self.manifest.notices, *unused))),
        )
        manifest = rewrite_value(manifest, self.concealment.conceal)
        return replace(self, manifest=manifest, notices=(*self.notices, *unused), settled=True)

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, sorted by path; digests and offsets are found when they are written."""
        return tuple(item.entry for item in self.items)

    @property
    def size(self) -> int:
        """Bytes of content to be read."""
        return sum(item.entry.size for item in self.items if item.source is not None)
