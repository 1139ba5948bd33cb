"""What lies in a bundle: its members in their order, and how large each may be. FORMAT.md describes them."""

from __future__ import annotations

BUNDLE_FORMAT = 1
VERSION_PREFIX = b"RTRACE BUNDLE "
VERSION_TEXT = VERSION_PREFIX + b"%d\n" % BUNDLE_FORMAT

VERSION = "METADATA/version"
MANIFEST = "METADATA/manifest.yml"
IDENTITY = "METADATA/identity"
FILES = "METADATA/files.jsonl.zst"
RESULTS = "METADATA/results.jsonl.zst"
RECORDS = "METADATA/records.jsonl.zst"
WRITTEN = "METADATA/written.jsonl.zst"
TRACE = "METADATA/trace.sqlite3"
WRITTEN_DATA = "WRITTEN.tar.zst"
DATA = "DATA.tar.zst"

MEMBERS = (VERSION, MANIFEST, IDENTITY, FILES, RESULTS, RECORDS, WRITTEN, TRACE, WRITTEN_DATA, DATA)
OPTIONAL = {IDENTITY: (FILES,), RECORDS: (WRITTEN, TRACE), WRITTEN: (TRACE,), WRITTEN_DATA: (DATA,)}
"""The members that a bundle need not have, each with those of which one stands in its place then."""
DIGESTED = (FILES, RESULTS, TRACE, DATA)
DIGESTED_IF_THERE = (RECORDS, WRITTEN, WRITTEN_DATA)
"""The members whose SHA-256 the manifest holds."""

IDENTITY_TEXT = "sha256:%s\n"
IDENTITY_SIZE = len(IDENTITY_TEXT % ("0" * 64))
"""The manifest's own SHA-256, by which a damaged manifest is found. The first bundles had no such member."""

FRAME_SIZE = 4 << 20
"""Bytes of uncompressed data in every frame of DATA.tar.zst but the last."""

MANIFEST_LIMIT = 16 << 20
RECORDS_LIMIT = 128 << 20
"""Bytes that the records may have when decompressed; compressed they may not be larger either."""
RECORDS_MOST = 10_000
WRITTEN_LIMIT = 64 << 20
"""Bytes that the index of what runs wrote may have when decompressed."""
INDEX_LIMIT = 256 << 20
"""Bytes that an index (FILES, RESULTS) may have when decompressed; compressed it may not be larger either."""
