"""The search of a record's texts by all rules. Imported when there is a text that was not searched before."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import SecretPack
from rtrace.path_text import to_bytes, to_text
from rtrace.privacy.decisions import Decisions
from rtrace.privacy.redacting import REDACTED, redact_address, redact_arguments, redact_environment, redact_known
from rtrace.privacy.rules.spellings import find_values
from rtrace.privacy.searching.matching import find_rules, make_matcher
from rtrace.privacy.searching.scan import find_in_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.manifest.model import Environment
    from rtrace.privacy.rules.rule import Rule

_SHORT = 4 << 10
_FEW = 8
"""So many short texts are searched sooner than a matcher of all rules is made."""
_LONGEST_KNOWN = 2048
"""Bytes of a secret that is looked for elsewhere: what is longer, and no key of many lines, only looks like one."""


class Search:
    """Decides that every secret goes, and remembers their places and values."""

    def __init__(self) -> None:
        self._decisions = Decisions(())
        self._texts = 0

    def environment(self, environ: Environment) -> Environment:
        """Return variables without their secrets."""
        return redact_environment(environ, self._decisions)

    def arguments(self, program: bytes, argv: Sequence[bytes]) -> tuple[bytes, ...]:
        """Return the words of a command without their secrets."""
        return redact_arguments(program, argv, self._decisions)

    def address(self, place: str, address: str) -> str:
        """Return an address without its secrets."""
        return redact_address(place, address, self._decisions)

    def content(self, place: str, path: bytes, text: bytes) -> bytes:
        """Return a text without its secrets, searched as a file of this path would be."""
        cuts = []
        self._texts += 1
        for found in make_matcher(choose_rules(path, text, few=self._texts <= _FEW)).find(text):
            value = text[found.begin : found.end]
            self._note(place, found.rule, value)
            cuts.append((found.begin, found.end))
        return cut(text, cuts)

    def is_secret(self, place: str, name: bytes, value: bytes) -> bool:
        """Whether a name and a value together are a secret."""
        spans = find_in_variable(name, value)
        for span in spans:
            self._note(place, span.rule, value)
        return bool(spans)

    def rewrite(self, value: object) -> object:
        """Return a value of JSON without the secrets that are known by now."""
        if not self._decisions.values:
            return value
        if isinstance(value, str):
            return to_text(redact_known(to_bytes(value), self._decisions))
        if isinstance(value, list):
            return [self.rewrite(item) for item in value]
        if isinstance(value, dict):
            return {self.rewrite(key): self.rewrite(item) for key, item in value.items()}
        return value

    def list_places(self) -> list[str]:
        """Return where secrets were, and what kind of thing each was."""
        return sorted({f"{secret.place}: {secret.what}" for secret in self._decisions.settle().secrets})

    def _note(self, place: str, rule: Rule, value: bytes) -> None:
        self._decisions.decide(place, rule, rule.what, SecretPack.REDACTED)
        known = [one for one in find_values(value) if len(one) <= _LONGEST_KNOWN]
        self._decisions.learn(known, {SecretPack.REDACTED})


def choose_rules(path: bytes, text: bytes, *, few: bool) -> frozenset[Rule]:
    """Return those of the rules for a path that can match in a text: the words that they need are there.

    To make a matcher of all rules takes longer than to look for the words of each in a ``few`` texts of some kilobytes;
    for more or longer ones, all rules are returned.
    """
    if len(text) > _SHORT or not few:
        return frozenset(rule for rule in find_rules(path) if rule.pattern is not None)
    lowered = text.lower()
    return frozenset(
        rule
        for rule in find_rules(path)
        if rule.pattern is not None and (not rule.needles or any(needle in lowered for needle in rule.needles))
    )


def cut(text: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """Return a text with some parts of it, which may overlap, replaced by a word."""
    done, parts = 0, []
    for begin, end in sorted(places):
        if begin >= done:
            parts += [text[done:begin], REDACTED]
        done = max(done, end)
    return b"".join((*parts, text[done:]))
