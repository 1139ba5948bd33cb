"""A run that read large files, and all that its bundle holds."""

import hashlib
from pathlib import Path

from rtrace.elsewhere.sources import Sources, complete_data
from rtrace.opening import open_bundle
from trace_builder import TraceBuilder

BIG = bytes(range(256)) * 12_000  # 3 MB
DIGEST = hashlib.sha256(BIG).hexdigest()


def contents(bundle: Path, sources: Sources) -> dict[bytes, bytes]:
    """Read all of a bundle, with what is elsewhere."""
    with open_bundle(bundle) as opened:
        return {entry.path: b"".join(parts) for entry, parts in complete_data(opened, sources)}


def trace_big_files(home: Path) -> TraceBuilder:
    """Return a trace whose run read big.bin, two.bin and small in `home`, which is made."""
    home.mkdir()
    (home / "big.bin").write_bytes(BIG)
    (home / "two.bin").write_bytes(b"2" * 2_000_000)
    (home / "small").write_bytes(b"small")
    builder = TraceBuilder(home)
    builder.begin()
    builder.read(home / "big.bin", home / "two.bin", home / "small")
    return builder
