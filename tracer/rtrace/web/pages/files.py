"""The page of one file of a run: text, a table, a picture; and its bytes. Only ever with the digest of the record."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.exceptions import NotFound

from rtrace.pages.values import make_cell, show_lines
from rtrace.web.content.finding import find_content, list_digests
from rtrace.web.content.kinds import read_picture_type, view
from rtrace.web.facts.tables import list_rows
from rtrace.web.pages.run import FILES, name_run
from rtrace.web.responses import answer_download, answer_image

if TYPE_CHECKING:
    from collections.abc import Mapping

    from werkzeug.wrappers import Response

    from rtrace.record.document import Record
    from rtrace.web.content.proof import Proven
    from rtrace.web.site import Visit

_NOWHERE = "No file with the digest of the record is in its place, in the trace, or in a bundle any more."


def show_file(visit: Visit, run: str, kind: str, number: int) -> Response:
    """Return the page."""
    record = visit.history.read(run)
    fact = _find_fact(record, kind, number)
    proven = find_content(record, fact)
    path = str(fact["path"])
    media_type = fact.get("media_type")
    shown = None
    if proven is not None:
        with proven.file:
            shown = view(proven, path, media_type if isinstance(media_type, str) else None)
    text = fact.get("text")
    cells = [(key.replace("_", " "), make_cell(key, value)) for key, value in fact.items() if key != "text"]
    return visit.render(
        "file.html",
        **name_run(visit, record),
        path=path,
        facts=[(key, cell) for key, cell in cells if cell is not None],
        address=f"/run/{run}/file/{kind}/{number}",
        found=None if proven is None else proven.place,
        reason=_NOWHERE if list_digests(fact) else str(fact.get("problem") or "The record has no digest of it."),
        shown=shown,
        recorded=show_lines(text) if isinstance(text, str) and proven is None else "",
    )


def send_picture(visit: Visit, run: str, kind: str, number: int) -> Response:
    """Return the bytes of a picture, for the page that shows it."""
    proven, _path = _prove(visit, run, kind, number)
    media_type = read_picture_type(proven)
    if media_type is None:
        proven.file.close()
        raise NotFound("This is no picture that is shown.")
    return answer_image(visit.request.environ, proven.file, media_type, proven.size)


def save_file(visit: Visit, run: str, kind: str, number: int) -> Response:
    """Return the bytes of a file, to be saved."""
    proven, path = _prove(visit, run, kind, number)
    return answer_download(visit.request.environ, proven.file, path, proven.size)


def _prove(visit: Visit, run: str, kind: str, number: int) -> tuple[Proven, str]:
    record = visit.history.read(run)
    fact = _find_fact(record, kind, number)
    proven = find_content(record, fact)
    if proven is None:
        raise NotFound(_NOWHERE)
    return proven, str(fact["path"])


def _find_fact(record: Record, kind: str, number: int) -> Mapping[str, object]:
    rows = list_rows(record, kind) if kind in FILES else ()
    if number >= len(rows):
        raise NotFound("The record has no such file.")
    return rows[number]
