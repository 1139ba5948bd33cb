"""Two runs side by side: what was said of them, what differs, and the pictures that both made."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from werkzeug.exceptions import BadRequest

from rtrace.pages.values import Cell, fold, make_cell
from rtrace.record.diff import SECTIONS, compare_records, name_path
from rtrace.web.content.finding import find_content
from rtrace.web.content.kinds import MOST_PICTURE, read_picture_type

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from werkzeug.wrappers import Response

    from rtrace.record.diff import Change
    from rtrace.record.document import Record
    from rtrace.web.site import Visit

MOST_CHANGES, MOST_PICTURES = 200, 8
_TWO = 2
_TOP = ("arguments", "reason", "outcome", "tags", "status", "exit_code", "started", "wall", "peak_memory")
_PICTURES = "image/"


@dataclass(frozen=True, slots=True)
class Section:
    """What differs of one kind: the first so many changes, and how many there are."""

    title: str
    changes: list[tuple[Cell, Cell | None, Cell | None]]
    total: int


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture that a run made: the address of its page, its digest, and whether it can still be shown."""

    address: str
    sha256: str | None
    is_there: bool


@dataclass(frozen=True, slots=True)
class Pair:
    """A picture that both runs made; ``same``: with the same bytes."""

    name: str
    pictures: tuple[Picture, Picture]
    same: bool


def show_comparison(visit: Visit) -> Response:
    """Return the page. Raises BadRequest unless two runs are named."""
    names = [name.strip() for name in visit.request.args.getlist("run") if name.strip()]
    if len(names) != _TWO:
        raise BadRequest("Choose two runs to compare.")
    first, second = (visit.history.read(visit.catalogue.resolve(name)) for name in names)
    difference = compare_records(first, second)
    return visit.render(
        "compare.html",
        runs=[_name(visit, record) for record in (first, second)],
        top=_compare_top(first, second),
        sections=[_make_section(name, difference.sections[name]) for name in SECTIONS],
        nothing=difference.is_empty,
        pictures=list(_find_pictures(first, second)),
    )


def _name(visit: Visit, record: Record) -> dict[str, str]:
    short = visit.catalogue.short(record["id"])
    return {"id": record["id"], "short": short, "title": record["label"] or short}


def _compare_top(first: Record, second: Record) -> list[tuple[str, Cell | None, Cell | None]]:
    """Return what a person looks at first, and what it took, of both."""
    both = [{**dict(one["usage"]), **dict(one)} for one in (first, second)]
    rows = [(key.replace("_", " "), make_cell(key, both[0][key]), make_cell(key, both[1][key])) for key in _TOP]
    return [row for row in rows if row[1] or row[2]]


def _make_section(name: str, changes: tuple[Change, ...]) -> Section:
    rows = [
        (fold(change.what), _make_side(change.before), _make_side(change.after)) for change in changes[:MOST_CHANGES]
    ]
    return Section(name.capitalize(), rows, len(changes))


def _make_side(value: str | None) -> Cell | None:
    return None if value is None else fold(value)


def _find_pictures(first: Record, second: Record) -> Iterator[Pair]:
    """Yield the pictures that both runs made, up to a number."""
    mine, theirs = _number_pictures(first), _number_pictures(second)
    for name in [name for name in mine if name in theirs][:MOST_PICTURES]:
        pair = (_look_at(first, mine[name]), _look_at(second, theirs[name]))
        yield Pair(name, pair, pair[0].sha256 == pair[1].sha256 is not None)


def _number_pictures(record: Record) -> Mapping[str, int]:
    """Return the numbers of the outputs that are pictures, by their names in the folder of the run."""
    return {
        name_path(record, file["path"]): number
        for number, file in enumerate(record["outputs"])
        if (file["media_type"] or "").startswith(_PICTURES)
    }


def _look_at(record: Record, number: int) -> Picture:
    output = record["outputs"][number]
    is_small = (output["size"] or 0) <= MOST_PICTURE
    proven = find_content(record, dict(output)) if is_small else None
    is_picture = False
    if proven is not None:
        with proven.file:
            is_picture = read_picture_type(proven) is not None
    return Picture(f"/run/{record['id']}/file/outputs/{number}", output["sha256"], is_picture)
