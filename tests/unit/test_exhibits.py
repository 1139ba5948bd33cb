"""What a person is shown of two contents: the parts that differ, bounded and printable, whatever the contents are."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest

from rtrace.verify.exhibits.drawing import draw
from rtrace.verify.exhibits.gallery import Gallery
from rtrace.verify.exhibits.model import (
    LONGEST_LINE,
    MOST_COLUMNS,
    MOST_LINES,
    MOST_ROWS,
    Exhibit,
    Lines,
    Pair,
    Row,
    Side,
    read_exhibit,
    write_exhibit,
)
from rtrace.verify.judging.apart import Apart
from rtrace.verify.kinds.model import Judgement
from showing import HOSTILE


def show(expected: bytes | None, found: bytes | None, kind: str = "text", *, alike: bool = False) -> Exhibit:
    """Draw two contents, and hand it on as the process that draws does."""
    files = [None if one is None else io.BytesIO(one) for one in (expected, found)]
    drawn = draw(files[0], files[1], kind, "", 100_000, alike=alike)
    return read_exhibit(json.loads(json.dumps(write_exhibit(drawn))))


def marked(side: Side | None) -> list[str]:
    """Return the parts of a line that the other one does not have."""
    assert side is not None
    return [side.text[begin:end] for begin, end in side.spans]


def test_lines_that_differ_stand_beside_each_other() -> None:
    """Lines have their numbers in both, three the same around them, and the words that differ are marked."""
    old = [f"line {number}" for number in range(1, 41)]
    new = [*old[:9], "one more", *old[9:19], "line twenty", *old[20:]]
    lines = show("\n".join(old).encode(), "\n".join(new).encode()).lines
    assert lines[:4] == (
        *(Lines(Side(number, f"line {number}"), Side(number, f"line {number}")) for number in (7, 8, 9)),
        Lines(None, Side(10, "one more")),
    )
    gap = lines.index(Lines(None, None))
    assert lines[gap - 1] == Lines(Side(12, "line 12"), Side(13, "line 12"))
    changed = next(pair for pair in lines[gap + 1 :] if not pair.are_same)
    assert (changed.expected and changed.expected.number, changed.found and changed.found.number) == (20, 21)
    assert (marked(changed.expected), marked(changed.found)) == (["20"], ["twenty"])


def test_part_of_a_long_line_is_shown() -> None:
    """Of a line that is longer than any screen the place where it begins to differ is there, marked."""
    old, new = b"x" * 5000 + b" 1 " + b"y" * 5000, b"x" * 5000 + b" 2 " + b"y" * 5000
    (pair,) = show(old, new).lines
    assert (marked(pair.expected), marked(pair.found)) == (["1"], ["2"])
    assert pair.expected is not None
    assert len(pair.expected.text) <= LONGEST_LINE
    assert (pair.expected.text[0], pair.expected.text[-1]) == ("…", "…")


def test_what_is_not_shown_is_told() -> None:
    """Where everything differs, as much is shown as fits, and the note says that there is more."""
    shown = show(b"".join(b"%d\n" % one for one in range(5000)), b"".join(b"%d\n" % -one for one in range(5000)))
    assert (len(shown.lines), shown.note) == (MOST_LINES, "what comes further down is not shown")
    wide = b",".join(b"c%d" % one for one in range(40))
    rows = [b"\n".join([wide, *(b",".join([value] * 40) for _ in range(90))]) for value in (b"1", b"2")]
    table = show(rows[0], rows[1], "table")
    assert (len(table.columns), len(table.rows)) == (MOST_COLUMNS, MOST_ROWS)
    assert table.note == "further rows differ, which are not shown; 28 more columns, 28 of which differ"


def test_cells_that_differ_have_both_values() -> None:
    """A row in which a cell differs is there with the names of its columns, a row that is the same is not."""
    old, new = b"year,rate\n2001,0.5\n2002,0.25\n", b"year,rate\n2001,0.5\n2002,0.75\n"
    shown = show(old, new, "table")
    assert (shown.columns, shown.rows) == (("year", "rate"), (Row("3", (Pair("2002", "2002"), Pair("0.25", "0.75"))),))


def test_documents_are_laid_out_in_the_same_way() -> None:
    """Of two JSON documents the values that differ are shown, and not the order of keys; what is no JSON, as text."""
    shown = show(b'{"b": 1, "a": [1, 2]}', b'{"a": [1, 3],\n "b": 1}', "JSON")
    differing = [pair for pair in shown.lines if not pair.are_same]
    assert [(marked(pair.expected), marked(pair.found)) for pair in differing] == [(["2"], ["3"])]
    assert show(b'{"b": 1, "a": 2}', b'{"a": 2, "b": 1}', "JSON", alike=True).lines == ()
    assert show(b"{", b"[", "JSON").lines[0].expected == Side(1, "{", ((0, 1),))


def test_bytes_are_shown_around_the_first_difference() -> None:
    """What is no text is shown in hexadecimal, unless it says the same: then it is not shown at all."""
    old = bytes(range(256)) * 40
    new = old[:5000] + b"\xff" + old[5001:]
    (pair,) = [pair for pair in show(old, new, "bytes").lines if pair.expected is not None and pair.expected.spans]
    assert (pair.expected and pair.expected.number, marked(pair.expected), marked(pair.found)) == (5000, ["88"], ["ff"])
    assert show(old, new, "gzip of something", alike=True) == Exhibit()


def test_what_is_missing_is_shown_alone() -> None:
    """The beginning of a text that only one side has stands on that side."""
    shown = show(b"a\nb\n", None)
    assert shown.lines == (Lines(Side(1, "a"), None), Lines(Side(2, "b"), None))
    assert show(None, b"a\n" * 100).note == "what comes further down is not shown"
    assert show(b"\0\1\2", None) == Exhibit()


@pytest.mark.parametrize("kind", ["text", "table", "JSON", "PNG picture", "PDF", "bytes", "NumPy array"])
def test_hostile_contents_are_printable_in_whatever_kind(kind: str) -> None:
    """What a terminal or browser would obey is escaped, and what breaks a library is drawn in a plainer way."""
    text = HOSTILE.encode("utf-8", "surrogateescape") + b"\xff\xfe,<script>\x1b[31m,\n"
    png = b"\x89PNG\r\n\x1a\n"
    for old, new in ((text, text + b"1,2,3\n"), (png + text, png), (b"%PDF-1.4", text)):
        shown = show(old * 3, new * 3, kind)
        sides = [side for pair in shown.lines for side in pair if side is not None]
        assert sides or shown.rows
        assert all(side.text.isprintable() for side in sides)


@pytest.mark.parametrize(
    "change",
    [
        {"lines": [[[1, "\x1b[2J", []], None]]},
        {"lines": [[[1, "x" * 301, []], None]]},
        {"lines": [[[1, "x", [[5, 2]]], None]]},
        {"lines": [[[1, "x"], None]]},
        {"lines": "x"},
        {"rows": [["1", [["a", "\u202e"]]]]},
        {"rows": [["1", [["a"]]]]},
        {"columns": ["x" * 81]},
        {"columns": [7]},
        {"pictures": [["original", "PHN2Zz4=", 1, 1]]},  # <svg>
        {"pictures": [["original", "!", 1, 1]]},
        {"pictures": [["original", "iVBORw0KGgo=", 0, 1]]},
        {"note": None},
    ],
    ids=str,
)
def test_what_is_no_exhibit_is_refused(change: dict[str, Any]) -> None:
    """What a process answers that may be anybody's is not believed: neither length nor characters nor pictures."""
    plain = json.loads(json.dumps(write_exhibit(Exhibit())))
    assert read_exhibit(plain) == Exhibit()
    with pytest.raises(ValueError, match=r"is|are"):
        read_exhibit({**plain, **change})


def test_process_that_fails_shows_nothing(tmp_path: Path) -> None:
    """Where drawing fails, nothing is shown, and the next one is drawn."""
    (tmp_path / "a").write_text("one\n")
    (tmp_path / "b").write_text("two\n")
    judgement = Judgement("different", "text")
    with Apart() as apart:
        assert apart.show(tmp_path / "nothing", tmp_path / "b", judgement, 1000) is None
        shown = apart.show(tmp_path / "a", tmp_path / "b", judgement, 1000)
    assert shown is not None
    assert shown.lines == (Lines(Side(1, "one", ((0, 3),)), Side(1, "two", ((0, 3),))),)


def test_room_is_shared() -> None:
    """What is alike takes no room from what is different, none takes all, and what has no room is counted."""
    asked: list[int] = []

    def draw_one(room: int) -> Exhibit:
        asked.append(room)
        return Exhibit(note="x" * 10, lines=(Lines(Side(1, "y" * 4000), None),))

    gallery = Gallery(lambda _path, _stream: True, room=40_000)
    shown = [gallery.add(draw_one, alike=True) for _ in range(10)]
    assert [one is not None for one in shown] == [True, True] + [False] * 8
    assert gallery.left_out == 8
    assert gallery.add(draw_one, alike=False) is not None
    assert max(asked) <= 40_000 // 4
    none = Gallery(lambda _path, _stream: True, seconds=0)
    assert (none.add(draw_one, alike=False), none.left_out) == (None, 1)
