"""Files that git keeps elsewhere: a commit has a pointer in the place of each, with the digest of the file.

That is Git LFS. Its filter, which would make the pointer of what lies in the working tree, is not started; but what it
would write is known: see its specification.
"""

from __future__ import annotations

import os
import re

from rtrace.files.reading import hash_file

FILTER = b"lfs"
LARGEST_FILE = 1 << 30
"""Bytes of a file that is digested."""
_FORM = b"version https://git-lfs.github.com/spec/v1\noid sha256:%b\nsize %d\n"
_POINTER = re.compile(rb"version https://git-lfs\.github\.com/spec/v1\noid sha256:[0-9a-f]{64}\nsize [0-9]+\n")
_ANSWER = re.compile(rb"[0-9a-f]{40,64} blob ([0-9]+)\n")


def is_pointer(content: bytes) -> bool:
    """Whether a content of a commit stands for a file elsewhere; not one that other programs have changed."""
    return _POINTER.fullmatch(content) is not None


def make_pointer(path: bytes) -> bytes | None:
    """Return the pointer to a file; None where it cannot be read, or would take long."""
    try:
        size = os.lstat(path).st_size
    except OSError:  # ENOENT: it was removed meanwhile
        return None
    digest = hash_file(path) if size <= LARGEST_FILE else None
    return None if digest is None else _FORM % (digest.hex().encode("ascii"), size)


def read_answers(answer: bytes) -> list[bytes]:
    """Return the contents that `git cat-file --batch` tells, in order; what is missing or too long is empty."""
    contents = []
    place = 0
    while place < len(answer):
        match = _ANSWER.match(answer, place)
        if match is None:  # `NAME missing`
            end = answer.find(b"\n", place)
            contents.append(b"")
            place = end + 1 if end >= 0 else len(answer)
            continue
        size = int(match[1])
        contents.append(answer[match.end() : match.end() + size])
        place = match.end() + size + 1
    return contents
