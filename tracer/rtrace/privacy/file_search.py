"""Search one file that is about to be packed for secrets."""

from __future__ import annotations

import io
import os
from typing import TYPE_CHECKING, NamedTuple

from rtrace.files.reading import open_content, read_parts
from rtrace.privacy.rules.likeness import is_random
from rtrace.privacy.rules.rule import Rule
from rtrace.privacy.rules.spellings import KNOWN, find_values, make_known_rule
from rtrace.privacy.rules.table import RULES
from rtrace.privacy.searching.containers import find_kind
from rtrace.privacy.searching.encoding import PLAIN, Encoding, find_encoding
from rtrace.privacy.searching.matching import IN_FILES, IN_RECORDS, find_rules, make_matcher
from rtrace.privacy.searching.scan import MOST, find_in_container, find_in_content

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from rtrace.privacy.searching.findings import ContainerFindings, InFile
    from rtrace.privacy.searching.matching import Span

_FIRST = 64 << 10
_PART = 1 << 20
_MOST_VALUES = 256
_LEAST = 16


class SearchJob(NamedTuple):
    """A file to be searched: where its content is, its path, and the numbers of the rules for it alone."""

    source: bytes
    path: bytes
    special: tuple[int, ...] = ()


class Found(NamedTuple):
    """What was found in a file.

    By the number of a rule, ``lines`` has the first line (0: it has none) and how many there are, ``inside`` the first
    file that is packed in it and how many there are. ``secrets`` is their number in all, ``values`` are those to look
    for elsewhere, and ``unsearched`` says why not all of it was searched.
    """

    lines: dict[int, tuple[int, int]]
    secrets: int
    inside: dict[int, tuple[bytes, int]] = {}  # noqa: RUF012 -- nobody writes to it
    values: tuple[bytes, ...] = ()
    unsearched: str = ""


class SecretSearch:
    """The rules by which files are searched, which have numbers, and those for every file."""

    def __init__(self, known: Sequence[bytes] = (), *, anew: bool = True) -> None:
        """Begin; ``known`` are values that are secret everywhere. Without ``anew`` only these are searched for."""
        self.known = tuple(known)
        self.anew = anew
        self.rules: tuple[Rule, ...] = (*RULES, *([make_known_rule(known)] if known else ()))
        self._numbers = {rule: number for number, rule in enumerate(self.rules)}
        self._special: dict[frozenset[Rule], tuple[int, ...]] = {}
        self._chosen: dict[tuple[int, ...], frozenset[Rule]] = {}
        self._known = frozenset(self.rules[len(RULES) :])
        self._everywhere = IN_FILES | self._known if anew else self._known

    def make_job(self, source: bytes, path: bytes, rules: frozenset[Rule]) -> SearchJob:
        """Return the job for a file: its rules beyond those for every file."""
        special = self._special.get(rules)
        if special is None:
            special = tuple(sorted(self._numbers[rule] for rule in rules - self._everywhere))
            self._special[rules] = special
        return SearchJob(source, path, special)

    def find_in_text(self, text: bytes) -> list[Span]:
        """Look for everything in a text, as if it were all kinds of file at once."""
        return make_matcher(frozenset(self.rules) - IN_RECORDS).find(text)

    def look(self, job: SearchJob) -> Found | None:
        """Search a file; return None if nothing is found, or if it cannot be read, which packing it reports."""
        rules = self._chosen.get(job.special)
        if rules is None:
            rules = self._everywhere.union(self.rules[number] for number in job.special)
            self._chosen[job.special] = rules
        try:
            descriptor = open_content(job.source)
        except OSError:
            return None
        try:
            head = os.read(descriptor, _FIRST)
            if find_kind(job.path, head) is not None:
                os.lseek(descriptor, 0, os.SEEK_SET)
                with os.fdopen(os.dup(descriptor), "rb") as file:
                    contents = find_in_container(job.path, file, head, self._choose)
                if contents is not None:
                    return self._sum_up_contents(contents)
                os.lseek(descriptor, len(head), os.SEEK_SET)
            found = self._sum_up(find_in_content(rules, _read_on(descriptor, head)))
            if any(self.rules[number].pattern is None for number in job.special):
                values = (*(() if found is None else found.values), *_find_words(head))
                found = (found or Found({}, 0))._replace(values=tuple(dict.fromkeys(values)))
            return found
        except OSError:
            return None
        finally:
            os.close(descriptor)

    def look_into(self, content: bytes, path: bytes, rules: frozenset[Rule]) -> Found | None:
        """Search a content that is in memory, as `look` searches a file of this path by rules besides those for all."""
        wanted = self._everywhere | rules
        head = content[:_FIRST]
        if find_kind(path, head) is not None:
            contents = find_in_container(path, io.BytesIO(content), head, self._choose)
            if contents is not None:
                return self._sum_up_contents(contents)
        return self._sum_up(find_in_content(wanted, (content,)))

    def _choose(self, path: bytes) -> frozenset[Rule]:
        """Return the rules for a file in a container."""
        return find_rules(path) | self._known if self.anew else self._known

    def _sum_up(self, found: Iterator[InFile]) -> Found | None:
        lines: dict[Rule, set[int]] = {}
        values: dict[bytes, None] = {}
        count = 0
        for one in found:
            lines.setdefault(one.rule, set()).add(one.line)
            if one.rule.id != KNOWN and len(values) < _MOST_VALUES:
                values |= dict.fromkeys(find_values(one.value))
            count += 1
            if count > MOST:
                break
        if not lines:
            return None
        places = {self._numbers[rule]: (min(numbers), len(numbers)) for rule, numbers in lines.items()}
        return Found(places, count, values=tuple(values))

    def _sum_up_contents(self, contents: ContainerFindings) -> Found | None:
        members: dict[Rule, dict[bytes, None]] = {}
        values: dict[bytes, None] = {}
        for one in contents.found:
            members.setdefault(one.rule, {})[one.member] = None
            if one.rule.id != KNOWN and len(values) < _MOST_VALUES:
                values |= dict.fromkeys(find_values(one.value))
        if not members and contents.unsearched is None:
            return None
        inside = {self._numbers[rule]: (next(iter(names)), len(names)) for rule, names in members.items()}
        return Found({}, len(contents.found), inside, tuple(values), contents.unsearched or "")


def _find_words(head: bytes) -> Iterator[bytes]:
    """Yield what looks random in a file that is a secret as a whole, if it is a text."""
    if b"\0" not in head:
        for word in head.split()[:_MOST_VALUES]:
            if len(word) >= _LEAST and is_random(word):
                yield word


def find_places(source: bytes, rules: frozenset[Rule]) -> tuple[Encoding, list[tuple[int, int]]]:
    """Return how a file is encoded, and the places of secrets in it; no places if it cannot be read."""
    try:
        descriptor = open_content(source)
    except OSError:
        return PLAIN, []
    try:
        head = os.read(descriptor, _FIRST)
        found = find_in_content(rules, _read_on(descriptor, head))
        return find_encoding(head), sorted({(one.begin, one.end) for one in found})
    except OSError:
        return PLAIN, []
    finally:
        os.close(descriptor)


def _read_on(descriptor: int, head: bytes) -> Iterator[bytes]:
    """Yield the parts of a file whose first part was read already. Raises OSError."""
    if len(head) < _FIRST:
        yield head
        return
    yield head + os.read(descriptor, _PART - _FIRST)
    yield from read_parts(descriptor)
