"""Search bytes for secrets. What is found is reported by its place and its rule, never by its value."""

from __future__ import annotations

import re
from itertools import chain
from typing import TYPE_CHECKING, BinaryIO, cast

from rtrace.printable import printable
from rtrace.privacy.rules.likeness import is_random
from rtrace.privacy.rules.rule import NOTHING, Rule
from rtrace.privacy.rules.spellings import KNOWN
from rtrace.privacy.searching.containers import find_kind, is_media
from rtrace.privacy.searching.encoding import find_encoding, narrow_parts
from rtrace.privacy.searching.findings import Finding, InArgument, InFile
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

    from rtrace.privacy.searching.findings import ContainerFindings

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


def find_in_variable(name: bytes, value: bytes | None) -> list[Span]:
    """Search a variable; an item without ``=`` is all name."""
    return make_matcher(IN_VARIABLES).find(name if value is None else name + b"=" + value)


def find_in_arguments(argv: Sequence[bytes]) -> list[InArgument]:
    """Search the arguments of a command; the command itself is number 0.

    A secret goes to the end of its argument if what gives it away begins the argument, as in ``--password=a b``; but
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
    """Search a file that is not empty: its name, and its content, one part after the other.

    ``choose`` gives the rules for a path. A rule for its name alone gives an item of length 0 at its beginning. What is
    in two parts may be found twice, the second time to its end.
    """
    rules = choose(path)
    yield from (InFile(rule, 0, 0, 0) for rule in sorted(rules, key=lambda rule: rule.id) if rule.pattern is None)
    yield from find_in_content(rules, parts)


def find_in_container(
    path: bytes, file: BinaryIO, head: bytes, choose: Choice = find_rules
) -> ContainerFindings | None:
    """Search what is packed in a file like other files; return None if it is not a container."""
    from rtrace.privacy.searching.inside import search_container

    return search_container(path, file, head, lambda inner, parts: find_in_file(inner, parts, choose), MOST)


def find_in_content(rules: frozenset[Rule], parts: Iterable[bytes]) -> Iterator[InFile]:
    """Search a content that comes in parts: all of a text, and the beginning of a binary file.

    In pictures, sound and numbers only known values are found, and these anywhere in a binary file.
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
    """Search for everything in the first ``most`` bytes, and for known values in all others."""
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
    """Search a text that comes in parts; after ``most`` bytes by other rules, or no further."""
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
    """Yield the secrets in variables of an ``owner``. An item without ``=`` is reported by its number."""
    for number, (name, value) in enumerate(environ, 1):
        place = f"item {number} of the environment" if value is None else f"variable {printable(name)}"
        for rule in dict.fromkeys(span.rule for span in find_in_variable(name, value)):
            yield Finding(rule.id, rule.what, f"{owner}: {place}")


def scan_arguments(argv: Sequence[bytes], owner: str) -> Iterator[Finding]:
    """Yield the secrets in arguments of an ``owner``."""
    for found in find_in_arguments(argv):
        yield Finding(found.rule.id, found.rule.what, f"{owner}: argument {found.number}")


def scan_file(path: bytes, parts: Iterable[bytes]) -> Iterator[Finding]:
    """Yield the secrets in a file, each line once for each rule, and in what is packed in it."""
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
