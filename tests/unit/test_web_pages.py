"""What the pages of `rtrace web` show, and what their forms change."""

from __future__ import annotations

import html
import json
import re
import time
from pathlib import Path
from typing import get_type_hints

import pytest

from rtrace.operations.history.moments import write_moment
from rtrace.record.document import Record
from rtrace.record.empty import empty_record
from rtrace.web.facts.sections import CHAPTERS
from rtrace.web.facts.tables import PAGE_ROWS
from web_client import Pages, make_pages
from web_history import make_run


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    """The pages of a small history."""
    return make_pages(tmp_path)


def list_runs(text: str) -> list[str]:
    """Return the names of the runs in a list."""
    return re.findall(r'class="name"><a href="/run/[0-9a-f-]+">([^<]+)</a>', text)


def test_list_shows_runs_and_finds_them(pages: Pages) -> None:
    """The newest run comes first; words, a tag, a project, a status, days, a parameter and a file choose among them."""
    names = list_runs(pages.read("/"))
    assert names[1:] == ["trend-0.2", "trend-0.1"]
    for query, wanted in (
        ("q=depends", names[1:]),
        ("tag=paper&project=heatwave", names[1:]),
        ("status=failed", []),
        ("kind=verification", names[:1]),
        ("param=rate%3D0.1", ["trend-0.1"]),
        ("file=table-0.2.csv", ["trend-0.2"]),
        ("since=2026-11-29&until=2026-11-29", names),
        ("since=2026-11-30", []),
        ("until=2026-11-28", []),
    ):
        assert list_runs(pages.read(f"/?{query}")) == wanted, query


@pytest.mark.parametrize(
    "zone, day, shown, name",
    [
        ("UTC", "2026-11-29", "2026-11-29 12:00:00", "UTC+00:00"),
        ("Etc/GMT-13", "2026-11-30", "2026-11-30 01:00:00", "UTC+13:00"),
        ("Etc/GMT+12", "2026-11-29", "2026-11-29 00:00:00", "UTC-12:00"),
    ],
)
def test_days_and_times_are_local(
    pages: Pages, monkeypatch: pytest.MonkeyPatch, zone: str, day: str, shown: str, name: str
) -> None:
    """Days are chosen and times shown as `rtrace log` does, and the pages say which ones these are."""
    monkeypatch.setenv("TZ", zone)
    time.tzset()
    try:
        repeat = list_runs(pages.read("/"))[0]
        text = pages.read(f"/?since={day}&until={day}")
        assert repeat in list_runs(text)
        assert f">{shown}<" in text
        assert f"those of this machine, now {name}" in text
        assert repeat not in list_runs(pages.read("/?since=2026-12-01"))
        assert repeat not in list_runs(pages.read("/?until=2026-11-28"))
        (run,) = re.findall(r'class="name"><a href="(/run/[0-9a-f-]+)">' + repeat, text)
        assert shown in pages.read(run)
        assert write_moment(253402300799_000000).startswith(("9999-12-31", "9999-12-30"))
    finally:
        monkeypatch.undo()
        time.tzset()


def test_list_goes_on_to_further_pages(pages: Pages, tmp_path: Path) -> None:
    """Of more runs than a page holds the rest is on the next one, the filter being the same."""
    record = make_run(tmp_path / "more")
    for number in range(60):
        pages.add({**empty_record(), "label": f"many-{number}", "tags": ["many"], "started": record["started"]})
    first = pages.read("/?tag=many")
    assert len(list_runs(first)) == 50
    assert "60 runs found" in first
    (further,) = re.findall(r'rel="next" href="([^"]+)"', first)
    second = pages.read("/" + html.unescape(further))
    assert len(list_runs(second)) == 10
    assert not set(list_runs(first)) & set(list_runs(second))


def test_every_key_of_a_record_has_its_chapter() -> None:
    """No key of the record is left to the chapter of those that nobody thought of, and none is shown that is gone."""
    shown = {key for keys in CHAPTERS.values() for key in keys}
    assert shown == {*get_type_hints(Record), "settings"}


def list_texts(value: object, key: str = "") -> list[str]:
    """Return every text and number in a value that a page shows as it is."""
    if isinstance(value, dict):
        return [text for name, one in value.items() for text in list_texts(one, name)]
    if isinstance(value, list):
        return [text for one in value for text in list_texts(one, key)]
    if isinstance(value, bool | None) or key in {"started", "finished", "modified", "committed", "at", "text", "diff"}:
        return []
    return [str(value)]


def test_page_of_a_run_has_all_that_the_record_says(pages: Pages) -> None:
    """Each text of the record, what was printed, and a key that a later rtrace adds are on the page of the run."""
    record = pages.records[0]
    later = {**record, "id": empty_record()["id"], "from_later": {"a key": "a value of it"}}
    address = pages.add(later)  # type: ignore[arg-type]
    text = html.unescape(re.sub(r"<[^>]*>", " ", pages.read(address)))
    shown = re.sub(r"\s+", " ", text)
    numbers = {"8.25": "8.25 s", "6.5": "6.50 s", "0.4": "0.40 s"}
    missing = [one for one in list_texts(record) if numbers.get(one, one) not in shown]
    assert [one for one in missing if not re.fullmatch(r"[\d.]+", one) and one != record["id"]] == []
    assert "fitting ..." in shown
    assert "+import pandas" in shown
    assert "a value of it" in shown


def test_long_lists_have_pages_of_their_own(pages: Pages) -> None:
    """Of a list of a thousand the run's page has the first rows, and leads to all."""
    record = empty_record()
    record["environment"] = {f"NAME_{number:04}": f"value {number}" for number in range(PAGE_ROWS + 5)}
    address = pages.add(record)
    text = pages.read(address)
    assert "NAME_0049" in text
    assert "NAME_0050" not in text
    assert f'href="{address}/list/environment"' in text
    assert "NAME_0499" in pages.read(f"{address}/list/environment")
    assert "NAME_0504" in pages.read(f"{address}/list/environment?page=2")


def test_record_can_be_saved(pages: Pages) -> None:
    """The document itself is there as a file to be saved, every key in it."""
    response = pages.get(f"{pages.run}/record.json")
    assert response.headers["Content-Disposition"].startswith("attachment;")
    assert json.loads(response.data) == pages.records[0]


def test_form_changes_what_is_said(pages: Pages) -> None:
    """Reason, outcome, label and tags are those of the form; each change is one annotation, no change is none."""
    address = f"{pages.run}/annotate"
    before = {"label_before": "trend-0.1", "tags_before": "paper, trend"}
    values = {"label": "best", "reason": "Why\r\nnot", "outcome": "It does", "tags": "paper, figure 2", **before}
    response = pages.post(address, values)
    assert (response.status_code, response.location) == (303, pages.run)
    record = pages.stored()
    assert (record["label"], record["reason"], record["outcome"]) == ("best", "Why\nnot", "It does")
    assert record["tags"] == ["figure 2", "paper"]
    assert [one["add_tags"] for one in record["annotations"]] == [["figure 2"]]
    assert list_runs(pages.read("/?tag=figure+2")) == ["best"]
    same = {
        "label": "best",
        "label_before": "best",
        "reason": "Why\r\nnot",
        "reason_before": "Why\nnot",
        "tags": "paper",
    }
    pages.post(address, {**same, "tags": "paper", "tags_before": "paper"})
    assert len(pages.stored()["annotations"]) == 1


def test_form_leaves_what_others_said_meanwhile(pages: Pages) -> None:
    """A page that was shown before another change takes nothing of that back."""
    address = f"{pages.run}/annotate"
    shown = {"label": "trend-0.1", "label_before": "trend-0.1", "tags_before": "paper, trend"}
    pages.post(address, {**shown, "tags": "paper, trend, new", "outcome": "first"})
    pages.post(address, {**shown, "tags": "paper", "reason": "second"})
    record = pages.stored()
    assert record["tags"] == ["new", "paper"]
    assert (record["outcome"], record["reason"]) == ("first", "second")


def test_form_has_limits(pages: Pages) -> None:
    """A text or a tag that is too long is refused in a sentence, and nothing changes."""
    address = f"{pages.run}/annotate"
    for values in ({"reason": "x" * 10_001}, {"tags": "y" * 101}, {"tags": ",".join(map(str, range(101)))}):
        response = pages.post(address, values)
        assert response.status_code == 400
        assert "at most" in response.text
    assert pages.post(address, {"label": "last~2"}).status_code == 400
    assert pages.stored() == pages.records[0]


def test_comparison_shows_what_differs(pages: Pages) -> None:
    """Two runs by any of their names: parameters and outputs that differ, what does not, and pictures of both."""
    for names in ("run=trend-0.1&run=trend-0.2", f"run={pages.records[0]['id'][:-1]}&run=last"):
        text = pages.read(f"/compare?{names}")
        assert re.search(r"rate.*?0\.1.*?0\.2", text, re.DOTALL)
        assert "results/logo.svg (the same)" in text
        assert "trend-0.1.png of" not in text  # only one made it
    (pages.folder / "experiment/results/logo.svg").unlink()
    assert "That of trend-0.1 is not there any more" in pages.read("/compare?run=trend-0.1&run=trend-0.2")
    assert pages.get("/compare?run=trend-0.1&run=nothing").status_code == 404
    again = make_run(pages.folder / "experiment", 0.1)
    pages.add({**again, "label": "again"})
    text = pages.read("/compare?run=trend-0.1&run=again")
    assert "Nothing else differs" in text
    assert "trend-0.1.png (the same)" in text


def test_graph_shows_files_processes_and_other_runs(pages: Pages) -> None:
    """Inputs, outputs, processes and the verification of the run are boxes that lead to their pages."""
    text = pages.read(f"{pages.run}/graph")
    nodes = re.findall(r'<a class="node (\w+)" id="[^"]+" href="([^"]+)">.*?<text [^>]*>([^<]*)</text>', text)
    assert ("input", f"{pages.run}/file/inputs/0", "stations.csv") in nodes
    assert ("output", f"{pages.run}/file/outputs/0", "results/trend-0.1.png") in nodes
    assert ("process", f"{pages.run}/list/processes", "8 x gzip part-4") in nodes
    assert [href for look, href, _label in nodes if look == "run"] == [f"/run/{pages.records[2]['id']}"]
    above = pages.read(f"/run/{pages.records[2]['id']}/graph")
    assert f'href="{pages.run}"' in above


def test_graph_of_a_large_run_stays_readable(pages: Pages) -> None:
    """Ten thousand inputs and as many processes, in a circle even, are at most some forty and sixty boxes."""
    record = make_run(pages.folder / "large")
    file, process = record["inputs"][0], record["processes"][0]
    record["inputs"] = [{**file, "path": f"/data/{n % 200}/{n % 7}/{n}.nc"} for n in range(10_000)]
    record["processes"] = [
        {**process, "id": n, "parent": (n + 1) % 10_000, "program": f"/bin/p{n}"} for n in range(10_000)
    ]
    text = pages.read(f"{pages.add(record)}/graph")
    assert 2 < text.count('class="node input"') <= 40
    assert 0 < text.count('class="node process"') <= 60
