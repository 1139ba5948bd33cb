"""Writing a bundle: complete or not at all, over another only if asked, and with the same bytes for the same input."""

from __future__ import annotations

import hashlib
from contextlib import closing
from dataclasses import replace
from typing import TYPE_CHECKING

from rtrace.bundle import members, tar
from rtrace.bundle.data.archive import ArchiveWriter, compress_frame
from rtrace.bundle.data.layout import entry_header, has_content
from rtrace.bundle.index.buffer import LineFile
from rtrace.bundle.index.dumping import dump_entry, dump_result
from rtrace.bundle.writing.attribute_keeper import AttributeKeeper
from rtrace.bundle.writing.contents import ContentWriter
from rtrace.bundle.writing.digests import digest_file
from rtrace.bundle.writing.item import Item, Written, find_repeated
from rtrace.bundle.writing.member_writer import copy_member, write_member
from rtrace.bundle.written.writing import WrittenContents
from rtrace.errors import BundleError
from rtrace.files.incomplete import Incomplete
from rtrace.interrupts import held
from rtrace.manifest.merging.revision import write_again
from rtrace.printable import printable
from rtrace.progress import SILENT, Progress

if TYPE_CHECKING:
    from collections.abc import Callable, Container, Iterable
    from pathlib import Path
    from types import TracebackType

    from rtrace.bundle.entry import Result
    from rtrace.manifest.model import Manifest

__all__ = ["BundleWriter", "Item", "Written", "find_repeated", "write_bundle"]


class BundleWriter:
    """A bundle in the making, in a folder ``NAME.incomplete-XXXX`` beside it, which is gone afterwards in any case.

    ``unkept`` are the extended attributes that cannot be kept, each with a file that has it and the number of all of
    them; ``elsewhere`` size and digest of the files whose content was left out. ``written`` takes what the runs wrote.
    """

    def __init__(self, target: Path, repeated: Container[int] = frozenset(), *, replace: bool = False) -> None:
        """Begin; ``repeated`` are the sizes that several files have (``find_repeated``): they may have one content.

        With ``replace``, a file that has the name stays until the bundle is complete, and is replaced then.
        """
        self._incomplete = Incomplete(target, replace=replace)
        self.folder = self._incomplete.folder
        self._data = (self.folder / "data").open("w+b")
        self._archive = ArchiveWriter(self._data)
        self._lines = LineFile(self.folder / "lines")
        self._keeper = AttributeKeeper()
        self.written = WrittenContents(self.folder)
        self._contents = ContentWriter(self._archive, self._lines, self._keeper, repeated)
        self.unkept = self._keeper.unkept
        self.elsewhere = self._contents.elsewhere

    def __enter__(self) -> BundleWriter:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._archive.close()
        self.written.close()
        self._data.close()
        self._lines.close()
        self._incomplete.__exit__(kind, error, trace)

    def add(self, item: Item, *, strict: bool = False) -> Written:
        """Write an entry; the paths must come in order. Raises OSError when the disk of the bundle is full.

        With ``strict`` nothing is written of a file that is not what its entry says, or may not be.
        """
        entry = item.entry
        if has_content(entry) or entry.elsewhere:
            return self._contents.add(item, strict=strict)
        entry = self._keeper.put(entry, item.attributes, entry.path)
        self._archive.write(entry_header(entry))
        sha256, size = self._contents.digests[entry.link] if entry.link is not None else (None, entry.size)
        self._lines.write(dump_entry(entry, size, sha256, None))
        return Written.WHOLE

    def finish(
        self,
        manifest: Manifest,
        results: Iterable[Result],
        trace_database: Path,
        *,
        earlier: str | None = None,
        records: Iterable[bytes] = (),
        inspect: Callable[[Path], None] | None = None,
    ) -> str:
        """Put the bundle together, give it its name, and tell its identity. Raises BundleError when the name is taken.

        The manifest is written with the digests of the other members, and with a person's own comments in an earlier
        text of it. ``records`` are documents, each with a newline at its end. ``inspect`` sees the complete file before
        it has its name, and raises an error to refuse it.
        """
        self._archive.write(tar.END)
        files = self._lines.compress()  # while the last frames of the data are compressed
        digests = {members.DATA: self._archive.finish()}
        with closing(LineFile(self.folder / "results")) as lines:
            for result in results:
                lines.write(dump_result(result))
            outcomes = lines.compress()
        documents = b"".join(records)
        kept = compress_frame(documents) if documents else b""
        written, archive = self.written.finish()
        optional = {members.RECORDS: kept, members.WRITTEN: written}
        digests |= {name: hashlib.sha256(content).hexdigest() for name, content in optional.items() if content}
        if archive is not None:
            digests[members.WRITTEN_DATA] = archive
        digests[members.FILES] = hashlib.sha256(files).hexdigest()
        digests[members.RESULTS] = hashlib.sha256(outcomes).hexdigest()
        with trace_database.open("rb") as trace:
            digests[members.TRACE] = digest_file(trace)
            text = write_again(replace(manifest, digests=dict(sorted(digests.items()))), earlier).encode()
            identity = hashlib.sha256(text).hexdigest()
            whole = self.folder / "bundle"
            with whole.open("xb") as bundle:
                write_member(bundle, members.VERSION, members.VERSION_TEXT)
                write_member(bundle, members.MANIFEST, text)
                write_member(bundle, members.IDENTITY, (members.IDENTITY_TEXT % identity).encode())
                write_member(bundle, members.FILES, files)
                write_member(bundle, members.RESULTS, outcomes)
                for name, content in optional.items():
                    if content:
                        write_member(bundle, name, content)
                copy_member(bundle, members.TRACE, trace)
                if archive is not None:
                    with self.written.path.open("rb") as contents:
                        copy_member(bundle, members.WRITTEN_DATA, contents)
                copy_member(bundle, members.DATA, self._data)
                bundle.write(tar.END)
        if inspect is not None:
            inspect(whole)
        self._incomplete.give_name(whole)
        return identity


def write_bundle(  # noqa: PLR0913 -- each is a part of a bundle
    target: Path,
    manifest: Manifest,
    items: Iterable[Item],
    results: Iterable[Result],
    trace_database: Path,
    *,
    records: Iterable[bytes] = (),
    written: Iterable[bytes] = (),
    progress: Progress = SILENT,
) -> str:
    """Write a bundle whose every content can be read, and return its identity; ``written`` is what the runs wrote.

    Raises BundleError when the target exists, or when a source is not what its entry says.
    """
    every = tuple(items)
    progress.start("writing", len(every), "files")
    with held(lambda: BundleWriter(target, find_repeated(every))) as writer:
        for item in every:
            outcome = writer.add(item)
            if outcome is not Written.WHOLE:
                raise BundleError(f"cannot pack {printable(item.entry.path)}: {outcome.value}")
            progress.advance(1)
        for content in written:
            writer.written.add(hashlib.sha256(content).hexdigest(), content)
        identity = writer.finish(manifest, results, trace_database, records=records)
    progress.finish()
    return identity
