"""What kind of content a file has, as a media type: by its first bytes, else by the ending of its name."""

from __future__ import annotations

import codecs
import os

HEAD = 512
"""Bytes of a file's beginning that are enough."""

_MAGIC = (
    (0, b"\x89PNG\r\n\x1a\n", "image/png"), (0, b"\xff\xd8\xff", "image/jpeg"), (0, b"GIF8", "image/gif"),
    (0, b"II*\0", "image/tiff"), (0, b"MM\0*", "image/tiff"), (0, b"BM", "image/bmp"), (8, b"WEBP", "image/webp"),
    (0, b"%PDF-", "application/pdf"), (0, b"%!PS", "application/postscript"),
    (0, b"\x89HDF\r\n\x1a\n", "application/x-hdf5"), (0, b"CDF\x01", "application/netcdf"),
    (0, b"CDF\x02", "application/netcdf"), (0, b"CDF\x05", "application/netcdf"),
    (0, b"\x93NUMPY", "application/x-npy"),
    (0, b"SIMPLE  =", "application/fits"), (0, b"PAR1", "application/vnd.apache.parquet"),
    (0, b"ARROW1", "application/vnd.apache.arrow.file"), (0, b"SQLite format 3\0", "application/vnd.sqlite3"),
    (0, b"MATLAB 5.0 MAT", "application/x-matlab-data"), (0, b"RDX", "application/x-r-data"),
    (0, b"\x1f\x8b", "application/gzip"), (0, b"BZh", "application/x-bzip2"), (0, b"\xfd7zXZ\0", "application/x-xz"),
    (0, b"\x28\xb5\x2f\xfd", "application/zstd"), (0, b"7z\xbc\xaf\x27\x1c", "application/x-7z-compressed"),
    (257, b"ustar", "application/x-tar"), (0, b"\x7fELF", "application/x-elf"),
    (0, b"!<arch>\n", "application/x-archive"),
    (0, b"\xca\xfe\xba\xbe", "application/java-vm"), (0, b"\0asm", "application/wasm"), (0, b"RIFF", "audio/x-wav"),
    (0, b"OggS", "audio/ogg"), (0, b"fLaC", "audio/flac"), (0, b"ID3", "audio/mpeg"), (4, b"ftyp", "video/mp4"),
    (0, b"\x1aE\xdf\xa3", "video/x-matroska"), (0, b"wOF2", "font/woff2"), (0, b"OTTO", "font/otf"),
    (0, b"\0\x01\0\0", "font/ttf"), (128, b"DICM", "application/dicom"), (0, b"GRIB", "application/x-grib"),
    (344, b"n+1\0", "application/x-nifti"), (0, b"BAM\x01", "application/x-bam"),
    (0, b"\x80\x02", "application/x-pickle"),
    (0, b"\x80\x03", "application/x-pickle"), (0, b"\x80\x04", "application/x-pickle"),
    (0, b"\x80\x05", "application/x-pickle"),
)  # fmt: skip
_BEGINNINGS = tuple(magic for offset, magic, _kind in _MAGIC if not offset)
_INSIDE = tuple((offset, magic) for offset, magic, _kind in _MAGIC if offset)
_ZIPS = {
    ".npz": "application/x-npz", ".xlsx": "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ".docx": "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
    ".pptx": "application/vnd.openxmlformats-officedocument.presentationml.presentation",
    ".ods": "application/vnd.oasis.opendocument.spreadsheet", ".odt": "application/vnd.oasis.opendocument.text",
    ".jar": "application/java-archive", ".whl": "application/x-wheel+zip", ".epub": "application/epub+zip",
    ".pt": "application/x-pytorch", ".pth": "application/x-pytorch", ".keras": "application/x-keras",
    ".mlx": "application/x-matlab-live-script",
}  # fmt: skip
_TEXTS = {
    ".csv": "text/csv", ".tsv": "text/tab-separated-values", ".tab": "text/tab-separated-values", ".txt": "text/plain",
    ".dat": "text/plain", ".log": "text/plain", ".md": "text/markdown", ".rst": "text/x-rst", ".html": "text/html",
    ".htm": "text/html", ".xml": "application/xml", ".svg": "image/svg+xml", ".json": "application/json",
    ".jsonl": "application/jsonl", ".ndjson": "application/jsonl", ".geojson": "application/geo+json",
    ".ipynb": "application/x-ipynb+json", ".yaml": "application/yaml", ".yml": "application/yaml",
    ".toml": "application/toml", ".ini": "text/x-ini", ".cfg": "text/x-ini", ".conf": "text/plain",
    ".py": "text/x-python", ".pyi": "text/x-python", ".r": "text/x-r", ".rmd": "text/x-r-markdown",
    ".qmd": "text/x-quarto", ".jl": "text/x-julia", ".m": "text/x-matlab", ".sh": "application/x-sh",
    ".bash": "application/x-sh", ".pl": "text/x-perl", ".pm": "text/x-perl", ".rb": "text/x-ruby", ".lua": "text/x-lua",
    ".js": "text/javascript", ".mjs": "text/javascript", ".ts": "text/x-typescript", ".css": "text/css",
    ".c": "text/x-c", ".h": "text/x-c", ".cc": "text/x-c++", ".cpp": "text/x-c++", ".cxx": "text/x-c++",
    ".hpp": "text/x-c++", ".f": "text/x-fortran", ".f90": "text/x-fortran", ".f95": "text/x-fortran",
    ".f03": "text/x-fortran", ".for": "text/x-fortran", ".rs": "text/x-rust", ".go": "text/x-go",
    ".java": "text/x-java", ".sql": "application/sql", ".tex": "text/x-tex", ".sty": "text/x-tex",
    ".bib": "text/x-bibtex", ".diff": "text/x-diff", ".patch": "text/x-diff", ".fasta": "text/x-fasta",
    ".fa": "text/x-fasta", ".fastq": "text/x-fastq", ".vcf": "text/x-vcf", ".bed": "text/x-bed", ".gff": "text/x-gff3",
    ".gff3": "text/x-gff3", ".pdb": "chemical/x-pdb", ".cif": "chemical/x-cif", ".xyz": "chemical/x-xyz",
    ".obj": "model/obj", ".stl": "model/stl", ".gv": "text/vnd.graphviz", ".dot": "text/vnd.graphviz",
    ".ps": "application/postscript", ".eps": "application/postscript",
}  # fmt: skip
_OTHERS = {
    ".pyc": "application/x-python-code", ".so": "application/x-sharedlib", ".zip": "application/zip",
    ".tar": "application/x-tar", ".gz": "application/gzip", ".mat": "application/x-matlab-data",
    ".rds": "application/x-r-data", ".rda": "application/x-r-data", ".rdata": "application/x-r-data",
    ".h5": "application/x-hdf5", ".nc": "application/netcdf", ".npy": "application/x-npy",
    ".pkl": "application/x-pickle", ".pickle": "application/x-pickle", ".feather": "application/vnd.apache.arrow.file",
    ".parquet": "application/vnd.apache.parquet", ".sav": "application/x-spss-sav", ".dta": "application/x-stata-dta",
    ".sas7bdat": "application/x-sas-data", ".xls": "application/vnd.ms-excel", ".bin": "application/octet-stream",
    ".raw": "application/octet-stream", ".avi": "video/x-msvideo", ".mp3": "audio/mpeg", ".ico": "image/x-icon",
}  # fmt: skip


_SHORT = 2
"""Bytes of a magic that a text may begin with by chance."""


def media_type(path: bytes, head: bytes) -> str | None:
    """Return the media type of a file, of which ``head`` holds the first `HEAD` bytes; None where nothing tells it."""
    ending = os.path.splitext(path.lower())[1].decode("ascii", "replace")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _ZIPS.get(ending, "application/zip")
    has_magic = head.startswith(_BEGINNINGS) or any(head.startswith(magic, offset) for offset, magic in _INSIDE)
    for offset, magic, kind in _MAGIC if has_magic else ():
        if head.startswith(magic, offset) and (len(magic) > _SHORT or not _is_text(head)):
            return _refine(kind, ending, head)
    if _is_text(head):
        if ending in _TEXTS:
            return _TEXTS[ending]
        return _guess_text(head) if head else _OTHERS.get(ending)
    return _OTHERS.get(ending)


def _refine(kind: str, ending: str, head: bytes) -> str:
    if kind == "audio/x-wav" and head[8:12] == b"WEBP":
        return "image/webp"
    if kind == "audio/x-wav" and head[8:12] == b"AVI ":
        return "video/x-msvideo"
    if kind == "application/x-hdf5" and ending in (".nc", ".nc4"):
        return "application/netcdf"
    if kind == "application/postscript" and b"EPSF" in head[:40]:
        return "image/x-eps"
    return kind


def _is_text(head: bytes) -> bool:
    """Whether this is the beginning of a text in UTF-8, whose last character may be cut."""
    if b"\0" in head:
        return False
    if head.isascii():
        return True
    try:
        codecs.getincrementaldecoder("utf-8")().decode(head)
    except UnicodeDecodeError:
        return False
    return True


def _guess_text(head: bytes) -> str:
    start = head.lstrip()
    if start.startswith(b"#!"):
        line = start.partition(b"\n")[0]
        for name, kind in ((b"python", ".py"), (b"Rscript", ".r"), (b"perl", ".pl"), (b"sh", ".sh"), (b"julia", ".jl")):
            if name in line:
                return _TEXTS[kind]
    if start.startswith(b"<?xml"):
        return "image/svg+xml" if b"<svg" in head else "application/xml"
    if start.startswith(b"<svg"):
        return "image/svg+xml"
    if start[:14].lower().startswith((b"<!doctype html", b"<html")):
        return "text/html"
    return "text/plain"
