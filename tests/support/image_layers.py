"""The layers of an image without an engine: what is in which, and the tars that are written."""

import io
import os
import tarfile
from collections.abc import Iterable, Iterator
from pathlib import Path

from rtrace.bundle.entry import Entry
from rtrace_unpackers.engines.image.layers import name_file, plan_layers
from rtrace_unpackers.engines.image.rootfs import write_layers
from rtrace_unpackers.files.layout import plan_layout


def write_tars(entries: Iterable[Entry], contents: Iterable[tuple[Entry, Iterator[bytes]]]) -> dict[str, io.BytesIO]:
    """Return the layers of some entries, none of which is an input, by their names."""
    layout = plan_layout(entries)
    plan = plan_layers(layout, ())
    files = {name: io.BytesIO() for name in plan.names}
    write_layers(files, layout, plan, contents, "/.rtrace", {})
    for file in files.values():
        file.seek(0)
    return files


def list_members(target: Path, layer: str) -> dict[bytes, tarfile.TarInfo]:
    """Return the members of a layer of a target's build context, by their paths from its root."""
    with tarfile.open(target / name_file(layer), errors="surrogateescape", encoding="utf-8") as tar:
        return {os.fsencode(member.name): member for member in tar.getmembers()}
