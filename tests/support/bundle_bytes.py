"""Every byte of a bundle, for tests of what must be nowhere in it."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator
from pathlib import Path

import zstandard


def read_everything(bundle: Path) -> Iterator[tuple[str, bytes]]:
    """Yield every member of a bundle, decompressed; the database as the bytes that it is, free pages included."""
    with tarfile.open(bundle) as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            if member.name.endswith(".zst"):
                with zstandard.ZstdDecompressor().stream_reader(content, read_across_frames=True) as reader:
                    yield member.name, reader.read()
            else:
                yield member.name, content.read()
