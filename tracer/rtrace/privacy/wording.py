"""Words for what is counted: secrets, and further things after those that a sentence names."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from rtrace.manifest.model import SecretPack
from rtrace.printable import count, plural

if TYPE_CHECKING:
    from collections.abc import Iterable

    from rtrace.manifest.model import Secret

_FATES = {
    SecretPack.REDACTED: "redacted",
    SecretPack.LEFT_OUT: "left out",
    SecretPack.AS_IT_IS: "packed unchanged",
}
"""What becomes of a secret."""


def count_secrets(secrets: Iterable[Secret]) -> str:
    """Return how many secrets there are, and what becomes of them: `3 secrets: 2 redacted, 1 left out`."""
    counts = Counter(secret.pack for secret in secrets)
    number = counts.total()
    if not number:
        return "no secrets"
    fates = ", ".join(f"{counts[pack]} {words}" for pack, words in _FATES.items() if counts[pack])
    return f"{count(number, 'secret')}: {fates}"


def count_more(number: int, noun: str = "") -> str:
    """Return the words for so many further things: ` and 2 more lines`, or nothing; ``noun`` is in the singular."""
    if number <= 0:
        return ""
    return f" and {number} more" + (f" {plural(number, noun)}" if noun else "")
