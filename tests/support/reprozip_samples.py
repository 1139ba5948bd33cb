"""Bundles that ReproZip wrote, as fixtures/reprozip keeps them, and what rtrace says of one."""

import hashlib
from pathlib import Path

from rtrace.bundle.entry import FileType
from rtrace.bundle.protocol import OpenBundle
from rtrace.opening import open_bundle

FIXTURES = Path(__file__).resolve().parents[2] / "fixtures" / "reprozip"


def sample(name: str) -> Path:
    """Return the bundle of a name, or of the beginning of one."""
    (found,) = FIXTURES.glob(f"{name}*.rpz")
    return found


def kinds(bundle: OpenBundle) -> set[str]:
    """Return the kinds of all notices."""
    return {notice.kind for notice in bundle.manifest.notices}


def describe(path: Path) -> tuple[object, ...]:
    """Return all that a bundle answers but its identity, with the digest of each content."""
    with open_bundle(path) as bundle:
        contents = {
            entry.path: hashlib.sha256(b"".join(parts)).hexdigest()
            for entry, parts in bundle.stream_data()
            if entry.type is FileType.REGULAR
        }
        assert contents == {entry.path: entry.sha256 for entry in bundle.entries if entry.offset is not None}
        return (bundle.manifest, bundle.entries, bundle.results)
