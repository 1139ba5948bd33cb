"""Looking for secrets in bytes. What is found is told by its place and its rule, never by its value."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, NamedTuple, cast

from rtrace.printable import printable
from rtrace.privacy.rules.likeness import is_random
from rtrace.privacy.rules.rule import NOTHING, Rule
from rtrace.privacy.rules.spellings import KNOWN
from rtrace.privacy.searching.containers import find_kind, is_media
from rtrace.privacy.searching.encoding import find_encoding, narrow_parts
from rtrace.privacy.searching.matching import (
    IN_ARGUMENTS,
    IN_FILES,
    IN_RECORDS,
    IN_VARIABLES,
    Matcher,
    Span,
    find_rules,
    make_matcher,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence

    from rtrace.privacy.searching.inside import Contents

    Choice = Callable[[bytes], frozenset[Rule]]

_OVERLAP = 32 << 10  # of a part of a file with the next one: more than any match needs
_MOST_OF_BINARY = 64 << 20
_RECORDS = (b"SQLite format 3\0", b"\x80\x02", b"\x80\x03", b"\x80\x04", b"\x80\x05", b"}q\0", b"]q\0")
"""How databases and pickles begin, which have values behind their names."""
_IN_MEMORY = 8 << 20
MOST = 100_000
"""Secrets in a file after which no more are looked for."""
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
    """A secret in a file: the line where its match begins, from 1 on, and from where to where it goes in the file.

    The line is 0 in a binary file, and where a file is a secret as a whole. ``value`` is the secret, a byte for each of
    its characters.
    """

    rule: Rule
    line: int
    begin: int
    end: int
    value: bytes = b""


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


def find_in_file(path: bytes, parts: Iterable[bytes], choose: Choice = find_rules) -> Iterator[InFile]:
    """Look at a file that is not empty: at its name, and at what it holds, a part after the other.

    ``choose`` gives the rules for a path. A rule for its name alone gives an item of length 0 at its beginning. What is
    in two parts may be told twice, the second time to its end.
    """
    rules = choose(path)
    yield from (InFile(rule, 0, 0, 0) for rule in sorted(rules, key=lambda rule: rule.id) if rule.pattern is None)
    yield from find_in_content(rules, parts)


def find_in_container(path: bytes, file: BinaryIO, head: bytes, choose: Choice = find_rules) -> Contents | None:
    """Look at what is packed in a file, as at other files. None: it is no container."""
    from rtrace.privacy.searching.inside import search_container

    return search_container(path, file, head, lambda inner, parts: find_in_file(inner, parts, choose), MOST)


def find_in_content(rules: frozenset[Rule], parts: Iterable[bytes]) -> Iterator[InFile]:
    """Look at a content that comes in parts: at all of a text, and at the beginning of what is none.

    Of pictures, sound and numbers, known values alone are found, as they are anywhere in a binary file.
    """
    parts = iter(parts)
    head = next(parts, b"")
    encoding = find_encoding(head)
    parts = chain([head], parts)
    is_record = head.startswith(_RECORDS)
    if encoding.binary or is_record:
        if is_record and rules >= IN_FILES:
            rules |= IN_RECORDS
        yield from _find_in_binary(rules, parts, 0 if is_media(head) else _MOST_OF_BINARY)
        return
    for found in _find_in_parts(make_matcher(rules), narrow_parts(encoding, parts)):
        width = encoding.width
        yield found if width == 1 else found._replace(begin=found.begin * width, end=found.end * width)


def _find_in_binary(rules: frozenset[Rule], parts: Iterable[bytes], most: int) -> Iterator[InFile]:
    """Look for everything in the first ``most`` bytes, and for known values in all others."""
    known = frozenset(rule for rule in rules if rule.id == KNOWN)
    if not most and not known:
        return
    afterwards = make_matcher(known) if known else None
    matcher = make_matcher(rules if most else known)
    for found in _find_in_parts(matcher, parts, most, afterwards):
        if not found.rule.loose or found.rule.id == KNOWN or is_random(found.value):
            yield found._replace(line=0)


def _find_in_parts(
    matcher: Matcher, parts: Iterable[bytes], most: int = 0, afterwards: Matcher | None = None
) -> Iterator[InFile]:
    """Look at a text that comes in parts; if ``most`` bytes of it were seen, by other rules or no further."""
    text, offset, lines = b"", 0, 1
    parts = iter(parts)
    following = next(parts, b"")
    while following:
        text, following = text + following, next(parts, b"")
        counted = line = 0
        for span in matcher.find(text, is_head=not offset):
            if (span.match >= _EDGE or not offset) and (span.match < len(text) - _EDGE or not following):
                line += text.count(b"\n", counted, span.match)
                counted = span.match
                value = text[span.begin : span.end]
                yield InFile(span.rule, lines + line, offset + span.begin, offset + span.end, value)
        done = max(0, len(text) - _OVERLAP)
        lines += text.count(b"\n", 0, done)
        offset += done
        text = text[done:]
        if most and offset >= most:
            if afterwards is None:
                return
            matcher = afterwards


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
    """Tell of a file, of each line once for each rule, and of what is packed in it."""
    name = printable(path)
    parts = iter(parts)
    head = next(parts, b"")
    parts = chain([head], parts)
    if find_kind(path, head) is None:
        yield from _tell(name, find_in_file(path, parts))
        return
    from tempfile import SpooledTemporaryFile

    with SpooledTemporaryFile(max_size=_IN_MEMORY) as copy:
        file = cast("BinaryIO", copy)
        file.writelines(parts)
        file.seek(0)
        contents = find_in_container(path, file, head)
        if contents is None:
            file.seek(0)
            yield from _tell(name, find_in_file(path, iter(lambda: file.read(_OVERLAP), b"")))
            return
    named = (rule for rule in find_rules(path) if rule.pattern is None)
    yield from _tell(name, (InFile(rule, 0, 0, 0) for rule in sorted(named, key=lambda rule: rule.id)))
    for rule, member in dict.fromkeys((found.rule, found.member) for found in contents.found):
        yield Finding(rule.id, rule.what, f"{name}: in {printable(member)}")


def _tell(name: str, found: Iterable[InFile]) -> Iterator[Finding]:
    for rule, line in dict.fromkeys((one.rule, one.line) for one in found):
        yield Finding(rule.id, rule.what, f"{name}: line {line}" if line else name)
