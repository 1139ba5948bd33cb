"""Bundles of ours in ReproZip's form: taken apart, changed and put together again."""

import hashlib
import tarfile
from dataclasses import replace
from pathlib import Path
from typing import Any

from rtrace.bundle import tar
from rtrace.bundle.entry import FileType
from rtrace.bundle.protocol import Exported
from rtrace.bundle.reading.bundle_reader import Bundle
from rtrace.bundle.writing.member_writer import write_member
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.opening import open_bundle
from rtrace.operations.export import export
from rtrace.reprozip.extended import ExtendedBundle
from rtrace.reprozip.reading import extension

DIGESTS = extension.DIGESTED


def describe(bundle: Bundle) -> tuple[object, ...]:
    """Return all that an open bundle answers, but for where things lie in it."""
    contents = {
        entry.path: hashlib.sha256(b"".join(parts)).hexdigest()
        for entry, parts in bundle.stream_data()
        if entry.path != b"/" and entry.type is FileType.REGULAR
    }
    entries = tuple(entry._replace(offset=None) for entry in bundle.entries)
    return (replace(bundle.manifest, digests={}), entries, bundle.results, contents)


def open_extended(path: Path) -> ExtendedBundle:
    """Open a bundle that must be read by rtrace's own index."""
    bundle = open_bundle(path)
    assert isinstance(bundle, ExtendedBundle)
    return bundle


def read_parts(path: Path) -> dict[str, bytes]:
    """Take the outer tar apart."""
    with tarfile.open(path, "r:") as archive:
        return {member.name: archive.extractfile(member).read() for member in archive}  # type: ignore[union-attr]


def write_parts(path: Path, parts: dict[str, bytes], *, proven: bool = True, **changes: Any) -> Path:
    """Put it together again, as rtrace would: with digests that agree, and a manifest with some changes."""
    if proven:
        manifest = load(parts[extension.MANIFEST], "manifest")
        digests = {
            name: hashlib.sha256(parts[name]).hexdigest()
            for name in (*DIGESTS, *extension.DIGESTED_IF_THERE)
            if name in parts
        }
        text = render(replace(manifest, digests=digests, **changes)).encode()
        identity = f"sha256:{hashlib.sha256(text).hexdigest()}\n".encode()
        parts = {**parts, extension.MANIFEST: text, extension.IDENTITY: identity}
    with path.open("xb") as file:
        for name in (name for name in extension.MEMBERS if name in parts):
            write_member(file, name, parts[name])
        file.write(tar.END)
    return path


def convert(source: Path, target: Path) -> Exported:
    """Write a bundle in ReproZip's format."""
    return export(source, "reprozip", target)
