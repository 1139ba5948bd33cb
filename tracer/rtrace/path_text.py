"""Names of files between the text of a document, which is UTF-8 on every machine, and the bytes that they are."""

from __future__ import annotations


def to_bytes(text: str) -> bytes:
    """Return a path of a document as bytes; a surrogate that stands for no byte is kept as UTF-8 would have it."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")


def to_text(path: bytes) -> str:
    """Return a path as a document has it."""
    return path.decode("utf-8", "surrogateescape")
