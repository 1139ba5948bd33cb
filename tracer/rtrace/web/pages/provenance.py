"""The page of a run's graph: what came from where, as one drawing to zoom into."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rtrace.errors import NoSuchRunError
from rtrace.pages.values import shorten_text, show_command
from rtrace.web.graph.layout import HEIGHT, lay_out
from rtrace.web.graph.model import Node, make_graph
from rtrace.web.graph.uses import read_uses
from rtrace.web.pages.run import find_followers, name_run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from werkzeug.wrappers import Response

    from rtrace.record.document import Record
    from rtrace.web.site import Visit

_LABEL = 44
_KINDS = {"run": "run", "replay": "replay", "verification": "verification"}


def show_graph(visit: Visit, run: str) -> Response:
    """Return the page."""
    record = visit.history.read(run)
    after = [
        _make_run(visit, row.id, row.kind, row.label, row.arguments, "after") for row in find_followers(visit, run)
    ]
    graph = make_graph(record, read_uses(record), _find_before(visit, record), after)
    return visit.render("graph.html", **name_run(visit, record), graph=graph, drawing=lay_out(graph), box_height=HEIGHT)


def _find_before(visit: Visit, record: Record) -> list[Node]:
    """Return the run that this one repeats, replays or verifies, if the history has it."""
    if record["parent"] is None:
        return []
    try:
        parent = visit.history.read(record["parent"])
    except NoSuchRunError:
        return []
    return [_make_run(visit, parent["id"], parent["kind"], parent["label"], parent["arguments"], "before")]


def _make_run(
    visit: Visit, identifier: str, kind: str, label: str | None, arguments: Sequence[str], place: str
) -> Node:
    name = label or show_command(shorten_text(word) for word in arguments[:20])
    short = visit.catalogue.short(identifier)
    text = shorten_text(f"{_KINDS.get(kind, 'run')} {short} {name}", _LABEL)
    return Node(f"{place}-{identifier}", "run", text, shorten_text(name), f"/run/{identifier}")
