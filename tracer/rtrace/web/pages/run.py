"""The page of one run with all that its record says, its long lists, and the record itself to be saved."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from rtrace.pages.values import show_command
from rtrace.record.query import Query
from rtrace.record.writing import write_record
from rtrace.web.facts.sections import make_sections
from rtrace.web.facts.tables import LISTS, PAGE_ROWS, make_table
from rtrace.web.pages.listing import read_page
from rtrace.web.responses import answer_download

if TYPE_CHECKING:
    from collections.abc import Callable

    from werkzeug.wrappers import Response

    from rtrace.record.document import Record
    from rtrace.record.query import Row
    from rtrace.web.facts.tables import Linker
    from rtrace.web.site import Visit

FILES = {"inputs": "path", "outputs": "path", "scripts": "path"}
"""The lists whose rows are files with a page of their own, and the column that leads there."""
_MOST_FOLLOWERS = 100


def show_run(visit: Visit, run: str) -> Response:
    """Return the page."""
    record = visit.history.read(run)
    return visit.render(
        "run.html",
        **name_run(visit, record),
        sections=make_sections(record, make_linker(run)),
        followers=find_followers(visit, run),
    )


def show_table(visit: Visit, run: str, name: str) -> Response:
    """Return the page of one list."""
    if name not in LISTS:
        raise NotFound("A record has no such list.")
    record = visit.history.read(run)
    page = read_page(visit)
    table = make_table(record, name, make_linker(run), (page - 1) * PAGE_ROWS, PAGE_ROWS)
    return visit.render("table.html", **name_run(visit, record), table=table, page=page, page_rows=PAGE_ROWS)


def save_record(visit: Visit, run: str) -> Response:
    """Return the document of a record, to be saved."""
    data = write_record(visit.history.read(run))
    return answer_download(visit.request.environ, io.BytesIO(data), f"{run}.json", len(data))


def name_run(visit: Visit, record: Record) -> dict[str, object]:
    """Return what the pages of a run say of it at their top."""
    return {
        "record": record,
        "run": record["id"],
        "short": visit.catalogue.short(record["id"]),
        "title": record["label"] or show_command(record["arguments"]) or record["id"],
    }


def find_followers(visit: Visit, run: str) -> list[Row]:
    """Return what repeats, replays or verifies a run, the newest first."""
    return visit.catalogue.find(Query(parent=run, limit=_MOST_FOLLOWERS))


def make_linker(run: str) -> Linker:
    """Return what knows where the cells of a run's tables lead."""
    leading: dict[tuple[str, str], Callable[[int, object], str]] = {
        **{(name, key): _lead_to(f"/run/{run}/file/{name}") for name, key in FILES.items()},
        ("bundles", "path"): _lead_to(f"/run/{run}/bundle"),
        ("parent", "parent"): lambda _number, value: f"/run/{value}" if isinstance(value, str) else "",
    }

    def link(table: str, number: int, column: str, value: object) -> str:
        find = leading.get((table, column)) or leading.get((column, column) if not table else ("", ""))
        return find(number, value) if find is not None and value is not None else ""

    return link


def _lead_to(begin: str) -> Callable[[int, object], str]:
    return lambda number, _value: f"{begin}/{number}"
