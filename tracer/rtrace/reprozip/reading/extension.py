"""Where the members of a bundle of ReproZip that rtrace wrote are; FORMAT.md describes them.

METADATA/ and DATA.tar.gz are what every bundle of ReproZip has, EXTENSIONS/rtrace/ is what one of rtrace has besides.
"""

from __future__ import annotations

from rtrace.bundle import members

NAME = "rtrace"
FOLDER = f"EXTENSIONS/{NAME}/"

VERSION = "METADATA/version"
VERSION_TEXT = b"REPROZIP VERSION 2\n"
CONFIG = "METADATA/config.yml"
MANIFEST = f"{FOLDER}manifest.yml"
IDENTITY = f"{FOLDER}identity"
FILES = f"{FOLDER}files.jsonl.zst"
RESULTS = f"{FOLDER}results.jsonl.zst"
RECORDS = f"{FOLDER}records.jsonl.zst"
WRITTEN = f"{FOLDER}written.jsonl.zst"
WRITTEN_DATA = f"{FOLDER}written.tar.zst"
OWN_TRACE = f"{FOLDER}trace.sqlite3"
TRACE = "METADATA/trace.sqlite3"
DATA = "DATA.tar.gz"

MEMBERS = (
    VERSION,
    MANIFEST,
    IDENTITY,
    CONFIG,
    FILES,
    RESULTS,
    RECORDS,
    WRITTEN,
    WRITTEN_DATA,
    OWN_TRACE,
    TRACE,
    DATA,
)
OPTIONAL = {
    RECORDS: (WRITTEN, OWN_TRACE),
    WRITTEN: (OWN_TRACE,),
    WRITTEN_DATA: (OWN_TRACE,),
}
DIGESTED = (CONFIG, FILES, RESULTS, OWN_TRACE, TRACE, DATA)
DIGESTED_IF_THERE = (RECORDS, WRITTEN, WRITTEN_DATA)
"""The members whose SHA-256 the manifest holds."""
LIMITS = {
    VERSION: len(VERSION_TEXT),
    MANIFEST: members.MANIFEST_LIMIT,
    IDENTITY: members.IDENTITY_SIZE,
    CONFIG: 64 << 20,
    FILES: members.INDEX_LIMIT,
    RESULTS: members.INDEX_LIMIT,
    RECORDS: members.RECORDS_LIMIT,
    WRITTEN: members.WRITTEN_LIMIT,
}
