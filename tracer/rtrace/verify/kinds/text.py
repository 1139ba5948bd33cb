"""Text: lines, and the numbers in them."""

from __future__ import annotations

import codecs
import re
from decimal import Decimal
from itertools import zip_longest
from typing import TYPE_CHECKING, BinaryIO

from rtrace.verify.kinds.contents import find_difference
from rtrace.verify.kinds.model import CannotCompareError, Findings, Judgement, Rule, shorten_text

if TYPE_CHECKING:
    from collections.abc import Iterator

NUMBER = re.compile(
    r"(?<![\w.:/+-])[-+]?(?:\d{1,400}(?:\.\d{0,400})?|\.\d{1,400})(?:[eE][-+]?\d{1,4})?(?![\w:/-]|\.\w)",
    re.ASCII,
)
"""A number that stands alone: no part of a word, a version, a date or a time."""
HINTS = (
    (
        "dates or times",
        re.compile(r"\d{4}-\d\d-\d\d|\d\d:\d\d(?::\d\d)?|\b(?:19|20)\d\d/\d\d?/\d\d?|\d+(?:\.\d+)? ?m?s\b"),
    ),
    ("addresses in memory", re.compile(r"0x[0-9a-fA-F]{6,16}")),
    ("identifiers that are made up", re.compile(r"\b[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}\b")),
    ("names of temporary files", re.compile(r"/tmp/[^\s'\"]+")),  # noqa: S108 -- a pattern
)
"""What often differs from run to run, for a hint: that nothing else differs is no reason to call two texts equal."""
MOST_SORTED = 64 << 20
"""Bytes of text whose lines may be put into another order to be compared."""
_MOST_DIFFERING = 10_000
LONGEST_LINE = 1 << 20
_BINARY = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")
_BOMS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def find_codec(head: bytes) -> str:
    """Return the codec of a text by its beginning: what its byte order mark says, or UTF-8."""
    return next((codec for mark, codec in _BOMS if head.startswith(mark)), "utf-8")


def find_handler(codec: str) -> str:
    """Return how what is wrong in a text is decoded: as something else for each thing that can be wrong."""
    return "surrogateescape" if codec.startswith("utf-8") else "surrogatepass"


def is_text(head: bytes) -> bool:
    """Whether a content looks like text by its beginning."""
    return find_codec(head) != "utf-8" or not _BINARY.search(head)


class Text:
    """Compares line by line."""

    name = "text"

    def recognise(self, head: bytes, name: bytes) -> bool:  # noqa: ARG002 -- the protocol's signature
        """Whether there are no control characters in it but those that texts have."""
        return is_text(head)

    def compare(self, expected: BinaryIO, found: BinaryIO, rule: Rule, names: tuple[bytes, bytes]) -> Judgement:  # noqa: ARG002
        """Compare the lines; in what rules ignore, and in how numbers are written, they may differ."""
        findings = Findings(self.name, rule)
        if rule.unordered:
            compare_unordered(expected, found, findings)
            return findings.conclude()
        differing: list[tuple[str, str]] = []
        none = (0, None)
        lines = zip_longest(read_lines(expected, findings), read_lines(found, findings), fillvalue=none)
        for (number, old), (other, new) in lines:
            if old is None or new is None:
                findings.differ(f"line {number or other}", *(_show(one, "no more lines") for one in (old, new)))
                differing.append((old or "", new or ""))
                break
            if old != new:
                before = findings.likeness
                compare_lines(f"line {number}", old, new, findings)
                if findings.likeness == "different" and (before != "different" or len(differing) < _MOST_DIFFERING):
                    differing.append((old, new))
                    if len(differing) == _MOST_DIFFERING:
                        findings.note = f"so do {_MOST_DIFFERING - 1} more lines, and the rest was not looked at"
                        break
        if findings.likeness == "different":
            findings.note = findings.note or give_hint(differing)
        elif findings.likeness == "equal" and not findings.ignored:
            findings.ignore("ends of lines, or how characters are encoded")
        return findings.conclude()


def read_lines(file: BinaryIO, findings: Findings) -> Iterator[tuple[int, str]]:
    """Yield the lines of a text and their numbers, without their ends, but for those that a rule leaves out."""
    codec = find_codec(file.read(4))
    file.seek(0)
    reader = codecs.getreader(codec)(file, find_handler(codec))
    number = 1
    while line := reader.readline(LONGEST_LINE, keepends=True):
        text = line.rstrip("\r\n")
        if not findings.leaves_out(text):
            yield number, text
        number += line != text


def compare_lines(place: str, old: str, new: str, findings: Findings) -> None:
    """Compare two lines that are not the same: all but the numbers in them has to be."""
    if old.rstrip() != old or new.rstrip() != new:
        old, new, was = old.rstrip(), new.rstrip(), findings.likeness
        if old != new:
            compare_lines(place, old, new, findings)
        if findings.likeness == was:
            findings.ignore("blanks at the end of lines")
        return
    numbers = NUMBER.findall(old), NUMBER.findall(new)
    if not numbers[0] or len(numbers[0]) != len(numbers[1]) or NUMBER.split(old) != NUMBER.split(new):
        findings.differ(place, *show_difference(old, new))
        return
    for one, other in zip(*numbers, strict=True):
        if one != other:
            compare_numbers(place, one, other, findings)


def compare_numbers(place: str, old: str, new: str, findings: Findings) -> None:
    """Compare two numbers by the digits that are written: no more of them is lost than a tolerance allows."""
    if Decimal(old) == Decimal(new):
        findings.ignore("how numbers are written")
    elif not (Decimal(old).is_finite() and Decimal(new).is_finite()):  # NaN and Infinity of JSON
        findings.differ(place, old, new)
    elif findings.rule.is_exact:
        findings.differ(place, old, new)
        distance = abs(float(old) - float(new))
        findings.amount = max(findings.amount or 0.0, distance)
    elif float(old) == float(new):
        findings.likeness = "close" if findings.likeness == "equal" else findings.likeness
    else:
        findings.number(place, float(old), float(new))


def compare_unordered(expected: BinaryIO, found: BinaryIO, findings: Findings) -> None:
    """Compare texts whose lines may be in any order."""
    texts = []
    for file in (expected, found):
        lines = [line for _, line in read_lines(file, findings)]
        if sum(map(len, lines)) > MOST_SORTED:
            raise CannotCompareError(f"the lines of a text of more than {MOST_SORTED >> 20} MiB are not put in order")
        texts.append(sorted(lines))
    findings.ignore("order of lines")
    for number, (old, new) in enumerate(zip_longest(*texts), start=1):
        if old is None or new is None:
            findings.differ(f"line {number} in order", *(_show(one, "no more lines") for one in (old, new)))
            return
        if old != new:
            compare_lines(f"line {number} in order", old, new, findings)


def show_difference(old: str, new: str, room: int = 60) -> tuple[str, str]:
    """Return two texts around the place where they begin to differ."""
    place = find_difference(old, new)
    begin = max(0, place - room // 2) if max(len(old), len(new)) > room else 0
    return tuple(f"{'…' if begin else ''}{shorten_text(one[begin:], room)}" for one in (old, new))  # type: ignore[return-value]


def give_hint(differing: list[tuple[str, str]]) -> str:
    """Return a sentence where the lines that differ do so only in what often differs, empty where they do not."""
    names = []
    pairs = differing
    for name, pattern in HINTS:
        stripped = [(pattern.sub("", old), pattern.sub("", new)) for old, new in pairs]
        if stripped != pairs and any(one != other for one, other in zip(stripped, pairs, strict=True)):
            names.append(name)
        pairs = stripped
    if pairs and all(old == new for old, new in pairs):
        return f"nothing but {' and '.join(names)} differs"
    return ""


def _show(line: str | None, nothing: str) -> str:
    return nothing if line is None else shorten_text(line)
