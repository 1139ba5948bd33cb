"""The page of a verification: the verdict on top, each result with what differs, and how to do it again.

    Report (verify/) + Account (operations/verifying/) ──> view: groups, words ──> parts, as many as fit ──> one file

A page is to be read, mailed and printed, so it has a size that it does not exceed. What is different is shown in full
first, then what is alike; of what does not fit, the page says how much it is.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from rtrace.pages.whole import Part, make_page, make_part
from rtrace.printable import count, printable, printable_text
from rtrace.verify.verdicts import ALIKE, DIFFERING, STREAMS, VERDICTS, Verdict

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rtrace.operations.verifying.account import Account
    from rtrace.verify.exhibits.model import Exhibit
    from rtrace.verify.verdicts import Line, Report

ROOM_FOR_CARDS, ROOM_FOR_ROWS = 2_600_000, 1_200_000
"""Bytes of the page that what is shown in full may take, and the table of all results."""
_LONGEST_PATH, _LONGEST_DETAIL = 600, 400
_MOST_OTHERS, _MOST_NOTICES, _MOST_CLAIMS, _MANY = 100, 100, 100, 40
GROUPS: dict[str, frozenset[Verdict]] = {
    "What differs": frozenset(DIFFERING),
    "What could not be judged": frozenset({"unknown"}),
    "Alike, with other bytes": frozenset({"equal", "close"}),
}
"""Of results that are shown in full, in this order."""
LOOKS = {
    "same": "good",
    "equal": "good",
    "close": "good",
    "different": "bad",
    "missing": "bad",
    "extra": "bad",
    "unknown": "warn",
}
"""Of verdicts: a class of the style."""
MEANINGS: dict[str, str] = {
    "same": "every byte is the original's",
    "equal": "other bytes that say the same",
    "close": "numbers differ within the tolerance",
    "different": "says something else",
    "missing": "the replay did not leave it",
    "extra": "only the replay left it",
    "unknown": "could not be judged",
}


@dataclass(frozen=True, slots=True)
class Result:
    """A line of the report as the page has it: ``folder`` and ``name`` of a file, or what it is in ``name``."""

    verdict: Verdict
    look: str
    folder: str
    name: str
    run: str
    kind: str
    place: str
    expected: str
    found: str
    amount: str
    detail: str
    ignored: str
    note: str
    causes: str
    exhibit: Exhibit | None


@dataclass(frozen=True, slots=True)
class Group:
    """Results that are shown in full under a heading; ``left_out`` is how many are in the table of all alone."""

    title: str
    cards: list[Part]
    left_out: int


def make_verification_page(report: Report, account: Account) -> bytes:
    """Return the page, in UTF-8."""
    judged = [line for line in report.lines if line.scope == "output"]
    groups, room, carded = [], ROOM_FOR_CARDS, 0
    for title, verdicts in GROUPS.items():
        chosen = [line for line in judged if line.verdict in verdicts]
        cards = fill("verification/result.html", chosen, room)
        room -= sum(map(len, cards))
        carded += len(cards)
        if chosen:
            groups.append(Group(f"{title} ({len(chosen)})", cards, len(chosen) - len(cards)))
    ordered = sorted(judged, key=lambda line: line.verdict in ALIKE)
    rows = fill("verification/row.html", ordered, ROOM_FOR_ROWS, has_runs=len(account.runs) > 1)
    counts = report.count("output")
    return make_page(
        "verification/page.html",
        report=report,
        account=account,
        title=headline(report),
        look=LOOKS[report.verdict],
        counts=[(one, counts[one], LOOKS[one], MEANINGS[one]) for one in VERDICTS if counts[one]],
        ignored=sum(report.count("ignored").values()),
        looks=LOOKS,
        claims=report.claims[:_MOST_CLAIMS],
        claims_left_out=max(0, len(report.claims) - _MOST_CLAIMS),
        groups=groups,
        rows=rows,
        rows_left_out=len(judged) - len(rows),
        is_long=len(rows) > 2 * carded + _MANY,
        others=[printable_text(one) for one in report.others[:_MOST_OTHERS]],
        others_left_out=max(0, len(report.others) - _MOST_OTHERS),
        notices=account.notices[:_MOST_NOTICES],
        notices_left_out=max(0, len(account.notices) - _MOST_NOTICES),
    )


def headline(report: Report) -> str:
    """Return the verdict in a sentence that begins with a capital letter."""
    return report.summary[:1].upper() + report.summary[1:]


def fill(template: str, lines: Sequence[Line], room: int, **values: object) -> list[Part]:
    """Return as many results, each by a template, as fit so many bytes."""
    parts: list[Part] = []
    for line in lines:
        part = make_part(template, one=show_line(line), **values)
        room -= len(part.encode("utf-8", "backslashreplace"))
        if room < 0:
            break
        parts.append(part)
    return parts


def show_line(line: Line) -> Result:
    """Return a line of the report as the page has it."""
    folder, name = "", f"{STREAMS[line.stream] if line.stream else 'exit status'} of {line.run}"
    if line.path is not None:
        folder, slash, name = show_path(line.path).rpartition("/")
        folder += slash
    judgement, amount = line.judgement, ""
    if judgement is not None and judgement.amount is not None:
        amount = f"{judgement.amount:g}"
    differs = judgement is not None and line.verdict == "different" and bool(judgement.place)
    return Result(
        verdict=line.verdict,
        look=LOOKS[line.verdict],
        folder=folder,
        name=name,
        run=printable_text(line.run),
        kind=_say(judgement and judgement.kind),
        place=_say(judgement and judgement.place),
        expected=_say(judgement and judgement.expected),
        found=_say(judgement and judgement.found),
        amount=amount,
        detail="" if differs else _say(line.detail),
        ignored=_say(judgement and ", ".join(judgement.ignored)),
        note=_say(judgement and judgement.note),
        causes=", ".join(line.causes),
        exhibit=line.exhibit,
    )


def cut(text: str, most: int) -> str:
    """Return a text without its middle, where it is longer than so many characters; how much that is, stands there."""
    if len(text) <= most:
        return text
    more = count(len(text) - most, "more character")
    return f"{text[: most // 2]} […{more}…] {text[len(text) - most // 2 :]}"


def _say(text: str | None) -> str:
    return printable_text(cut(text or "", _LONGEST_DETAIL))


def show_path(path: bytes) -> str:
    """Return a path without its middle, where it is very long; how much that is, stands there."""
    if len(path) <= _LONGEST_PATH:
        return printable(path)
    half, more = _LONGEST_PATH // 2, count(len(path) - _LONGEST_PATH, "more byte")
    return f"{printable(path[:half])} […{more}…] {printable(path[-half:])}"
