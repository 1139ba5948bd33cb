"""A set of parameters of Sumatra as names and values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from rtrace.record.facts.parameter_files import read_parameter_file
from rtrace.record.facts.parameters import read_word
from rtrace.record.foreign.source.literals import read_literal
from rtrace.record.foreign.source.problem import Unreadable
from rtrace.record.foreign.source.values import mapping, words

if TYPE_CHECKING:
    from rtrace.record.document import ParameterFact
    from rtrace.record.foreign.source.databases import Row

_KINDS = {
    "YAMLParameterSet": ("yaml", ".yaml"),
    "JSONParameterSet": ("json", ".json"),
    "SimpleParameterSet": ("key=value", ".param"),
    "ConfigParserParameterSet": ("ini", ".cfg"),
}
_OTHER = ("key=value", ".json")


def read_parameters(said: Row, source: str) -> list[ParameterFact]:
    """Return the parameters of a record: their text is in the form of their type, or Python's for a dictionary.

    A shelf has no text of them, and their values instead.
    """
    kind, ending = _KINDS.get(words(said.get("type")), _OTHER)
    content = words(said.get("content"))
    if "content" not in said:
        values = said.get("values", {**mapping(said.get("defaults")), **mapping(said.get("sections"))})
        content, ending = json.dumps(values), ".json"
    elif ending == ".json" and kind != "json":
        try:
            content = json.dumps(read_literal(content))
        except Unreadable:  # a type of parameters that a plugin brought: its text is in `imported`
            content = "{}"
    found = read_parameter_file(f"parameters{ending}", content.encode("utf-8", "replace"))
    where = words(said.get("source_file")) or source
    typed = kind != "ini" or ending != ".json"
    return [
        {
            "source": where,
            "type": kind,
            "name": fact["name"],
            "value": fact["value"] if typed or not isinstance(fact["value"], str) else read_word(fact["value"]),
        }
        for fact in found
        if fact["name"]
    ]
