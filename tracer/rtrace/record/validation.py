"""Whether a document has the shape of a record, found by walking the types of `rtrace.record.document`.

A key that is missing, as in a document of an older rtrace, becomes null or empty where its type allows that. Keys that
nobody knows stay.
"""

from __future__ import annotations

import types
from collections.abc import Callable
from functools import cache
from sys import float_info
from typing import Annotated, Any, Literal, Union, get_args, get_origin, get_type_hints, is_typeddict

from rtrace.record import document
from rtrace.record.document import Record
from rtrace.record.ids import is_id
from rtrace.record.times import is_time

Complaint = str
"""What is wrong: the place in the document, and what it has to be; empty when nothing is."""

_Check = Callable[[Any], Complaint]

_WORDS = {str: "text", int: "a whole number", float: "a number", bool: "true or false", type(None): "null"}
_ALIKE = frozenset({str, bool, type(None)})
"""Types of which any value will do."""
_MOST = 1 << 63
"""Whole numbers that a database can keep are smaller."""
_LARGEST = float_info.max


class _Missing:
    """In place of a default, where a key must be there."""


_MISSING = _Missing()
_DEFAULTS: dict[object, Callable[[], object]] = {list: list, dict: dict}


def find_mistake(candidate: object) -> Complaint:
    """Return what keeps a JSON value from being a record, or nothing; fill in keys that were not known once."""
    complaint = _compile(Record)(candidate)
    if complaint or not isinstance(candidate, dict):
        return complaint
    for place in ("id", "parent"):
        if candidate[place] is not None and not is_id(candidate[place]):
            return f"`{place}` is not an identifier"
    for annotation in candidate["annotations"]:
        if not is_id(annotation["id"]):
            return "the `id` of an annotation is not an identifier"
    return ""


@cache
def _compile(hint: Any) -> _Check:  # noqa: ANN401 -- what `typing` makes
    """Return the function that checks values of a type."""
    origin, arguments = get_origin(hint), get_args(hint)
    if hint == document.Time:
        return lambda value: "" if isinstance(value, str) and is_time(value) else " is not a time (UTC, with Z)"
    if origin is Annotated:
        return _compile(arguments[0])
    if origin is Literal:
        return lambda value: "" if value in arguments else f" is not one of {', '.join(map(str, arguments))}"
    if origin in {Union, types.UnionType}:
        return _check_any(arguments)
    if origin is list:
        return _check_list(_compile(arguments[0]))
    if origin is dict:
        return _check_dict(_compile(arguments[1]))
    if is_typeddict(hint):
        return _check_keys(hint)
    return _check_plain(hint)


def _check_plain(hint: Any) -> _Check:  # noqa: ANN401 -- a class
    if hint is object:
        return lambda _value: ""
    if hint is int:
        return lambda value: (
            "" if type(value) is int and -_MOST <= value < _MOST else " is not a whole number of 64 bits"
        )
    if hint is float:
        return lambda value: "" if type(value) in {float, int} and abs(value) <= _LARGEST else " is not a number"
    return lambda value: "" if type(value) is hint else f" is not {_WORDS[hint]}"


def _check_any(hints: tuple[Any, ...]) -> _Check:
    checks = tuple(map(_compile, hints))
    if all(hint in _ALIKE for hint in hints):  # as most are, in a document of thousands of files
        kinds, otherwise = frozenset(hints), checks[0]
        return lambda value: "" if type(value) in kinds else otherwise(value)

    def check(value: Any) -> Complaint:  # noqa: ANN401 -- of JSON
        complaints = []
        for one in checks:
            complaint = one(value)
            if not complaint:
                return ""
            complaints.append(complaint)
        return complaints[0]

    return check


def _check_list(item: _Check) -> _Check:
    def check(value: Any) -> Complaint:  # noqa: ANN401 -- of JSON
        if type(value) is not list:
            return " is not a list"
        for number, one in enumerate(value):
            complaint = item(one)
            if complaint:
                return f"[{number}]{complaint}"
        return ""

    return check


def _check_dict(item: _Check) -> _Check:
    def check(value: Any) -> Complaint:  # noqa: ANN401 -- of JSON
        if type(value) is not dict:
            return " is not an object"
        for key, one in value.items():
            complaint = item(one)
            if complaint:
                return f".{key[:40]}{complaint}"
        return ""

    return check


def _check_keys(hint: Any) -> _Check:  # noqa: ANN401 -- a TypedDict
    hints = get_type_hints(hint, include_extras=True)
    checks = [(key, _compile(inner), _default(inner)) for key, inner in hints.items()]

    def check(value: Any) -> Complaint:  # noqa: ANN401 -- of JSON
        if type(value) is not dict:
            return " is not an object"
        for key, inner, default in checks:
            if key in value:
                complaint = inner(value[key])
                if complaint:
                    return f".{key}{complaint}"
            elif default is _MISSING:
                return f".{key} is missing"
            else:
                value[key] = default()  # type: ignore[operator]
        return ""

    return check


def _default(hint: Any) -> object:  # noqa: ANN401 -- what `typing` makes
    """Return what makes the value of a key that is missing; `_MISSING` where it must be there."""
    origin, arguments = get_origin(hint), get_args(hint)
    if origin is Annotated:
        return _default(arguments[0])
    if origin in {Union, types.UnionType} and type(None) in arguments:
        return lambda: None
    return _DEFAULTS.get(origin, _MISSING)
