"""The page of a sweep: every row, nothing that a browser would obey, and of a bounded size."""

from __future__ import annotations

from html.parser import HTMLParser

from rtrace.cli.sweep.run import write_command
from rtrace.pages.sweeping import MOST_ROWS, make_sweep_page, write_letters
from sweep_samples import HOSTILE, make_hostile_sweep, make_long_sweep

ALLOWED = {
    *(
        "html",
        "head",
        "meta",
        "title",
        "link",
        "style",
        "body",
        "main",
        "footer",
        "section",
        "div",
        "span",
        "p",
        "b",
        "br",
    ),
    *("h1", "h2", "ul", "li", "dl", "dt", "dd", "table", "thead", "tbody", "tr", "th", "td", "pre"),
}
"""The elements of such a page."""


class Reader(HTMLParser):
    """Notes the elements, their attributes, and how many rows tables have."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: set[str] = set()
        self.attributes: set[str] = set()
        self.rows = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.add(tag)
        self.attributes |= {name for name, _ in attrs}
        self.rows += tag == "tr"


def read(page: bytes) -> Reader:
    """Return what is in a page."""
    reader = Reader()
    reader.feed(page.decode())
    return reader


def test_hostile_values_are_text() -> None:
    """Whatever a value, label, name or note says, the page has the elements that it has, and no script."""
    sweep, swept = make_hostile_sweep()
    page = make_sweep_page(sweep, swept, write_command(sweep))
    reader = read(page)
    assert reader.tags <= ALLOWED
    assert not [name for name in reader.attributes if name.startswith("on") or name in {"src", "style"}]
    assert reader.rows == 1 + len(HOSTILE)
    text = page.decode()
    assert "\x1b" not in text
    assert "\u202e" not in text
    assert "49" not in text.partition("<main")[2].replace("{{ 7 * 7 }}", "")
    assert "1 of 6 combinations done" in text


def test_a_long_sweep_has_a_page_of_bounded_size() -> None:
    """Of 10,000 rows, 2,000 are shown, and the others are told; the same bytes have the same letter."""
    sweep, swept = make_long_sweep(10_000)
    page = make_sweep_page(sweep, swept, [])
    assert len(page) < 2 << 20
    assert read(page).rows == 1 + MOST_ROWS
    text = page.decode()
    assert "All 10000 combinations done" in text
    assert "8000 more combinations are in the CSV alone" in text
    assert (text.count(">A · 5 B<"), text.count(">B · 5 B<"), text.count(">0.930<")) == (2, 1, MOST_ROWS)


def test_letters_go_on() -> None:
    """As a spreadsheet counts its columns."""
    assert [write_letters(place) for place in (0, 25, 26, 51, 52, 701, 702)] == [
        "A",
        "Z",
        "AA",
        "AZ",
        "BA",
        "ZZ",
        "AAA",
    ]
