"""Writing a bundle in ReproZip's format, version 2, from an open bundle of rtrace's own.

Its data are decompressed and compressed again, a piece at a time; its manifest, index, results and trace go along in
EXTENSIONS/rtrace, so that rtrace reads what was written as well as what it was made from.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace
from typing import TYPE_CHECKING
from uuid import UUID

from rtrace.bundle import members, tar
from rtrace.bundle.data.archive import compress_frame
from rtrace.bundle.data.gzip_writer import GzipWriter
from rtrace.bundle.data.layout import entry_header, has_content, stored_size
from rtrace.bundle.entry import FileType
from rtrace.bundle.index.dumping import dump_entry, dump_result
from rtrace.bundle.protocol import Exported
from rtrace.bundle.writing.digests import digest_file
from rtrace.bundle.writing.member_writer import copy_member, write_member
from rtrace.bundle.written.lines import list_written
from rtrace.bundle.written.writing import WrittenContents
from rtrace.files.incomplete import Incomplete
from rtrace.interrupts import held
from rtrace.manifest.render import render
from rtrace.progress import SILENT, Progress
from rtrace.reprozip.reading import extension
from rtrace.reprozip.writing.config_writer import render_config
from rtrace.reprozip.writing.data_layout import ROOT, as_member, stored_parts
from rtrace.reprozip.writing.losses import list_losses
from rtrace.reprozip.writing.trace_writer import write_trace

if TYPE_CHECKING:
    from pathlib import Path

    from rtrace.bundle.protocol import OpenBundle


def write_reprozip(bundle: OpenBundle, target: Path, *, progress: Progress = SILENT) -> Exported:
    """Write a bundle in ReproZip's format: complete, or not at all. Raises BundleError.

    The same bundle always gives the same bytes, by the same versions of zlib and SQLite.
    """
    manifest, entries = bundle.manifest, bundle.entries
    with held(lambda: Incomplete(target)) as incomplete:
        folder = incomplete.folder
        paths = {name: folder / str(number) for number, name in enumerate(extension.DIGESTED)}
        lines = _write_data(bundle, paths[extension.DATA], progress)
        paths[extension.FILES].write_bytes(compress_frame("".join(lines).encode()))
        lines.clear()
        paths[extension.RESULTS].write_bytes(compress_frame("".join(map(dump_result, bundle.results)).encode()))
        records = b"".join(bundle.read_records())
        if records:
            paths[extension.RECORDS] = folder / "records"
            paths[extension.RECORDS].write_bytes(compress_frame(records))
        paths |= _copy_written(bundle, folder)
        bundle.extract_trace(paths[extension.OWN_TRACE])
        problem = write_trace(paths[extension.OWN_TRACE], paths[extension.TRACE], manifest.runs)
        losses = list_losses(manifest, entries, problem)
        pack_id = str(UUID(hex=bundle.identity[:32], version=4))
        with paths[extension.CONFIG].open("x", encoding="utf-8", newline="\n") as config:
            config.writelines(render_config(manifest, entries, pack_id, losses))
        digests = {name: _digest(path) for name, path in sorted(paths.items())}
        text = render(replace(manifest, digests=digests)).encode()
        identity = hashlib.sha256(text).hexdigest()
        small = {
            extension.VERSION: extension.VERSION_TEXT,
            extension.MANIFEST: text,
            extension.IDENTITY: (members.IDENTITY_TEXT % identity).encode(),
        }
        whole = folder / "whole"
        with whole.open("xb") as file:
            for name in extension.MEMBERS:
                if name in small:
                    write_member(file, name, small[name])
                elif name in paths:
                    with paths[name].open("rb") as source:
                        copy_member(file, name, source)
                    paths[name].unlink()
            file.write(tar.END)
        incomplete.give_name(whole)
    return Exported(target, identity, sum(entry.type is not FileType.DIRECTORY for entry in entries), losses)


def _write_data(bundle: OpenBundle, path: Path, progress: Progress) -> list[str]:
    """Write the data, and return the lines of the index, which say where each content begins in it."""
    lines: list[str] = []
    progress.start("converting", sum(stored_size(entry) for entry in bundle.entries if has_content(entry)))
    with path.open("xb") as file, GzipWriter(file) as archive:
        for entry, parts in bundle.stream_data():
            offset = None
            if entry.path != ROOT:
                member = as_member(entry)
                archive.write(entry_header(member))
                if has_content(member):
                    offset = archive.position if has_content(entry) else None
                    contents = parts if entry.link is None else bundle.read_file(entry.link)
                    for part in stored_parts(member, contents):
                        archive.write(part)
                        progress.advance(len(part))
                    archive.write(tar.padding(stored_size(member)))
            lines.append(dump_entry(entry, entry.size, entry.sha256, offset))
        archive.write(tar.END)
        archive.finish()
    progress.finish()
    return lines


def _copy_written(bundle: OpenBundle, folder: Path) -> dict[str, Path]:
    """Write what the bundle has of what the runs wrote into a folder; return the files by the members they become."""
    below = folder / "contents"
    below.mkdir()
    contents = WrittenContents(below)
    try:
        for sha256 in list_written(bundle.manifest.runs, bundle.results):
            content = bundle.find_written(sha256)
            if content is None:
                continue
            if content.offset is None:
                contents.add_digests(sha256, content.size, content.blocks)
            else:
                contents.add(sha256, b"".join(bundle.read_written(content)))
        lines, digest = contents.finish()
    finally:
        contents.close()
    if not lines:
        return {}
    index = below / "index"
    index.write_bytes(lines)
    return {extension.WRITTEN: index} | ({extension.WRITTEN_DATA: contents.path} if digest is not None else {})


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return digest_file(file)
