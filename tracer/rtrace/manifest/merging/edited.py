"""A manifest that a person has edited, beside the draft that it was before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rtrace.manifest.model import Manifest


@dataclass(frozen=True, slots=True)
class Edited:
    """A manifest, the draft of its trace, and the ids that its runs have among all; ``name`` is for sentences."""

    name: str
    draft: Manifest
    manifest: Manifest
    runs: Mapping[str, str]
