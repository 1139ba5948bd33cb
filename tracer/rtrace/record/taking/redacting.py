"""Secrets taken out of a record before it is written, by the rules that bundles are searched by.

What is found in one place is looked for in all others: a token of the environment that a program prints is taken out of
its output, too. The record says in `redacted` where something was, and what kind of thing; never the value.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, cast

from rtrace.manifest.model import SecretPack
from rtrace.privacy.decisions import Decisions
from rtrace.privacy.redacting import (
    REDACTED,
    redact_address,
    redact_arguments,
    redact_environment,
    redact_known,
)
from rtrace.privacy.rules.spellings import find_values
from rtrace.privacy.searching.matching import find_rules
from rtrace.privacy.searching.scan import find_in_content, find_in_variable

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.manifest.model import Environment
    from rtrace.record.document import Record


class RecordRedactor:
    """Takes secrets out of the parts of one record, and knows them from then on."""

    def __init__(self) -> None:
        self._decisions = Decisions(())

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
        for found in find_in_content(find_rules(path), [text]):
            self._decisions.decide(place, found.rule, found.rule.what, SecretPack.REDACTED)
            self._decisions.learn(list(find_values(text[found.begin : found.end])), {SecretPack.REDACTED})
            cuts.append((found.begin, found.end))
        return _cut(text, cuts)

    def value(self, place: str, name: str, value: str) -> str:
        """Return the value of a parameter; a word in its place where its name and it look like a secret."""
        last = name.rpartition(".")[2]
        spans = find_in_variable(os.fsencode(last), os.fsencode(value))
        for span in spans:
            self._decisions.decide(place, span.rule, span.rule.what, SecretPack.REDACTED)
            self._decisions.learn(list(find_values(os.fsencode(value))), {SecretPack.REDACTED})
        return REDACTED.decode() if spans else value

    def finish(self, record: Record) -> Record:
        """Return a record without any secret that was found in a part of it, and with the list of their places."""
        redaction = self._decisions.settle()
        if redaction.values:
            record = cast("Record", self._rewrite(record))
        record["redacted"] = sorted({f"{secret.place}: {secret.what}" for secret in redaction.secrets})
        return record

    def _rewrite(self, value: object) -> object:
        if isinstance(value, str):
            return os.fsdecode(redact_known(os.fsencode(value), self._decisions))
        if isinstance(value, list):
            return [self._rewrite(item) for item in value]
        if isinstance(value, dict):
            return {self._rewrite(key): self._rewrite(item) for key, item in value.items()}
        return value


def _cut(text: bytes, places: Sequence[tuple[int, int]]) -> bytes:
    """Return a text with some parts of it, which may overlap, replaced by a word."""
    done, parts = 0, []
    for begin, end in sorted(places):
        if begin >= done:
            parts += [text[done:begin], REDACTED]
        done = max(done, end)
    return b"".join((*parts, text[done:]))
