"""The rules, tried where they can match: near their needles. The one door to the library that finds those."""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, NamedTuple

from ahocorasick_rs import BytesAhoCorasick, Implementation

from rtrace.secrets.rules import ANYWHERE, BACK, FILE, NOTHING, RULES, TYPED, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

HEAD = 1 << 20
"""How much of a text is tried with the rules that have no needles, in bytes."""
_QUOTED = 4096


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
        for rule in rules:
            for needle in rule.needles:
                wanted.setdefault(needle, []).append(rule)
            if not rule.needles and rule.pattern is not None:
                self._anywhere.append(rule)
        # The library's own choice for more than 100 needles is the automaton that is smaller, and takes twice the time.
        self._needles = BytesAhoCorasick(list(wanted), implementation=Implementation.DFA)
        self._wanted = list(wanted.values())

    def find(self, text: bytes, *, is_head: bool = True) -> list[Span]:
        """Give what the rules match in a text, sorted; without ``is_head`` only those that have needles."""
        hits = self._needles.find_matches_as_indexes(text.lower(), overlapping=True)
        anywhere = self._anywhere if is_head else ()
        if not hits and not anywhere:
            return []
        found: list[Span] = []
        windows: dict[Rule, list[list[int]]] = {}
        ends: dict[Rule, int] = {}
        for number, start, end in hits:
            for rule in self._wanted[number]:
                if rule.starts:
                    if start >= ends.get(rule, 0) and (match := _match(rule, text, start, end + rule.reach)):
                        ends[rule] = match.end()
                        found.append(_locate(rule, text, match))
                    continue
                known = windows.setdefault(rule, [])
                if known and start - BACK <= known[-1][1]:
                    known[-1][1] = max(known[-1][1], end + rule.reach)
                else:
                    known.append([max(start - BACK, 0), end + rule.reach])
        windows |= {rule: [[0, HEAD]] for rule in anywhere}
        for rule, places in windows.items():
            for begin, stop in places:
                found += _search(rule, text, begin, stop)
        return sorted(found, key=lambda span: (span[:3], span.rule.id))


@lru_cache(maxsize=64)
def make_matcher(rules: frozenset[Rule]) -> Matcher:
    """Give the matcher of some rules; the same one to all that ask for it."""
    return Matcher(rules)


def _match(rule: Rule, text: bytes, begin: int, end: int) -> re.Match[bytes] | None:
    return None if rule.pattern is None else rule.pattern.match(text, begin, end)


def _search(rule: Rule, text: bytes, begin: int, end: int) -> Iterator[Span]:
    if rule.pattern is not None:
        for match in rule.pattern.finditer(text, begin, end):
            yield _locate(rule, text, match)


def _locate(rule: Rule, text: bytes, match: re.Match[bytes]) -> Span:
    return Span(match.start(), *_find_value(rule, text, match), rule)


def _find_value(rule: Rule, text: bytes, match: re.Match[bytes]) -> tuple[int, int]:
    """Tell where the secret is: in quotes all that is between them, else as far as the rule's ``rest`` goes."""
    group = "value" if "value" in match.re.groupindex else 0
    start, end = match.span(group)
    if rule.rest is NOTHING:
        return start, end
    quote = text[start - 1 : start]
    if quote and quote in b"\"'`":
        closing = text.find(quote, end, end + _QUOTED)
        if closing >= 0 and b"\n" not in text[end:closing]:
            return start, closing
    rest = rule.rest.match(text, end)
    stop = end if rest is None else rest.end()
    while stop > end and text[stop - 1 : stop] in (b",", b";", b")", b"}", b"]", b">"):
        stop -= 1
    return start, stop


IN_VARIABLES = frozenset(rule for rule in RULES if rule.where.search(b"variable"))
IN_ARGUMENTS = frozenset(rule for rule in RULES if rule.where.search(b"argument"))
IN_FILES = frozenset(rule for rule in RULES if rule.where in (ANYWHERE, FILE, TYPED))
_IN_SOME = tuple(rule for rule in RULES if rule not in IN_FILES | IN_VARIABLES | IN_ARGUMENTS)
_SPECIAL = re.compile(b"|".join(dict.fromkeys(rule.where.pattern for rule in _IN_SOME)))


def find_rules(path: bytes) -> frozenset[Rule]:
    """Give the rules for a file of this path."""
    label = b"file " + path
    if not _SPECIAL.search(label):
        return IN_FILES
    return IN_FILES.union(rule for rule in _IN_SOME if rule.where.search(label))
