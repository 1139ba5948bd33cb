"""What one file that is about to be packed holds of secrets."""

from __future__ import annotations

import os
import re
from typing import TYPE_CHECKING, NamedTuple

from rtrace.content import open_content, read_parts
from rtrace.secrets.matching import IN_FILES, make_matcher
from rtrace.secrets.rules import ANYWHERE, NOTHING, RULES, Rule
from rtrace.secrets.scan import HEAD, InFile, find_in_text

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtrace.secrets.matching import Span

MOST = 100_000
"""Secrets in a file after which no more are looked for."""
_FIRST = 64 << 10
_PART = 1 << 20


class Job(NamedTuple):
    """A file to be searched: where its content is, and the numbers of the rules for it beyond those for every file."""

    source: bytes
    special: tuple[int, ...] = ()


class Found(NamedTuple):
    """What was found in a file: by the number of a rule, the first line and how many lines; how many secrets in all."""

    lines: dict[int, tuple[int, int]]
    secrets: int


class Search:
    """The rules by which files are searched, which have numbers, and those for every file."""

    def __init__(self, known: Sequence[bytes] = ()) -> None:
        """Begin; ``known`` are values that are secret wherever they stand."""
        self.known = tuple(known)
        self.rules: tuple[Rule, ...] = (*RULES, *map(_know, known))
        self._numbers = {rule: number for number, rule in enumerate(self.rules)}
        self._everywhere = IN_FILES.union(self.rules[len(RULES) :])

    def make_job(self, source: bytes, rules: frozenset[Rule]) -> Job:
        """Say what is to be looked for in a file, besides what is in every file."""
        if rules is IN_FILES:
            return Job(source)
        special = (rule for rule in rules - IN_FILES if rule.pattern is not None)
        return Job(source, tuple(sorted(self._numbers[rule] for rule in special)))

    def find_in_text(self, text: bytes) -> list[Span]:
        """Look for everything in a text, as if it were all kinds of file at once."""
        return make_matcher(frozenset(self.rules)).find(text)

    def look(self, job: Job) -> Found | None:
        """Search a file; None where nothing is found, and for one that cannot be read: whoever packs it says so."""
        rules = self._everywhere
        if job.special:
            rules |= {self.rules[number] for number in job.special}
        lines: dict[Rule, set[int]] = {}
        count = 0
        for found in find_in_file(job.source, rules):
            lines.setdefault(found.rule, set()).add(found.line)
            count += 1
            if count > MOST:
                break
        if not lines:
            return None
        return Found({self._numbers[rule]: (min(numbers), len(numbers)) for rule, numbers in lines.items()}, count)


def _know(value: bytes) -> Rule:
    """Make the rule that finds a known value."""
    pattern = re.compile(re.escape(value))
    return Rule("known-secret", "a secret that is elsewhere as well", ANYWHERE, pattern, (value.lower(),), NOTHING, 0)


def find_in_file(source: bytes, rules: frozenset[Rule]) -> Iterator[InFile]:
    """Look for what some rules find in a file; there is nothing in one that cannot be read."""
    try:
        descriptor = open_content(source)
        try:
            yield from find_in_text(make_matcher(rules), _read_text(descriptor))
        finally:
            os.close(descriptor)
    except OSError:
        return


def _read_text(descriptor: int) -> Iterator[bytes]:
    """Read a file in parts, a small or binary one with one call. Raises OSError."""
    head = os.read(descriptor, _FIRST)
    if len(head) < _FIRST or b"\0" in head[:HEAD]:
        yield head
        return
    yield head + os.read(descriptor, _PART - _FIRST)
    yield from read_parts(descriptor)
