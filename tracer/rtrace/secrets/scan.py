"""Looking for secrets in bytes. What is found is told by its place and its rule, never by its value."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.printable import printable
from rtrace.secrets.rules import RULES, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

LIMIT = 1 << 20
"""How much of a file is searched, in bytes."""
_HEAD = 8192  # where a NUL says that a file is no text, as grep(1) and git(1) have it


@dataclass(frozen=True, slots=True)
class Finding:
    """A secret: the id of the rule that found it, what that means, and its place, fit for a sentence."""

    rule: str
    what: str
    place: str


def scan_environment(environ: Iterable[tuple[bytes, bytes | None]], owner: str) -> Iterator[Finding]:
    """Look at variables; ``owner`` is whose they are. An item without ``=`` is told by its number: it has no name."""
    rules = _rules_for(b"variable")
    for number, (name, value) in enumerate(environ, 1):
        text = name if value is None else name + b"=" + value
        place = f"item {number} of the environment" if value is None else f"variable {printable(name)}"
        for rule in rules:
            if rule.pattern is not None and rule.pattern.search(text):
                yield Finding(rule.id, rule.what, f"{owner}: {place}")


def scan_arguments(argv: Iterable[bytes], owner: str) -> Iterator[Finding]:
    """Look at the arguments of a command, of which the command itself is number 0."""
    text = b"\0".join(argv)
    for rule in _rules_for(b"argument"):
        for number in _parts_with(rule, text, b"\0"):
            yield Finding(rule.id, rule.what, f"{owner}: argument {number}")


def scan_file(path: bytes, content: bytes) -> Iterator[Finding]:
    """Look at a file that is not empty: at its name, and at the first LIMIT bytes of it if it is text."""
    content = content[:LIMIT]
    is_text = b"\0" not in content[:_HEAD]
    name = printable(path)
    for rule in _rules_for(b"file " + path):
        if rule.pattern is None:
            yield Finding(rule.id, rule.what, name)
        elif is_text:
            for number in _parts_with(rule, content, b"\n"):
                yield Finding(rule.id, rule.what, f"{name}: line {number + 1}")


def _rules_for(label: bytes) -> tuple[Rule, ...]:
    return tuple(rule for rule in RULES if rule.where.search(label))


def _parts_with(rule: Rule, text: bytes, separator: bytes) -> Iterator[int]:
    """Give the numbers, from 0 on, of the parts of a text in which a match begins; each once."""
    number, counted, last = 0, 0, -1
    for match in rule.pattern.finditer(text) if rule.pattern is not None else ():
        number += text.count(separator, counted, match.start())
        counted = match.start()
        if number != last:
            yield number
        last = number
