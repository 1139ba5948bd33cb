"""The open form of a bundle: its parts one after the other, uncompressed and without digests, to be mutated.

    === NAME
    content

Sealing makes a bundle of it again, digests and tables included, so that a mutation gets behind them.
"""

import re

_MARK = re.compile(rb"(?:\A|\n)=== ([a-z]{1,10})\n")


def split(content: bytes) -> dict[str, bytes]:
    """Return the sections by their names; of two with one name the last. What stands before the first is left out."""
    marks = list(_MARK.finditer(content))
    ends = [*(mark.start() for mark in marks[1:]), len(content)]
    return {
        mark[1].decode("ascii"): content[mark.end() : max(mark.end(), end)]
        for mark, end in zip(marks, ends, strict=bool(marks))
    }


def join(parts: dict[str, bytes]) -> bytes:
    """Write sections."""
    return b"\n".join(b"=== %b\n%b" % (name.encode("ascii"), content) for name, content in parts.items())
