"""What a person says of a run when it is started."""

from __future__ import annotations

from typing import NamedTuple


class Said(NamedTuple):
    """A name for a run, why it is made, words to find it by, and what it is for."""

    label: str | None = None
    reason: str | None = None
    tags: tuple[str, ...] = ()
    project: str | None = None


NOTHING = Said()
