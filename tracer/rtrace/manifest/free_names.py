"""Unique names: one that is taken gets a number behind it."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable


class FreeNames:
    """Gives out names: ``file``, ``file_2``, ``file_3``."""

    def __init__(self, taken: Iterable[str] = ()) -> None:
        self._taken = set(taken)
        self._numbers: dict[str, int] = {}

    def take(self, name: str) -> str:
        """Return a name that is free, which is taken from then on."""
        free = name
        while free in self._taken:
            self._numbers[name] = self._numbers.get(name, 1) + 1  # never again those that were tried
            free = f"{name}_{self._numbers[name]}"
        self._taken.add(free)
        return free


def find_free(name: str, taken: Iterable[str]) -> str:
    """Return a name, with a number behind it if it is taken."""
    return FreeNames(taken).take(name)
