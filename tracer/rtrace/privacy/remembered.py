"""Texts in which nothing secret was found, remembered from one run to the next.

Loading all rules takes longer than tracing a short program, and most of what is searched at the end of a run is what
was searched at the end of the last one: the variables of a shell, the text of a script. So the digest of each text
without a secret is kept in a file of the user's, and a text whose digest is there is not searched again. The file also
has the needles of the rules, so that a text in which none of them occurs needs no rules. What is in it holds for the
very rules that were asked: it begins anew when anything of them has changed. It holds nothing of a text with a secret.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

_DIGEST = 16
_MOST_BYTES = 256 << 10
_LONGEST = 8 << 10
"""A longer text is searched by the rules: they look for all needles at once."""
_CODE = ("rules", "searching")
_FORM = 2
_HEAD = 3
_BETWEEN = "\u0100"
"""Stands between needles that begin alike: they are bytes, kept as Latin-1, which does not have it."""


class Remembered:
    """What is known to be harmless, by the kind of place where it stood. A file that is not there knows nothing."""

    def __init__(self, path: Path) -> None:
        """Read the file; one of other rules, and one that cannot be read, counts as empty."""
        self._path = path
        self._stamp = stamp_rules()
        self._needles: dict[str, dict[str, str]] = {}  # by kind, and by how they begin
        self._known = self._read()
        self._new: list[bytes] = []

    def knows(self, kind: str, text: bytes) -> bool:
        """Whether nothing secret was found in a text of this kind."""
        return bool(self._known) and self._digest(kind, text) in self._known

    def has_no_needle(self, kind: str, text: bytes) -> bool:
        """Whether no rule for texts of this kind can match, because none of the words that it needs is there."""
        needles = self._needles.get(kind)
        if not needles or len(text) > _LONGEST:
            return False
        lowered = text.lower().decode("latin-1")
        return not any(
            head in lowered and any(needle in lowered for needle in some.split(_BETWEEN))
            for head, some in needles.items()
        )

    def remember(self, kind: str, text: bytes) -> None:
        """Remember that nothing secret was found in a text of this kind."""
        self._new.append(self._digest(kind, text))

    def save(self) -> None:
        """Write down what is new; where that cannot be done, the next run searches it again."""
        if not self._new or not self._stamp:
            return
        data = b"".join(dict.fromkeys(self._new))
        try:
            if self._needles and len(self._known) + len(data) <= _MOST_BYTES:
                descriptor = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW)
                try:
                    os.write(descriptor, data)
                finally:
                    os.close(descriptor)
            else:
                self._write_anew(data)
        except OSError:  # ENOSPC, EROFS, EACCES: it is a memory of what can be found out again
            return

    def _write_anew(self, data: bytes) -> None:
        from rtrace.privacy.searching.matching import IN_ARGUMENTS, IN_FILES

        needles = {
            kind: _group({needle.decode("latin-1") for rule in rules for needle in rule.needles})
            for kind, rules in (("argument", IN_ARGUMENTS), ("file", IN_FILES))
            if all(rule.needles or rule.pattern is None for rule in rules)
        }
        head = json.dumps([self._stamp, needles]).encode() + b"\n"
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        incomplete = self._path.with_name(f"{self._path.name}.{os.getpid()}")
        descriptor = os.open(incomplete, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            os.write(descriptor, head + data)
        finally:
            os.close(descriptor)
        incomplete.replace(self._path)

    def _read(self) -> bytes:
        try:
            descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
            with open(descriptor, "rb", buffering=0) as file:
                if os.fstat(descriptor).st_uid != os.geteuid():
                    return b""
                head, _, data = file.read(4 * _MOST_BYTES).partition(b"\n")
            stamp, needles = json.loads(head)
            if not self._stamp or stamp != self._stamp:
                return b""
            if not all(isinstance(some, str) for heads in needles.values() for some in heads.values()):
                return b""
        except (OSError, ValueError, TypeError, AttributeError):  # not there, or not what was written
            return b""
        self._needles = needles
        return data

    def _digest(self, kind: str, text: bytes) -> bytes:
        from hashlib import blake2b

        return blake2b(text, digest_size=_DIGEST, person=kind.encode()[:_DIGEST]).digest()


def _group(needles: Iterable[str]) -> dict[str, str]:
    """Return needles by how they begin: where none of a few hundred beginnings occurs, none of thousands does."""
    groups: dict[str, list[str]] = {}
    for needle in sorted(needles):
        groups.setdefault(needle[:_HEAD], []).append(needle)
    return {head: _BETWEEN.join(some) for head, some in groups.items()}


def stamp_rules() -> str:
    """Return what changes whenever anything of the rules or of the search does; empty where that cannot be told."""
    folder = os.path.dirname(__file__)
    states = []
    try:
        for part in _CODE:
            with os.scandir(os.path.join(folder, part)) as entries:
                states += [
                    (entry.path, entry.stat().st_size, entry.stat().st_mtime_ns)
                    for entry in entries
                    if entry.name.endswith((".py", ".conf"))
                ]
    except OSError:  # in an archive, for instance
        return ""
    import zlib

    text = repr(sorted(states)).encode()
    return f"{_FORM}-{len(states)}-{zlib.crc32(text):08x}-{zlib.crc32(text[::-1]):08x}"
