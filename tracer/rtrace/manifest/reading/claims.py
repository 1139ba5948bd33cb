"""The claims of a manifest from their YAML: what a paper says, and which results show it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.manifest.model import Claim
from rtrace.manifest.reading import keys
from rtrace.manifest.reading.fields import Fields, find_close, items, number, string
from rtrace.manifest.reading.nodes import Node
from rtrace.printable import shorten

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from rtrace.manifest.model import NamedFile

STREAMS = ("stdout", "stderr")
"""What stands for a stream of the run among the outputs of a claim; an output of that name goes before."""
MOST_CLAIMS = 256
"""How many claims there may be: a bundle may come from anybody."""
_SHOWN = 8


def read_claims(node: Node) -> tuple[Claim, ...]:
    """Read the claims; not more than anybody makes."""
    found = items(_claim)(node)
    if len(found) > MOST_CLAIMS:
        raise node.place.error(f"`claims` takes {MOST_CLAIMS} claims, not {len(found)}")
    return found


def _claim(node: Node) -> Claim:
    fields = Fields(node, keys.CLAIM, "a claim")
    return Claim(
        fields.take("claim", _sentence),
        fields.take("run", string),
        fields.take_or("outputs", items(string), ()),
        fields.take_or("tolerance", _tolerance, None),
    )


def _sentence(node: Node) -> str:
    value = string(node)
    if not value.strip():
        raise node.place.error("a claim is a sentence; say what the results show")
    return value


def _tolerance(node: Node) -> float:
    value = number(node)
    if not 0 <= value <= 1:
        raise node.place.error("a tolerance is a number from 0 to 1, as a part of the larger number, such as 1e-6")
    return value


def check_claims(nodes: Iterable[Node], outputs: Mapping[str, NamedFile], check_run: Callable[[Node], None]) -> None:
    """Refuse a claim on a run or an output that is not there, that another run wrote, or that it names twice."""
    for node in nodes:
        fields = Fields(node, keys.CLAIM, "a claim")
        fields.take("run", check_run)
        run = fields.take("run", string)
        seen: set[str] = set()
        named_outputs: tuple[Node, ...] = fields.take_or("outputs", items(lambda one: one), ())
        for named in named_outputs:
            _check_output(named, run, outputs)
            name = string(named)
            if name in seen:
                raise named.place.error(f"the claim names the output {shorten(name)!r} twice")
            seen.add(name)


def _check_output(node: Node, run: str, outputs: Mapping[str, NamedFile]) -> None:
    name = string(node)
    if name in outputs:
        writers = outputs[name].runs
        if writers and run not in writers:
            raise node.place.error(
                f"the output {shorten(name)!r} of this claim is not of its run {shorten(run)!r}, but of "
                f"{', '.join(map(shorten, writers[:_SHOWN]))}"
            )
    elif name not in STREAMS:
        close = find_close(name, (*outputs, *STREAMS))
        some = ", ".join(map(shorten, (*list(outputs)[:_SHOWN], *STREAMS)))
        advice = f"did you mean {shorten(close[0])}?" if close else f"there are {some}"
        raise node.place.error(f"this claim names the output {shorten(name)!r}, which is not there; {advice}")
