"""Pickles of Python, which are never loaded: what they would do is compared step by step."""

from __future__ import annotations

import pickletools
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

_FIRST, _PROTOCOLS = 0x80, range(2, 6)
_MOST = 64 << 20
_MOST_STEPS = 5_000_000
_NO_VALUE = {"FRAME", "PROTO", "STOP"}
_INTEGERS = {"INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4"}
_TEXTS = {"UNICODE", "BINUNICODE", "BINUNICODE8", "SHORT_BINUNICODE"}

Step = tuple[str, object, int]
"""What is done, with what, and at which byte of the file."""


class Pickle:
    """Compares the steps by which an object would be made; how they are put down does not count."""

    name = "pickle"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether a content begins as a pickle of protocol 2 or later does."""
        return len(head) > 2 and head[0] == _FIRST and head[1] in _PROTOCOLS  # noqa: PLR2004

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare step by step. Raises CannotCompareError."""
        findings = Findings(self.name, rule)
        try:
            self._compare(expected, found, findings)
        except ValueError as error:
            raise CannotCompareError(f"it is no plain pickle ({error}), and pickles are never loaded") from None
        if findings.likeness in {"equal", "close"}:
            findings.ignore("protocol, or how steps are put down")
        elif findings.likeness == "different":
            findings.note = "pickles are never loaded: compared are the steps that would make the object"
        return findings.conclude()

    def _compare(self, expected: BinaryIO, found: BinaryIO, findings: Findings) -> None:
        for old, new in zip_longest(_list_steps(expected), _list_steps(found)):
            if old is None or new is None:
                place = f"byte {(old or new or ('', None, 0))[2]}"
                findings.differ(place, *("no more steps" if one is None else _show(one) for one in (old, new)))
                return
            if old[:2] == new[:2]:
                continue
            if old[0] != new[0]:
                findings.differ(f"byte {old[2]}", _show(old), _show(new))
                return  # what follows is made of something else
            if isinstance(old[1], float) and isinstance(new[1], float):
                findings.number(f"byte {old[2]}", old[1], new[1])
            else:
                findings.differ(f"byte {old[2]}", _show(old), _show(new))


def _list_steps(file: BinaryIO) -> Iterator[Step]:
    """Yield the steps of a pickle without those that put away what is never fetched, and notes by their number."""
    content = file.read(_MOST + 1)
    if len(content) > _MOST:
        raise CannotCompareError(f"it is larger than {_MOST >> 20} MiB, and pickles are never loaded")
    fetched: set[object] = set()
    for count, (opcode, argument, _) in enumerate(pickletools.genops(content)):
        if count > _MOST_STEPS:
            raise CannotCompareError("it has more steps than are compared, and pickles are never loaded")
        if "GET" in opcode.name:
            fetched.add(argument)
    notes: dict[object, int] = {}
    memoized = 0
    end = 0
    for opcode, argument, place in pickletools.genops(content):
        end = (place or 0) + 1
        name = opcode.name
        if name == "MEMOIZE" or "PUT" in name:
            key = memoized if name == "MEMOIZE" else argument
            memoized += 1
            if key in fetched:
                notes[key] = len(notes)
                yield "put away", None, place or 0
        elif "GET" in name:
            yield "fetch", notes.get(argument, -1), place or 0
        elif name in _INTEGERS:
            yield ("truth" if isinstance(argument, bool) else "integer"), argument, place or 0
        elif name in _TEXTS:
            yield "text", argument, place or 0
        elif name not in _NO_VALUE:
            yield name, argument, place or 0
    if end != len(content):
        raise CannotCompareError("something follows the pickle in it, and pickles are never loaded")


def _show(step: Step) -> str:
    name, argument, _ = step
    return shorten_text(name if argument is None else f"{name} {argument!r}")
