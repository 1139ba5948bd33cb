"""What becomes of each secret: decided as it is found, by what the manifest says, and remembered.

Everything that decides before a bundle is written works on a `Decisions`; what comes of it is a `Redaction`, a value
that the plan holds, by which the bundle is written.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.files.patterns import Patterns
from rtrace.manifest.model import Notice, Secret, SecretPack
from rtrace.privacy.redaction import Redaction
from rtrace.privacy.rules.spellings import make_known_rule
from rtrace.privacy.searching.matching import Matcher

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable

    from rtrace.privacy.rules.rule import Rule
    from rtrace.privacy.searching.matching import Span

_MOST_VALUES = 2_000
"""Secret values that are searched for everywhere: more of them only look like secrets."""


class Decisions:
    """Decides on secrets as they are found; secret values that look random are known from then on, wherever they are.

    ``in_trace`` is whether arguments or environments in the trace database hold secrets.
    """

    def __init__(self, asked: Iterable[Secret]) -> None:
        """Start with the ``secrets:`` of a manifest."""
        self._asked = tuple(asked)
        self._patterns = {
            secret: Patterns([secret.place[5:].encode("utf-8", "surrogateescape")])
            for secret in self._asked
            if secret.place.startswith("file /")
        }
        self._used: set[Secret] = set()
        self._found: dict[tuple[str, str], Secret] = {}
        self._values: set[bytes] = set()
        self._allowed: set[bytes] = set()
        self._matcher: Matcher | None = None
        self.in_trace = False

    @property
    def values(self) -> tuple[bytes, ...]:
        """The values that are secret wherever they occur, sorted."""
        return tuple(sorted(self._values))

    @property
    def unused(self) -> tuple[Notice, ...]:
        """A notice for each item of ``secrets:`` that matched nothing."""
        return tuple(
            Notice("secret", f"nothing secret was found for {secret.place}", "correct it under `secrets:`")
            for secret in self._asked
            if secret not in self._used
        )

    def decide(self, place: str, rule: Rule, what: str, default: SecretPack, path: bytes | None = None) -> SecretPack:
        """Return what becomes of a secret: what the first matching item of ``secrets:`` says, else the default."""
        known = self._found.get((place, rule.id))
        if known is not None:
            return known.pack
        pack = default
        for secret in self._asked:
            if secret.rule not in {None, rule.id}:
                continue
            pattern = self._patterns.get(secret)
            if secret.place == place or (path is not None and pattern is not None and pattern.match(path)):
                self._used.add(secret)
                pack = secret.pack
                break
        self._found[place, rule.id] = Secret(place, rule.id, what, pack)
        return pack

    def learn(self, values: Iterable[bytes], packs: Collection[SecretPack]) -> None:
        """Remember values as secret everywhere, or as allowed everywhere if they are packed as they are."""
        found = set(values)
        if set(packs) == {SecretPack.AS_IT_IS}:
            self._allowed |= found
        elif len(self._values) < _MOST_VALUES:
            self._values |= found
        self._values -= self._allowed
        self._matcher = None

    def find_known(self, content: bytes) -> list[Span]:
        """Return where secret values occur in bytes."""
        if not self._values:
            return []
        if self._matcher is None:
            self._matcher = Matcher([make_known_rule(self._values)])
        return self._matcher.find(content)

    def settle(self) -> Redaction:
        """Return what is decided so far, as a value."""
        secrets = tuple(self._found[key] for key in sorted(self._found))
        return Redaction(secrets, self.values, in_trace=self.in_trace)
