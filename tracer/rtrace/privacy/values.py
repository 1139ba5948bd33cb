"""Replacing byte strings throughout a value: a manifest, an entry."""

from __future__ import annotations

from dataclasses import fields, is_dataclass, replace
from typing import TYPE_CHECKING, TypeVar, cast

if TYPE_CHECKING:
    from collections.abc import Callable

    Rewrite = Callable[[bytes], bytes]
    T = TypeVar("T")


def rewrite_value(value: T, rewrite: Rewrite) -> T:
    """Return a value of dataclasses, tuples and dictionaries with every string and byte string in it rewritten."""
    return cast("T", _rewrite(value, rewrite))


def _rewrite(value: object, rewrite: Rewrite) -> object:
    if isinstance(value, bytes):
        return rewrite(value)
    if type(value) is str:
        return rewrite(value.encode("utf-8", "surrogateescape")).decode("utf-8", "surrogateescape")
    if isinstance(value, tuple):  # one with names, too
        return getattr(value, "_make", tuple)(_rewrite(item, rewrite) for item in value)
    if isinstance(value, dict):
        return {_rewrite(key, rewrite): _rewrite(item, rewrite) for key, item in value.items()}
    if is_dataclass(value) and not isinstance(value, type):
        return replace(value, **{field.name: _rewrite(getattr(value, field.name), rewrite) for field in fields(value)})
    return value
