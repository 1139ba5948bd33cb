"""Secrets of a trace and what becomes of them, as a value; and what looks that up when a bundle is written."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from rtrace.manifest.model import Secret, SecretPack
from rtrace.privacy.rules.spellings import make_known_rule
from rtrace.privacy.searching.matching import Matcher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rtrace.privacy.rules.rule import Rule
    from rtrace.privacy.searching.matching import Span


@dataclass(frozen=True, slots=True)
class Redaction:
    """What is secret in a trace, and what becomes of it.

    ``secrets`` are sorted by place. ``values`` are secret wherever they occur, sorted, and never shown. ``in_trace`` is
    whether arguments or environments in the trace database hold secrets.
    """

    secrets: tuple[Secret, ...] = ()
    values: tuple[bytes, ...] = field(default=(), repr=False)
    in_trace: bool = False


class Judge(Protocol):
    """Who says what becomes of a secret: one that decides (`Decisions`), or one that looks it up (`Redactor`)."""

    def decide(self, place: str, rule: Rule, what: str, default: SecretPack, path: bytes | None = None) -> SecretPack:
        """Return what becomes of a secret."""

    def learn(self, values: Iterable[bytes], packs: Collection[SecretPack]) -> None:
        """Remember values that are secret, or allowed, everywhere."""

    def find_known(self, content: bytes) -> list[Span]:
        """Return where secret values occur in bytes."""


class Redactor:
    """Carries out a redaction: nothing is decided any more."""

    def __init__(self, redaction: Redaction) -> None:
        self._packs = {(secret.place, secret.rule): secret.pack for secret in redaction.secrets}
        self._matcher = Matcher([make_known_rule(redaction.values)]) if redaction.values else None

    @property
    def has_values(self) -> bool:
        """Whether there are values that are secret wherever they occur."""
        return self._matcher is not None

    def decide(self, place: str, rule: Rule, what: str, default: SecretPack, path: bytes | None = None) -> SecretPack:  # noqa: ARG002 -- as in Judge
        """Return what was decided."""
        return self._packs.get((place, rule.id), default)

    def learn(self, values: Iterable[bytes], packs: Collection[SecretPack]) -> None:
        """Remember nothing: every value is known already."""

    def find_known(self, content: bytes) -> list[Span]:
        """Return where secret values occur in bytes."""
        return [] if self._matcher is None else self._matcher.find(content)
