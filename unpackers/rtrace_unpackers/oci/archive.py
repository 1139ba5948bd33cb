"""An image's file: a tar with the OCI's layout, and with what `docker load` reads."""

from __future__ import annotations

import shutil
import tarfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from rtrace_unpackers.oci.configuration import (
    Document,
    encode,
    index,
    list_content,
    list_for_docker,
    name_blob,
)
from rtrace_unpackers.oci.writing import END, Blob

FOLDERS = ("blobs", "blobs/sha256")
PART = 1 << 20


def write_archive(
    path: Path, configuration: Document, platform: Mapping[str, object], layers: Sequence[Blob], identity: str
) -> None:
    """Write an image's file, and remove each layer's own file when it is in it."""
    manifest = list_content(configuration, layers)
    documents = {
        "oci-layout": encode({"imageLayoutVersion": "1.0.0"}),
        "index.json": index(manifest, platform, identity),
        "manifest.json": list_for_docker(configuration, layers, identity),
    }
    blobs = {name_blob(document.sha256): document for document in (manifest, configuration)}
    with path.open("xb") as file:
        for name, document in documents.items():
            add_document(file, name, document)
        for name in FOLDERS:
            file.write(make_header(name, 0, tarfile.DIRTYPE))
        for name, document in blobs.items():
            add_document(file, name, document)
        for layer in layers:
            file.write(make_header(name_blob(layer.sha256), layer.size))
            with layer.path.open("rb") as content:
                shutil.copyfileobj(content, file, PART)
            file.write(bytes(-layer.size % tarfile.BLOCKSIZE))
            layer.path.unlink()
        file.write(END)


def add_document(file: BinaryIO, name: str, document: Document) -> None:
    """Add a document."""
    file.write(make_header(name, len(document.content)))
    file.write(document.content)
    file.write(bytes(-len(document.content) % tarfile.BLOCKSIZE))


def make_header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    """Return the header of a member."""
    member = tarfile.TarInfo(name)
    member.type = kind
    member.size = size
    member.mode = 0o755 if kind == tarfile.DIRTYPE else 0o644
    return member.tobuf(tarfile.PAX_FORMAT)
