"""Bundles that no unpacker may take: each is refused, and leaves nothing."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path

from rtrace.bundle.entry import Entry, FileType
from rtrace_unpackers.conformance.bundles import TIME, USER, BundleMaker

CONTENT = b"".join(hashlib.sha256(b"%d" % number).digest() for number in range(256))
"""What cannot be compressed, so that it is found again by its bytes."""


def make_entry(path: bytes, kind: FileType = FileType.DIRECTORY, **changes: object) -> Entry:
    """Return an entry without content."""
    return Entry(path, kind, 0o755, USER, USER, TIME)._replace(**changes)  # type: ignore[arg-type]


def make_link(path: bytes, target: bytes) -> Entry:
    """Return a symlink."""
    return make_entry(path, FileType.SYMLINK, target=target)


def list_kinds(outside: Path) -> dict[str, tuple[Entry, ...]]:
    """Return entries that are to be refused, by what they are; ``outside`` is a folder of this machine."""
    away = bytes(outside)
    return {
        "a path that climbs out": (make_entry(b"/work/../../../../../.." + away + b"/made"),),
        "a path that is not absolute": (make_entry(b"work/made"),),
        "a path with a dot": (make_entry(b"/work/./made"),),
        "a path with two slashes": (make_entry(b"//work/made"),),
        "a path with a NUL": (make_entry(b"/work/a\0b"),),
        "a path twice": (make_entry(b"/work/twice"), make_entry(b"/work/twice", FileType.FIFO)),
        "a file below a symlink": (make_link(b"/work/away", away), make_entry(b"/work/away/made")),
        "a file below a symlink that climbs": (make_link(b"/work/up", b"../.." + away), make_entry(b"/work/up/made")),
        "a file below a named pipe": (make_entry(b"/work/pipe", FileType.FIFO), make_entry(b"/work/pipe/made")),
        "a file in the place of /proc": (make_entry(b"/proc", FileType.FIFO),),
        "a symlink in the place of /dev": (make_link(b"/dev", away),),
        "a symlink to nothing": (make_link(b"/work/nothing", b""),),
        "a name that is too long": (make_entry(b"/work/" + b"n" * 300),),
        "permissions that are none": (make_entry(b"/work/made", mode=0o20755),),
        "an owner below zero": (make_entry(b"/work/made", uid=-2),),
    }


def make_hostile(folder: Path, outside: Path) -> Iterator[tuple[str, Path]]:
    """Yield hostile and damaged bundles, with what they are."""
    for number, (what, entries) in enumerate(list_kinds(outside).items()):
        maker = make_plain(folder / str(number))
        for entry in entries:
            maker.add(entry)
        yield what, maker.write("hostile.rpz")
    changes: dict[str, Callable[[bytes], bytes]] = {
        "a content that was changed": lambda content: content.replace(CONTENT[:20], CONTENT[20:40]),
        "a bundle that is cut off": lambda content: content[:-2000],
        "a bundle with something behind it": lambda content: content + b"x",
        "no bundle": lambda _content: b"hello\n" * 1000,
        "a bundle of a newer format": lambda content: content.replace(b"BUNDLE 1\n", b"BUNDLE 2\n"),
    }
    for what, change in changes.items():
        plain = make_plain(folder / what.replace(" ", "-")).write("damaged.rpz")
        content = plain.read_bytes()
        plain.write_bytes(change(content))
        if plain.read_bytes() == content:
            raise AssertionError(what)
        yield what, plain


def make_plain(folder: Path) -> BundleMaker:
    """Return the files of a bundle that would be taken."""
    folder.mkdir(parents=True)
    maker = BundleMaker(folder)
    maker.directory(b"/work")
    maker.file(b"/work/file", CONTENT)
    return maker
