"""From the open form to a bundle of ReproZip, of either version and in any container."""

import bz2
import gzip
import io
import lzma
import tarfile
import warnings
import zipfile

from fuzz.sections import split
from rtrace.bundle import tar

_BLOCK = 512
_MAGIC = b"ustar"
_MEMBERS_LIMIT = 300


def seal_reprozip(content: bytes) -> bytes:
    """Make a bundle. The section ``plan`` has a letter for each choice.

    1  version 1                      z  a zip                      t  the trace is compressed
    g  the outer tar in gzip          b  in bzip2                   x  in xz
    B  the data in bzip2              X  in xz                      U  not compressed
    d  the configuration twice        o  the version last           e  with an extension
    A  the section ``tar`` alone is the data, and its checksums stay as they are
    """
    parts = split(content)
    plan = parts.get("plan", b"").decode("latin-1")
    inner = parts.get("tar", b"")
    if "A" not in plan:
        inner = _members(parts.get("members", b"")) + _with_checksums(inner)
    version = parts.get("version", b"REPROZIP VERSION %d\n" % (1 if "1" in plan else 2))
    outer = [("METADATA/version", version), ("METADATA/config.yml", parts.get("config", b""))]
    if "d" in plan:
        outer.append(outer[-1])
    if "o" in plan:
        outer.reverse()
    if trace := parts.get("trace"):
        name = "METADATA/trace.sqlite3"
        outer.append((f"{name}.gz", gzip.compress(trace, 1, mtime=0)) if "t" in plan else (name, trace))
    if "e" in plan:
        outer.append(("EXTENSIONS/x/y", b"1"))
    if "1" not in plan:
        kind = next((letter for letter in "BXU" if letter in plan), "g")
        outer.append(("DATA.tar.gz", _compress(inner + tar.END, kind)))
    if "z" in plan:
        return _zip(outer)
    whole = b"".join(
        tar.header(name.encode(), tar.REGULAR, len(part)) + part + tar.padding(len(part)) for name, part in outer
    )
    whole += inner if "1" in plan else b""
    kind = next((letter for letter in "gbx" if letter in plan), "U")
    return _compress(whole + tar.END, kind)


def _compress(content: bytes, kind: str) -> bytes:
    match kind.lower():
        case "g":
            return gzip.compress(content, 1, mtime=0)
        case "b":
            return bz2.compress(content, 1)
        case "x":
            return lzma.compress(content, preset=0)
        case _:
            return content


def _zip(parts: list[tuple[str, bytes]]) -> bytes:
    file = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        warnings.simplefilter("ignore")  # names that come twice are meant
        for name, content in parts:
            archive.writestr(zipfile.ZipInfo(name), content)
    return file.getvalue()


def _members(lines: bytes) -> bytes:
    """Write the members of a list: on each line kind, name, link and content, with bars between."""
    found = []
    for line in lines.split(b"\n")[:_MEMBERS_LIMIT]:
        kind, name, link, content, *_ = (*line.split(b"|"), b"", b"", b"")
        if not kind:
            continue
        header = tarfile.TarInfo(name.decode("utf-8", "surrogateescape"))
        header.type, header.linkname = kind[:1], link.decode("utf-8", "surrogateescape")
        header.mode, header.mtime, header.size = 0o755, 1_700_000_000, len(content)
        found.append(header.tobuf(tarfile.GNU_FORMAT, "utf-8", "surrogateescape") + content + tar.padding(len(content)))
    return b"".join(found)


def _with_checksums(content: bytes) -> bytes:
    """Put right the checksum of every block that looks like a header."""
    found = bytearray(content)
    for start in range(0, len(found) - _BLOCK + 1, _BLOCK):
        block = found[start : start + _BLOCK]
        if block[257:262] == _MAGIC:
            found[start + 148 : start + 156] = b"%06o\0 " % (sum(block[:148]) + 8 * 32 + sum(block[156:]))
    return bytes(found)
