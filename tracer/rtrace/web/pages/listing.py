"""The list of runs: search, filters, a part at a time."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeGuard, get_args

from werkzeug.exceptions import BadRequest

from rtrace.operations.history.moments import read_moment
from rtrace.pages.rendering import MOST_VALUE
from rtrace.record.document import Kind, Status
from rtrace.record.query import Query

if TYPE_CHECKING:
    from werkzeug.wrappers import Response

    from rtrace.record.query import Row
    from rtrace.web.site import Visit

PAGE_ROWS = 50
FILTERS = ("q", "tag", "project", "status", "kind", "since", "until", "param", "file")
STATUSES, KINDS = get_args(Status), get_args(Kind)
_MOST_PAGES = 1_000_000


@dataclass(frozen=True, slots=True)
class Line:
    """A run in the list: what the catalogue says, and its short name."""

    row: Row
    short: str


def show_list(visit: Visit) -> Response:
    """Return the page."""
    given = {name: visit.request.args.get(name, "").strip()[:MOST_VALUE] for name in FILTERS}
    page = read_page(visit)
    query = read_query(given, page)
    catalogue = visit.catalogue
    rows = catalogue.find(query)
    return visit.render(
        "list.html",
        lines=[Line(row, catalogue.short(row.id)) for row in rows],
        total=catalogue.count(query),
        page=page,
        page_rows=PAGE_ROWS,
        given=given,
        q=given["q"],
        filtered=any(value for name, value in given.items() if name != "q"),
        statuses=STATUSES,
        kinds=KINDS,
    )


def read_page(visit: Visit) -> int:
    """Return the number of the page that is asked for, the first one being 1. Raises BadRequest."""
    text = visit.request.args.get("page", "1")
    if not (text.isascii() and text.isdigit()) or not 1 <= int(text[:9]) <= _MOST_PAGES:
        raise BadRequest("The page has to be a number.")
    return int(text)


def read_query(given: dict[str, str], page: int) -> Query:
    """Return what a person asks for as the catalogue has it. Raises BadRequest."""
    status, kind, parameter = given["status"], given["kind"], given["param"]
    if (status and not is_status(status)) or (kind and not is_kind(kind)):
        raise BadRequest("There is no such status or kind.")
    name, equals, value = parameter.partition("=")
    if parameter and not (equals and name):
        raise BadRequest("A parameter is written NAME=VALUE.")
    return Query(
        tag=given["tag"] or None,
        project=given["project"] or None,
        since=_read_day(given["since"], last=False),
        until=_read_day(given["until"], last=True),
        status=status if is_status(status) else None,
        kind=kind if is_kind(kind) else None,
        file=os.fsencode(given["file"].encode("utf-8", "replace")) or None,
        parameters=((name, value),) if parameter else (),
        text=given["q"],
        limit=PAGE_ROWS,
        offset=(page - 1) * PAGE_ROWS,
    )


def is_status(word: str) -> TypeGuard[Status]:
    """Whether a word says how a run ended."""
    return word in STATUSES


def is_kind(word: str) -> TypeGuard[Kind]:
    """Whether a word says what a record is of."""
    return word in KINDS


def _read_day(text: str, *, last: bool) -> int | None:
    """Return the beginning or, of the ``last`` day, the end of a day here, in microseconds. Raises BadRequest."""
    try:
        return read_moment(text, last=last) if text else None
    except ValueError:
        raise BadRequest("A day is written YYYY-MM-DD.") from None
