"""The rules, tried where they can match: near their needles. The one door to the library that finds those."""

from __future__ import annotations

import re
from bisect import bisect_left
from functools import lru_cache
from operator import itemgetter
from typing import TYPE_CHECKING, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from rtrace.privacy.rules.rule import ANYWHERE, FILE, NOTHING, RECORD, TYPED, Rule
from rtrace.privacy.rules.table import RULES

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD = 1 << 20
"""How much of a text is tried with the rules that have no needles, in bytes."""
_QUOTED = 4096
_VALUES = ("value", "word")
_START = itemgetter(1)


class Span(NamedTuple):
    """Where a rule matched in a text, and from where to where the secret itself goes."""

    match: int
    begin: int
    end: int
    rule: Rule


class Matcher:
    """Some rules, with their needles in one automaton. Those for names alone match nothing here."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        wanted: dict[bytes, list[Rule]] = {}
        self._anywhere: list[Rule] = []
        self._order: dict[Rule, int] = {}
        for number, rule in enumerate(sorted(rules, key=lambda rule: (rule.loose, _ORDER.get(rule, 0), rule.id))):
            self._order[rule] = number
            for needle in rule.needles:
                wanted.setdefault(needle, []).append(rule)
            if not rule.needles and rule.pattern is not None:
                self._anywhere.append(rule)
        # The library's own choice for more than 100 needles is the automaton that is smaller, and takes twice the time.
        self._needles = BytesAhoCorasick(list(wanted), implementation=Implementation.DFA)
        self._starting = [
            [(rule, rule.pattern.match, rule.skips.get(needle, 0)) for rule in rules if rule.starts and rule.pattern]
            for needle, rules in wanted.items()
        ]
        self._around = [[rule for rule in rules if not rule.starts] for rules in wanted.values()]

    def find(self, text: bytes, *, is_head: bool = True) -> list[Span]:
        """Return what the rules match in a text, sorted; without ``is_head`` only rules with needles are tried."""
        hits = self._needles.find_matches_as_indexes(text.lower(), overlapping=True)
        anywhere = self._anywhere if is_head else ()
        if not hits and not anywhere:
            return []
        hits.sort(key=_START)
        found: list[Span] = []
        windows: dict[Rule, list[list[int]]] = {}
        done: dict[Rule, int] = {}
        starting, around = self._starting, self._around
        for number, start, end in hits:
            for rule, match_at, skip in starting[number]:
                match = match_at(text, start + skip, end + rule.reach)
                if match is not None and start >= done.get(rule, 0):
                    span = _locate(rule, text, match)
                    if span is not None:
                        done[rule] = max(span.end, start + 1)
                        found.append(span)
            for rule in around[number]:
                known = windows.setdefault(rule, [])
                if known and start - rule.back <= known[-1][1]:
                    known[-1][1] = max(known[-1][1], end + rule.reach)
                else:
                    known.append([max(start - rule.back, 0), end + rule.reach])
        windows |= {rule: [[0, HEAD]] for rule in anywhere}
        for rule, places in windows.items():
            for begin, stop in places:
                found += _search(rule, text, begin, stop)
        return self._without_repeated(found)

    def _without_repeated(self, found: list[Span]) -> list[Span]:
        """Sort what was found, without what a loose rule finds where a better one has found something."""
        if len(found) > 1 and any(span.rule.loose for span in found):
            taken = _Taken()
            found.sort(key=lambda span: (self._order[span.rule], span[:3]))
            found = [span for span in found if taken.add(span.begin, span.end) or not span.rule.loose]
        return sorted(found, key=lambda span: (span[:3], span.rule.id))


class _Taken:
    """Parts of a text that are taken, apart from each other."""

    def __init__(self) -> None:
        self._begins: list[int] = []
        self._ends: list[int] = []

    def add(self, begin: int, end: int) -> bool:
        """Take a part of the text; return False if all of it is taken already."""
        first = bisect_left(self._ends, begin + 1)
        if first < len(self._begins) and self._begins[first] <= begin and end <= self._ends[first]:
            return False
        last = first
        while last < len(self._begins) and self._begins[last] < end:
            begin, end = min(begin, self._begins[last]), max(end, self._ends[last])
            last += 1
        self._begins[first:last] = [begin]
        self._ends[first:last] = [end]
        return True


@lru_cache(maxsize=64)
def make_matcher(rules: frozenset[Rule]) -> Matcher:
    """Return the matcher of some rules; the same one each time."""
    return Matcher(rules)


def _search(rule: Rule, text: bytes, begin: int, end: int) -> Iterator[Span]:
    if rule.pattern is not None:
        for match in rule.pattern.finditer(text, begin, end):
            span = _locate(rule, text, match)
            if span is not None:
                yield span


def _locate(rule: Rule, text: bytes, match: re.Match[bytes]) -> Span | None:
    """Yield where the secret is, if the rule's ``check`` accepts it."""
    begin, end = _find_value(rule, text, match)
    if rule.check is not None and not rule.check(match, text[begin:end]):
        return None
    return Span(match.start(), begin, end, rule)


def _find_value(rule: Rule, text: bytes, match: re.Match[bytes]) -> tuple[int, int]:
    """Return where the secret is: everything between quotes, else as far as the rule's ``rest`` matches."""
    start, end = match.span(
        match.lastgroup if match.lastgroup in _VALUES else "value" if "value" in match.re.groupindex else 0
    )
    if rule.rest is NOTHING:
        return start, end
    quote = text[start - 1 : start]
    if quote and quote in b"\"'`":
        closing = text.find(quote, end, end + _QUOTED)
        if closing >= 0 and b"\n" not in text[end:closing]:
            while text[closing - 1 : closing] == b"\\" and closing > end:  # escaped, as in a notebook
                closing -= 1
            return start, closing
    rest = rule.rest.match(text, end)
    stop = end if rest is None else rest.end()
    while stop > end and text[stop - 1 : stop] in (b",", b";", b")", b"}", b"]", b">"):
        stop -= 1
    return start, stop


_ORDER = {rule: number for number, rule in enumerate(RULES)}
IN_VARIABLES = frozenset(rule for rule in RULES if rule.where.search(b"variable"))
IN_ARGUMENTS = frozenset(rule for rule in RULES if rule.where.search(b"argument"))
IN_FILES = frozenset(rule for rule in RULES if rule.where in (ANYWHERE, FILE, TYPED))
IN_RECORDS = frozenset(rule for rule in RULES if rule.where is RECORD)
_IN_SOME = tuple(rule for rule in RULES if rule not in IN_FILES | IN_VARIABLES | IN_ARGUMENTS | IN_RECORDS)
_SPECIAL = re.compile(b"|".join(dict.fromkeys(rule.where.pattern for rule in _IN_SOME)))


def find_rules(path: bytes) -> frozenset[Rule]:
    """Return the rules for a file of this path; files with equal rules share one set."""
    label = b"file " + path
    if not _SPECIAL.search(label):
        return IN_FILES
    return _join(tuple(rule for rule in _IN_SOME if rule.where.search(label)))


@lru_cache(maxsize=256)
def _join(special: tuple[Rule, ...]) -> frozenset[Rule]:
    return IN_FILES.union(special)
