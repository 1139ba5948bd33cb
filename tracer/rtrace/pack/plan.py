"""What packing will do, as a value."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from rtrace.privacy.rewriting import rewrite_value

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.entry import Entry
    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.manifest.model import Elsewhere, Manifest, Notice
    from rtrace.pack.moved import Whereabout
    from rtrace.packages.model import Installed
    from rtrace.privacy.anonymous.disguise import Disguise
    from rtrace.privacy.decisions import Concealment
    from rtrace.privacy.files import SecretFiles
    from rtrace.trace import reader
    from rtrace.trace.directory import TraceDirectory


@dataclass(frozen=True, slots=True)
class PackingPlan:
    """What is to be written where.

    ``notices`` are what planning found, also among those of ``manifest``. ``results`` still lack the digests of big
    files, which ``copies`` may help to find. ``run_names`` are the manifest's ids of runs by number, without
    those that were taken out. ``problems`` says of files that a run changed why there is no snapshot,
    ``whereabouts`` where the content is of those that it gave another name, ``elsewhere``, by path, what the manifest
    says of those whose content is left out, ``owners`` which package has a file now.
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
    disguise: Disguise | None = None

    def tell_secrets(self) -> PackingPlan:
        """Give the plan with all secrets that were found in its manifest, and with what there is to tell of them."""
        told = (*self.concealment.unused, *self.secret_files.notices)
        manifest = replace(
            self.manifest,
            secrets=self.concealment.secrets,
            notices=tuple(dict.fromkeys((*self.manifest.notices, *told))),
        )
        manifest = rewrite_value(manifest, self.concealment.conceal)
        return replace(self, manifest=manifest, notices=(*self.notices, *told))

    @property
    def entries(self) -> tuple[Entry, ...]:
        """The entries, sorted by path; digests and offsets are found when they are written."""
        return tuple(item.entry for item in self.items)

    @property
    def size(self) -> int:
        """Bytes of content to be read."""
        return sum(item.entry.size for item in self.items if item.source is not None)
