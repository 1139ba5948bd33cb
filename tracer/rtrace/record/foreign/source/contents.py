"""Files that another tool knows by SHA-1: the SHA-256 of what is still as it was."""

from __future__ import annotations

import hashlib
import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.record.foreign.source.files import read_parts
from rtrace.record.foreign.source.problem import Unreadable

if TYPE_CHECKING:
    from rtrace.record.document import FileFact

LARGEST_FILE = 4 << 30
SHA1 = re.compile(r"[0-9a-f]{40}")
_NOT_DIGESTED = "0" * 40


class _Digests(NamedTuple):
    """Digests of a file; ``blob`` is the SHA-1 that git has of it, which some of noWorkflow's stores use."""

    sha1: str
    sha256: str
    md5: str
    blob: str
    size: int


class Contents:
    """Digests files once, and not more than a number of bytes in all."""

    def __init__(self, tool: str, left: int = 16 << 30) -> None:
        self._tool = tool
        self._left = left
        self._known: dict[str, _Digests | str] = {}

    def describe(
        self,
        path: str,
        sha1: object,
        *,
        size: int | None = None,
        media_type: str | None = None,
        modified: str | None = None,
        copy: str | None = None,
        written: bool = False,
    ) -> FileFact:
        """Return a file as the tool knew it, with its SHA-256 where the file, or a copy, still has its SHA-1.

        ``written`` is whether it is an output, of which a record also has the MD5.
        """  # fmt: skip
        fact: FileFact = {
            "path": path, "size": size, "sha256": None, "md5": None, "stamped": [],
            "media_type": media_type, "modified": modified, "problem": None,
        }  # fmt: skip
        if not isinstance(sha1, str) or not SHA1.fullmatch(sha1) or sha1 == _NOT_DIGESTED:
            fact["problem"] = f"{self._tool} noted no digest of it"
            return fact
        place = copy or path
        if size is not None and os.path.isfile(place) and os.path.getsize(place) != size:
            fact["problem"] = f"{self._tool} noted its SHA-1 alone, {sha1}; it has changed since"
            return fact
        found = self._digest(place)
        if isinstance(found, str):
            fact["problem"] = f"{self._tool} noted its SHA-1 alone, {sha1}; {found}"
        elif sha1 not in {found.sha1, found.blob}:
            fact["problem"] = f"{self._tool} noted its SHA-1 alone, {sha1}; it has changed since"
        else:
            fact["sha256"], fact["size"] = found.sha256, found.size
            fact["md5"] = found.md5 if written else None
        return fact

    def _digest(self, path: str) -> _Digests | str:
        """Return the digests of a file, or why there are none."""
        known = self._known.get(path)
        if known is None:
            known = self._known[path] = self._read(path)
        return known

    def _read(self, path: str) -> _Digests | str:
        if not os.path.isabs(path):
            return "its place is not known"
        digests = [hashlib.new(name, usedforsecurity=False) for name in ("sha1", "sha256", "md5", "sha1")]
        size = 0
        try:
            digests[-1].update(b"blob %d\0" % os.stat(path).st_size)
            for part in read_parts(path, min(self._left, LARGEST_FILE)):
                size += len(part)
                for digest in digests:
                    digest.update(part)
        except Unreadable as problem:
            return str(problem)
        except OSError:
            return "it cannot be read" if os.path.lexists(path) else "it is not there any more"
        self._left -= size
        sha1, sha256, md5, blob = (digest.hexdigest() for digest in digests)
        return _Digests(sha1, sha256, md5, blob, size)
