"""YAML that is no manifest, as plain values: what files of parameters hold.

Anchors, aliases and merge keys are let in, as people use them; a value behind an alias is shared, never copied, so that
a billion laughs stay ten lines until somebody writes them out. Tags other than YAML's own are read as if not there.
"""

from __future__ import annotations

from typing import Any

import yaml

from rtrace.manifest.reading.nodes import LOADER

_PREFIX = "tag:yaml.org,2002:"
_CONSTRUCTED = (f"{_PREFIX}int", f"{_PREFIX}float", f"{_PREFIX}bool", f"{_PREFIX}null")


def read_documents(content: str, *, most: int, deepest: int) -> list[object]:
    """Return the documents of a text as mappings, lists, text, numbers, booleans and None; dates stay text.

    Raises ValueError for what is no YAML, has more than ``most`` scalars and collections, or is nested too deeply.
    """
    try:
        return _Reader(content, most, deepest).documents()
    except yaml.YAMLError as error:
        raise ValueError(str(error)) from None


class _Reader:
    """Builds values from the parser's events: a composed tree would nest as deeply as the text likes."""

    def __init__(self, content: str, most: int, deepest: int) -> None:
        self._events: Any = yaml.parse(content, Loader=LOADER)
        self._left = most
        self._deepest = deepest
        self._anchors: dict[str, object] = {}
        self._resolver: Any = yaml.resolver.Resolver()
        self._constructor: Any = yaml.constructor.SafeConstructor()

    def documents(self) -> list[object]:
        found = []
        for event in self._events:
            if isinstance(event, yaml.DocumentStartEvent):
                self._anchors.clear()
                found.append(self._value(next(self._events), 0))
        return found

    def _value(self, event: Any, depth: int) -> object:  # noqa: ANN401 -- PyYAML's events have no common typed base
        self._left -= 1
        if self._left < 0 or depth > self._deepest:
            raise ValueError("more values, or deeper ones, than any parameters")
        if isinstance(event, yaml.AliasEvent):
            if event.anchor not in self._anchors:  # unknown, or the very thing that it stands in
                raise ValueError("an alias of nothing")
            return self._anchors[event.anchor]
        value: object
        if isinstance(event, yaml.ScalarEvent):
            value = self._scalar(event)
        elif isinstance(event, yaml.SequenceStartEvent):
            items: list[object] = []
            while not isinstance(following := next(self._events), yaml.SequenceEndEvent):
                items.append(self._value(following, depth + 1))
            value = items
        else:
            value = self._mapping(depth)
        if event.anchor is not None:
            self._anchors[event.anchor] = value
        return value

    def _mapping(self, depth: int) -> dict[object, object]:
        own: dict[object, object] = {}
        merged: dict[object, object] = {}
        while not isinstance(following := next(self._events), yaml.MappingEndEvent):
            merging = isinstance(following, yaml.ScalarEvent) and not following.style and following.value == "<<"
            key = self._value(following, depth + 1)
            value = self._value(next(self._events), depth + 1)
            if merging:
                for other in value if isinstance(value, list) else [value]:
                    if isinstance(other, dict):
                        self._left -= len(other)
                        merged = {**other, **merged}
                        if self._left < 0:
                            raise ValueError("more values than any parameters")
            else:
                own["?" if isinstance(key, (list, dict)) else key] = value  # written out, it could be of any length
        return {**merged, **own}

    def _scalar(self, event: Any) -> object:  # noqa: ANN401
        plain = not event.style
        tag = (
            event.tag
            if event.tag in _CONSTRUCTED
            else self._resolver.resolve(yaml.ScalarNode, event.value, (plain, False))
        )
        if tag not in _CONSTRUCTED or not (plain or event.tag):
            return event.value
        try:
            return self._constructor.construct_object(yaml.ScalarNode(tag, event.value))
        except (ValueError, KeyError, IndexError):  # a number of more digits than Python reads, or a false tag
            return event.value
