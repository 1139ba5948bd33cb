"""The page and the JUnit XML of a verification: all of it is there, escaped, and no more than fits."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from xml.etree import ElementTree as ET

import pytest

from report_samples import MARKUP, make_account, make_report
from rtrace.operations.verifying.junit import make_junit
from rtrace.pages.verification import ROOM_FOR_CARDS, ROOM_FOR_ROWS, make_verification_page
from rtrace.verify.exhibits.model import Exhibit, Lines, Side
from rtrace.verify.verdicts import Line, Report
from showing import HOSTILE, SURROGATES

BUDGET = 5_000_000
HOSTILE_TEXT = MARKUP + HOSTILE + SURROGATES + "\0\x1b]0;x\x07\ufffe\u2028"


class Reader(HTMLParser):
    """Collects what elements and attributes a page has, and its text."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.attributes: set[tuple[str, str]] = set()
        self.values: set[str] = set()
        self.words: list[str] = []
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note an element."""
        self.tags.append(tag)
        self.attributes |= {(tag, name) for name, _ in attrs}
        self.values |= {value or "" for name, value in attrs if name in {"src", "href"}}

    def handle_data(self, data: str) -> None:
        """Note a text."""
        self.words.append(data)


def test_every_result_is_on_the_page() -> None:
    """Each result that counts has a row, what differs a part of its own; what is left out is counted."""
    report, account = make_report(), make_account()
    page = Reader(make_verification_page(report, account).decode())
    text = "".join(page.words)
    judged = [line for line in report.lines if line.scope == "output"]
    rows = make_verification_page(report, account).decode().count('<tr><td><span class="badge ')
    assert rows == len(judged) == 9
    assert page.tags.count("article") == 8 + 1  # all but what is the same, and the run
    assert page.tags.count("img") == 3
    for words in (
        report.summary[1:],
        "What differs (5)",
        "What could not be judged (1)",
        "Alike, with other bytes (2)",
    ):
        assert words in text
    for words in ("at most 50.0 MiB", "40.0 MiB", "2.25 s", "2.50 s", "left out", "INCOMPLETE: value", "12.50 s"):
        assert words in text


def test_hostile_names_and_contents_are_text() -> None:
    """Nothing that a bundle says becomes an element, an attribute, an address or a character that a terminal obeys."""
    plain = Reader(make_verification_page(make_report(), make_account()).decode())
    page = make_verification_page(make_report(HOSTILE_TEXT), make_account(HOSTILE_TEXT)).decode("utf-8")
    hostile = Reader(page)
    assert (hostile.tags, hostile.attributes) == (plain.tags, plain.attributes)
    assert hostile.values == plain.values
    assert all(value.startswith(("data:image/png;base64,", "data:,")) for value in hostile.values)
    shown = page[page.index("<body") :]
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\u200e\u200f\ufeff\ufffe]", shown)
    assert "{{ 7 * 7 }}" in "".join(hostile.words)


def test_page_of_thousands_of_results_is_small() -> None:
    """2,000 outputs that differ are all in the table; as many as fit are shown in full, and the rest is counted."""
    exhibit = Exhibit(lines=tuple(Lines(Side(one, "x" * 80), Side(one, "y" * 80)) for one in range(30)))
    many = tuple(
        Line("different", "run1", b"/home/somebody/study/results/output-%04d.txt" % number, "size", exhibit=exhibit)
        for number in range(2000)
    )
    page = make_verification_page(Report(many), make_account())
    assert len(page) < BUDGET
    text = page.decode()
    assert text.count('<tr><td><span class="badge ') == 2000
    cards = text.count('<article class="card')
    assert 300 < cards < 2000
    assert f"{2000 - cards} more are not shown in full" in text


def test_page_is_small_whatever_names_there_are() -> None:
    """Names as long as paths can be, all of which need escapes, leave the page small, and it says what it lacks."""
    many = tuple(Line("different", "run1", b"/%05d" % number + b"<\x1b" * 2000, "<" * 9000) for number in range(4000))
    report = replace(make_report(), lines=many, notes=("<" * 5000,) * 900, others=("<" * 5000,) * 900)
    account = make_account()
    account = replace(account, notices=account.notices * 900, runs=account.runs * 900)
    page = make_verification_page(report, account)
    assert len(page) < BUDGET + 400_000
    assert ROOM_FOR_CARDS + ROOM_FOR_ROWS < BUDGET
    text = page.decode()
    rows = text.count('<tr><td><span class="badge ')
    assert f"{4000 - rows} more results have no row" in text
    for words in ("more bytes…", "more characters…", "860 more, which", "850 more runs", "800 more; "):
        assert words in text


@pytest.mark.parametrize("text", ["value", HOSTILE_TEXT], ids=["plain", "hostile"])
def test_junit_counts_what_it_holds(text: str) -> None:
    """Each result that counts is a test case, a failure where it differs, an error where it could not be judged."""
    document = make_junit(make_report(text), make_account(text))
    root = ET.fromstring(document)  # noqa: S314 -- see above
    (suite,) = root.findall("testsuite")
    cases = suite.findall("testcase")
    found = {tag: sum(case.find(tag) is not None for case in cases) for tag in ("failure", "error", "skipped")}
    assert found == {"failure": 5, "error": 1, "skipped": 1}
    counted = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    assert counted == {"tests": len(cases), "failures": 5, "errors": 1, "skipped": 1}
    assert [root.attrib[name] for name in ("tests", "failures", "errors")] == [str(len(cases)), "5", "1"]
    assert suite.attrib["timestamp"] == "2027-01-15T08:00:00"
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\ufffe]", document.decode())
