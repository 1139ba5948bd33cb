"""The environment of a run from its YAML: a mapping, a list, or that of a run above it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.environments import PREFIX, add_variables
from rtrace.manifest.reading.fields import byte_string, find_close, items, string
from rtrace.manifest.reading.nodes import Mapping, Node, Scalar, Sequence
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Mapping as Known

    from rtrace.manifest.model import Environment
    from rtrace.manifest.reading.fields import Fields


def read_environ(fields: Fields, environs: Known[str, Environment]) -> Environment:
    """Read the environment of a run: all of it, or that of a run above with other variables besides."""
    environ = fields.take("environ", lambda node: _environ(node, environs))
    none: Environment = ()
    besides = fields.take_or("environ_besides", _variables, none)
    if besides and not fields.take("environ", lambda node: isinstance(node, Scalar)):
        place = fields.take("environ_besides", lambda node: node.place)
        raise place.error("`environ_besides` goes with `environ: as` and the id of a run above; add these to `environ`")
    return add_variables(environ, besides)


def _environ(node: Node, environs: Known[str, Environment]) -> Environment:
    if not isinstance(node, Mapping):
        if not isinstance(node, Sequence):
            if not node.binary and node.value.startswith(PREFIX):
                return _environ_of(node, environs)
            raise node.place.error(
                "a mapping of names to values is expected here, a list of NAME=VALUE, or `as` and the id of a run above"
            )
        return tuple(map(_split, items(byte_string)(node)))
    return _variables(node)


def _variables(node: Node) -> Environment:
    if not isinstance(node, Mapping):
        raise node.place.error("a mapping of names to values is expected here")
    found: dict[bytes, bytes | None] = {}
    for key, value in node.pairs:
        name = byte_string(key)
        if b"=" in name:
            raise key.place.error("a variable's name cannot hold an =")
        if name in found:
            raise key.place.error(f"the variable {shorten(key.value)!r} occurs twice")
        found[name] = byte_string(value)
    return tuple(found.items())


def _environ_of(node: Node, environs: Known[str, Environment]) -> Environment:
    """Return the environment of the run above that is named here."""
    name = string(node).removeprefix(PREFIX)
    if name not in environs:
        close = find_close(name, environs)
        advice = (
            f"did you mean {PREFIX}{close[0]}?"
            if close
            else "write the variables here, or the name that the run has now"
        )
        raise node.place.error(f"this names the run {shorten(name)!r}, which is not among those above; {advice}")
    return environs[name]


def _split(item: bytes) -> tuple[bytes, bytes | None]:
    name, equals, value = item.partition(b"=")
    return (name, value if equals else None)
