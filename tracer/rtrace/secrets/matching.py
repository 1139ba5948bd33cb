"""The rules, tried where they can match: near their needles. The one door to the library that finds those."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

from ahocorasick_rs import BytesAhoCorasick

from rtrace.secrets.rules import ANYWHERE, BACK, FILE, NOTHING, RULES, TYPED, Rule

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator

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
    """The needles of some rules, in one automaton."""

    def __init__(self, rules: Iterable[Rule]) -> None:
        wanted: dict[bytes, list[Rule]] = {}
        for rule in rules:
            for needle in rule.needles:
                wanted.setdefault(needle, []).append(rule)
        self._needles = BytesAhoCorasick(list(wanted))
        self._wanted = list(wanted.values())

    def find(self, text: bytes, rules: Collection[Rule], *, is_head: bool = True) -> list[Span]:
        """Give what these rules match in a text, sorted; without ``is_head`` only those that have needles."""
        windows: dict[Rule, list[list[int]]] = {}
        for number, start, end in self._needles.find_matches_as_indexes(text.lower(), overlapping=True):
            for rule in self._wanted[number]:
                if rule in rules:
                    known = windows.setdefault(rule, [])
                    if known and start - BACK <= known[-1][1]:
                        known[-1][1] = max(known[-1][1], end + rule.reach)
                    else:
                        known.append([max(start - BACK, 0), end + rule.reach])
        if is_head:
            windows |= {rule: [[0, HEAD]] for rule in rules if rule.pattern is not None and not rule.needles}
        return sorted(
            (span for rule, places in windows.items() for place in places for span in _try(rule, text, *place)),
            key=lambda span: (span[:3], span.rule.id),
        )


def _try(rule: Rule, text: bytes, begin: int, end: int) -> Iterator[Span]:
    if rule.pattern is not None:
        for match in rule.pattern.finditer(text, begin, end):
            yield Span(match.start(), *_find_value(rule, text, match), rule)


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


MATCHER = Matcher(RULES)
IN_VARIABLES = frozenset(rule for rule in RULES if rule.where.search(b"variable"))
IN_ARGUMENTS = frozenset(rule for rule in RULES if rule.where.search(b"argument"))
_IN_FILES = frozenset(rule for rule in RULES if rule.where in (ANYWHERE, FILE, TYPED))
_IN_SOME = tuple(rule for rule in RULES if rule not in _IN_FILES | IN_VARIABLES | IN_ARGUMENTS)
_SPECIAL = re.compile(b"|".join(dict.fromkeys(rule.where.pattern for rule in _IN_SOME)))


def find_rules(path: bytes) -> frozenset[Rule]:
    """Give the rules for a file of this path."""
    label = b"file " + path
    if not _SPECIAL.search(label):
        return _IN_FILES
    return _IN_FILES.union(rule for rule in _IN_SOME if rule.where.search(label))
