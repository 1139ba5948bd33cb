"""From the open form to a bundle of rtrace, with everything put right that a reader compares before it looks closer."""

import hashlib
import json
import struct
from collections.abc import Callable
from contextlib import suppress

import zstandard

from fuzz.sections import split
from rtrace.bundle import members, tar
from rtrace.bundle.data.layout import entry_header, has_content
from rtrace.bundle.entry import Entry
from rtrace.bundle.index.dumping import dump_entry
from rtrace.bundle.index.lines import load_entries
from rtrace.errors import BundleError
from rtrace.manifest.scalars import quoted

_CONTENT_LIMIT = 16 << 10
_NAMES = {
    "files": members.FILES,
    "results": members.RESULTS,
    "records": members.RECORDS,
    "trace": members.TRACE,
    "data": members.DATA,
}


def seal(content: bytes) -> bytes:
    """Make a bundle. The section ``plan`` has a letter for everything that is not to be put right, or to be broken.

    L  the data stream is the section ``data``, not what the index asks for
    D  the digests are those of other bytes               I  so is the identity
    N  the frames do not tell their size                  W  the frames tell another size
    S  the seek table is the section ``table``            F  a frame for each 64 bytes
    O  two members have changed places                    P  a member comes twice
    R  the members are compressed already                 X  the section ``after`` follows the end
    C  what is left of the bundle is as many bytes as the section ``after`` is long
    """
    parts = split(content)
    plan = parts.get("plan", b"").decode("latin-1")
    files, data = parts.get("files", b""), parts.get("data", b"")
    if "L" not in plan:
        files, data = _lay_out(files, parts.get("content", b""))
    pack = (lambda piece: piece) if "R" in plan else _compressor(plan)
    found = {
        members.VERSION: parts.get("version", members.VERSION_TEXT),
        members.MANIFEST: parts.get("manifest", b""),
        members.IDENTITY: b"",
        members.FILES: pack(files),
        members.RESULTS: pack(parts.get("results", b"")),
        members.RECORDS: pack(parts.get("records", b"{}\n")),
        members.TRACE: parts.get("trace", b""),
        members.DATA: data if "R" in plan else _archive(data, plan, parts.get("table", b"")),
    }
    if "D" not in plan:
        names = sorted((*members.DIGESTED, members.RECORDS))
        lines = [f"  {name}: {quoted(hashlib.sha256(found[name]).hexdigest())}\n" for name in names]
        found[members.MANIFEST] += ("digests:\n" + "".join(lines)).encode()
    identity = hashlib.sha256(found[members.MANIFEST] + (b"x" if "I" in plan else b"")).hexdigest()
    found[members.IDENTITY] = (members.IDENTITY_TEXT % identity).encode()
    order = list(found)
    if "O" in plan:
        order[3], order[4] = order[4], order[3]
    if "P" in plan:
        order.insert(3, members.FILES)
    whole = b"".join(
        tar.header(name.encode(), tar.REGULAR, len(found[name])) + found[name] + tar.padding(len(found[name]))
        for name in order
    )
    whole += tar.END + (parts.get("after", b"") if "X" in plan else b"")
    return whole[: len(parts.get("after", b""))] if "C" in plan else whole


def _lay_out(files: bytes, content: bytes) -> tuple[bytes, bytes]:
    """Return an index whose offsets and digests are right, and its data stream; lines that are no entries stay."""
    lines: list[bytes] = []
    stream = bytearray()
    digests: dict[bytes, str | None] = {}
    for line in files.splitlines(keepends=True):
        try:
            (entry,) = load_entries([line])
            header = entry_header(entry)
        except (BundleError, ValueError, OverflowError):
            lines.append(line)
            continue
        stream += header
        if has_content(entry) and 0 <= entry.size <= _CONTENT_LIMIT:
            kept = (content or b"x").ljust(entry.size, content[:1] or b"x")[: entry.size]
            entry = entry._replace(offset=len(stream), sha256=hashlib.sha256(kept).hexdigest())
            stream += kept + tar.padding(len(kept))
            digests[entry.path] = entry.sha256
        elif entry.link in digests:
            entry = entry._replace(sha256=digests[entry.link])
        lines.append(_dump(entry, line))
    return b"".join(lines), bytes(stream + tar.END)


def _dump(entry: Entry, line: bytes) -> bytes:
    with suppress(UnicodeEncodeError):
        return dump_entry(entry, entry.size, entry.sha256, entry.offset).encode()
    found = json.loads(line)  # a lone surrogate in a text, which only the escape of JSON can write
    return json.dumps({**found, "offset": entry.offset or 0, "sha256": entry.sha256 or ""}).encode() + b"\n"


def _compressor(plan: str) -> Callable[[bytes], bytes]:
    def compress(content: bytes) -> bytes:
        frame = zstandard.ZstdCompressor(write_checksum=True, write_content_size="N" not in plan).compress(content)
        if "W" in plan and len(content) > 1:  # a frame of one content behind the header of another
            other = zstandard.ZstdCompressor(write_checksum=True).compress(content[:-1])
            length = zstandard.frame_header_size(frame)
            return other[:length] + frame[length:]
        return frame

    return compress


def _archive(data: bytes, plan: str, table: bytes) -> bytes:
    size = 64 if "F" in plan else members.FRAME_SIZE
    pieces = [data[start : start + size] for start in range(0, len(data), size)]
    frames = list(map(_compressor(plan), pieces))
    if "S" in plan:
        return b"".join(frames) + table
    items = b"".join(struct.pack("<II", len(frame), len(piece)) for frame, piece in zip(frames, pieces, strict=True))
    rest = items + struct.pack("<IBI", len(frames), 0, 0x8F92EAB1)
    return b"".join(frames) + struct.pack("<II", 0x184D2A5E, len(rest)) + rest
