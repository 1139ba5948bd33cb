"""Everything that goes into an anonymous bundle, under pseudonyms."""

from __future__ import annotations

import os
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.bundle.entry import FileType
from rtrace.files.patterns import Patterns
from rtrace.files.xattrs import read_attributes
from rtrace.manifest.model import Manifest, Notice, Package
from rtrace.printable import count_more, printable
from rtrace.privacy.anonymous.contents import ContentReplacer, PackedContent
from rtrace.privacy.anonymous.ids import PersonalIds
from rtrace.privacy.anonymous.names import PersonalNames
from rtrace.privacy.anonymous.order import has_own_time
from rtrace.privacy.anonymous.records import anonymize_record
from rtrace.privacy.anonymous.releases import shorten_release
from rtrace.privacy.values import rewrite_value
from rtrace.trace.rewriting import Anonymization, anonymize_database

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from pathlib import Path

    from rtrace.bundle.entry import Result
    from rtrace.bundle.writing.bundle_writer import Item
    from rtrace.files.xattrs import Attributes
    from rtrace.manifest.model import Output, Run
    from rtrace.privacy.anonymous.plan import Anonymity
    from rtrace.privacy.anonymous.records import Json
    from rtrace.trace.reading.reader import After

_SHOWN = 5


class Anonymizer:
    """Carries out an `Anonymity`. Until an item is written it goes by its own path."""

    def __init__(self, anonymity: Anonymity, packages: Iterable[Package] = ()) -> None:
        self.names = PersonalNames(anonymity.pseudonyms)
        self._anonymity = anonymity
        self._ids = PersonalIds(anonymity.ids)
        self._contents = ContentReplacer(self.names, self._ids, packages, modules_change=anonymity.modules_change)
        self._allowed = Patterns(anonymity.allowed)
        self._originals: dict[bytes, bytes] = {}

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Notices of where names may be that were not found."""
        notices = []
        if self._contents.compressed:
            what = f"what is compressed within files was not searched for names: {_list(self._contents.compressed)}"
            notices.append(Notice("anonymous", what, "look into them, and leave them out if need be"))
        if self._anonymity.pseudonyms.short:
            what = "a name of the user or host is too short to be searched for in files"
            notices.append(Notice("anonymous", what, "trace under a longer name if that matters"))
        return tuple(notices)

    @property
    def private_notices(self) -> tuple[Notice, ...]:
        """Notices for the author alone, which the bundle must not hold: the other people that its paths name."""
        if not self._anonymity.others:
            return ()
        what = f"paths that name other people stay as they are: {_list(self._anonymity.others)}"
        return (Notice("anonymous", what, "trace again under other paths if these identify you"),)

    def anonymize_item(self, item: Item, folder: Path) -> Item:
        """Return an item with pseudonyms in path, target, owner and content."""
        entry = item.entry
        mtime_ns = entry.mtime_ns if has_own_time(item) else item.mtime_ns
        content = None if item.source is None else PackedContent(item.source, entry.size)
        if content is not None and not (entry.placeholder or entry.elsewhere):
            content = self._contents.replace_names(entry, content.source, folder)
        attributes, touched = item.attributes, item.ctime_ns
        if attributes is None and entry.type is not FileType.SYMLINK:
            attributes = read_attributes(item.source or entry.path)[0]
        is_copy = content is not None and content.source != item.source
        if is_copy and touched == os.stat(item.source or entry.path).st_ctime_ns:
            touched = None  # the copy has another one in any case
        renamed = rewrite_value(entry, self.names.replace)._replace(
            uid=self._ids.replace(entry.uid),
            gid=self._ids.replace(entry.gid),
            size=entry.size if content is None else content.size,
        )
        self._originals[renamed.path] = entry.path
        return item._replace(
            entry=renamed,
            source=None if content is None else content.source,
            mtime_ns=mtime_ns,
            ctime_ns=touched,
            attributes=None if attributes is None else self._anonymize_attributes(attributes),
        )

    def anonymize_manifest(self, manifest: Manifest) -> Manifest:
        """Return a manifest with pseudonyms and other ids, without what identifies the machine."""
        renamed = rewrite_value(manifest, self.names.replace)
        runs = zip(manifest.runs, renamed.runs, strict=True)
        return replace(renamed, runs=tuple(self._anonymize_run(run.id, other) for run, other in runs))

    def anonymize_results(
        self, results: Iterable[Result], left: Sequence[After], run_names: dict[int, str]
    ) -> list[Result]:
        """Return results with pseudonyms, and the digests of their contents under these."""
        afters = {(run_names[after.run], after.path): after for after in left}
        found = []
        for result in results:
            digest = None
            if result.sha256 is not None:
                digest = self._contents.hash(result.path, afters.get((result.run, result.path)))
            found.append(
                replace(
                    result,
                    path=self.names.replace(result.path),
                    target=None if result.target is None else self.names.replace(result.target),
                    sha256=digest or result.sha256,
                )
            )
        order = {run: number for number, run in enumerate(dict.fromkeys(result.run for result in found))}
        return sorted(found, key=lambda result: (order[result.run], result.path))

    def anonymize_trace(self, database: Path) -> None:
        """Replace names, ids and what identifies the machine in a copy of the trace database."""
        anonymize_database(
            database,
            Anonymization(
                text=self.names.replace,
                environment=self.names.replace_environment,
                hostname=self.names.replace_hostname,
                release=shorten_release,
                user=self._ids.replace,
                groups=self._ids.replace_in_text,
                attribute=self._ids.replace_in_attribute,
            ),
        )

    def anonymize_record(self, record: Json, run: Run | None) -> Json:
        """Return the record of a run with pseudonyms, without what leads to a person, a machine or a repository.

        ``run`` is what an anonymous manifest says of it.
        """
        return anonymize_record(record, run, self.names, self._ids, self._contents.hash)

    def replace_written(self, content: bytes) -> bytes:
        """Return a content that a run wrote with pseudonyms, as a replay under these writes it."""
        return self._contents.replace(content)

    def find_names(self, path: bytes, parts: Iterator[bytes]) -> bytes | None:
        """Return the own path of a written file if it holds a name and may not; ``path`` is the one in the bundle."""
        original = self._originals.get(path, path)
        if original in self._contents.shipped or self._allowed.match(original):
            return None
        return original if self.names.occur_in(parts, in_paths=original in self._contents.compiled) else None

    def _anonymize_run(self, name: str, run: Run) -> Run:
        """Return a run, whose texts have pseudonyms already, without short names and ids; ``name`` is its own one."""
        return replace(
            run,
            hostname=self.names.replace_hostname(run.hostname),
            uid=self._ids.replace(run.uid),
            gid=self._ids.replace(run.gid),
            groups=tuple(map(self._ids.replace, run.groups)),
            system=(run.system[0], shorten_release(run.system[1])),
            environ=tuple((variable, self.names.replace_variable(variable, value)) for variable, value in run.environ),
            stdout=self._anonymize_output(name, 1, run.stdout),
            stderr=self._anonymize_output(name, 2, run.stderr),
        )

    def _anonymize_output(self, run: str, descriptor: int, output: Output | None) -> Output | None:
        """Return an output with the digest that a replay under pseudonyms has."""
        file = self._anonymity.streams.get((run, descriptor))
        if output is None or output.sha256 is None or file is None:
            return output
        digest = self._contents.hash(file)
        return output if digest is None else replace(output, sha256=digest)

    def _anonymize_attributes(self, attributes: Attributes) -> Attributes:
        """Return extended attributes with pseudonyms and other ids."""
        changed = ((name, self._ids.replace_in_attribute(name, value)) for name, value in attributes)
        return tuple((self.names.replace(name), self.names.replace(value)) for name, value in changed)


def _list(paths: Sequence[bytes]) -> str:
    """Return the first few paths for a sentence, and the number of the others."""
    return ", ".join(map(printable, paths[:_SHOWN])) + count_more(len(paths) - _SHOWN)
