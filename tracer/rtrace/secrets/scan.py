"""Looking for secrets in bytes. What is found is told by its place and its rule, never by its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, NamedTuple

from rtrace.printable import printable
from rtrace.secrets.matching import IN_ARGUMENTS, IN_VARIABLES, Matcher, Span, find_rules, make_matcher
from rtrace.secrets.rules import NOTHING, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

HEAD = 8192
"""Where a NUL says that a file is no text, as grep(1) and git(1) have it."""
_OVERLAP = 32 << 10  # of a part of a file with the next one: more than any match needs
_EDGE = 1 << 10  # near the end of a part, a match may be another one with the next part behind it
_SCRIPT = re.compile(rb"-[A-Za-z]*[ce]|--?eval|--?command")


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret: the id of the rule that found it, what that means, and its place, fit for a sentence."""

    rule: str
    what: str
    place: str


class InArgument(NamedTuple):
    """A secret in arguments: the number of the one that tells of it, and from where to where it goes in which one."""

    rule: Rule
    number: int
    holder: int
    begin: int
    end: int


class InFile(NamedTuple):
    """A secret in a file: the line where its match begins, from 1 on, and from where to where it goes in the file."""

    rule: Rule
    line: int
    begin: int
    end: int


def find_in_variable(name: bytes, value: bytes | None) -> list[Span]:
    """Look at a variable; an item without ``=`` is all name."""
    return make_matcher(IN_VARIABLES).find(name if value is None else name + b"=" + value)


def find_in_arguments(argv: Sequence[bytes]) -> list[InArgument]:
    """Look at the arguments of a command, of which the command itself is number 0.

    A secret goes to the end of its argument when what tells of it begins the argument, as in ``--password=a b``; but
    not where the argument is a script, as after ``sh -c``.
    """
    text = b"\0".join(argv)
    found = []
    for span in make_matcher(IN_ARGUMENTS).find(text):
        number, holder = text.count(b"\0", 0, span.match), text.count(b"\0", 0, span.begin)
        start = text.rfind(b"\0", 0, span.begin) + 1
        is_script = holder and _SCRIPT.fullmatch(argv[holder - 1])
        begins = span.match == text.rfind(b"\0", 0, span.match) + 1
        whole = begins and not is_script and span.rule.rest is not NOTHING
        end = len(argv[holder]) if whole else span.end - start
        found.append(InArgument(span.rule, number, holder, span.begin - start, end))
    return found


def find_in_file(path: bytes, parts: Iterable[bytes]) -> Iterator[InFile]:
    """Look at a file that is not empty: at its name, and at all of it if it is text, a part after the other.

    A rule for its name alone gives an item of length 0 at its beginning. What is in two parts may be told twice, the
    second time to its end.
    """
    rules = find_rules(path)
    yield from (InFile(rule, 0, 0, 0) for rule in sorted(rules, key=lambda rule: rule.id) if rule.pattern is None)
    yield from find_in_text(make_matcher(rules), parts)


def find_in_text(matcher: Matcher, parts: Iterable[bytes]) -> Iterator[InFile]:
    """Look at a text that comes in parts; at nothing if a NUL at the beginning says that it is none."""
    text, offset, lines = b"", 0, 1
    parts = iter(parts)
    following = next(parts, b"")
    if b"\0" in following[:HEAD]:
        return
    while following:
        text, following = text + following, next(parts, b"")
        counted = line = 0
        for span in matcher.find(text, is_head=not offset):
            if (span.match >= _EDGE or not offset) and (span.match < len(text) - _EDGE or not following):
                line += text.count(b"\n", counted, span.match)
                counted = span.match
                yield InFile(span.rule, lines + line, offset + span.begin, offset + span.end)
        done = max(0, len(text) - _OVERLAP)
        lines += text.count(b"\n", 0, done)
        offset += done
        text = text[done:]


def scan_environment(environ: Iterable[tuple[bytes, bytes | None]], owner: str) -> Iterator[Finding]:
    """Tell of variables; ``owner`` is whose they are. An item without ``=`` is told by its number: it has no name."""
    for number, (name, value) in enumerate(environ, 1):
        place = f"item {number} of the environment" if value is None else f"variable {printable(name)}"
        for rule in dict.fromkeys(span.rule for span in find_in_variable(name, value)):
            yield Finding(rule.id, rule.what, f"{owner}: {place}")


def scan_arguments(argv: Sequence[bytes], owner: str) -> Iterator[Finding]:
    """Tell of arguments."""
    for found in find_in_arguments(argv):
        yield Finding(found.rule.id, found.rule.what, f"{owner}: argument {found.number}")


def scan_file(path: bytes, parts: Iterable[bytes]) -> Iterator[Finding]:
    """Tell of a file, of each line once for each rule."""
    name = printable(path)
    told = dict.fromkeys((found.rule, found.line) for found in find_in_file(path, parts))
    for rule, line in told:
        yield Finding(rule.id, rule.what, f"{name}: line {line}" if line else name)
