"""The pages of `rtrace web` in a real browser."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from rtrace.record.document import Record
from rtrace.record.history.opening import open_history
from showing import HOSTILE, SURROGATES
from web_browser import AXE, CHECKER, Looking, Served, browsing, looking, serve_history
from web_history import fill_history, make_hostile

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.xdist_group("web")]

MARKUP = (
    "</textarea></script></title><script>owned = 1</script><img src=x onerror='owned = 1'>"
    "<a href='javascript:owned = 1' autofocus onfocus='owned = 1'>x</a>\"'><svg onload='owned = 1'>"
    "{{ 7 * 7 }}{% raw %}<style>*{display:none}</style><meta http-equiv=refresh content='0;url=https://evil.example'>"
    "<iframe src='https://evil.example'></iframe>&lt;b&gt;"
)
HOSTILE_TEXT = MARKUP + HOSTILE + SURROGATES


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests."""
    with browsing() as started:
        yield started


@pytest.fixture
def records(tmp_path: Path) -> list[Record]:
    """The runs of a history."""
    return fill_history(tmp_path / "history", tmp_path / "experiment")


@pytest.fixture
def served(tmp_path: Path, records: list[Record]) -> Iterator[Served]:
    """The pages of that history."""
    assert records
    with serve_history(tmp_path / "history") as server:
        yield server


@pytest.fixture
def seen(browser: Browser, served: Served) -> Iterator[Looking]:
    """A page that was let in; at the end nobody has objected to anything, nor asked for anything elsewhere."""
    with looking(browser, served) as page:
        yield page
        assert page.complaints == []
        assert page.elsewhere == []


def list_pages(records: list[Record]) -> list[str]:
    """Return the addresses of a page of each kind."""
    first, second = f"/run/{records[0]['id']}", records[1]["id"]
    files = [f"{first}/file/{name}" for name in ("inputs/0", "inputs/1", "outputs/0", "outputs/3", "scripts/0")]
    return [
        "/", "/?tag=paper", "/?q=nothing-at-all", "/help", first, f"/run/{records[2]['id']}", f"{first}/graph",
        f"{first}/list/environment", f"/compare?run={records[0]['id']}&run={second}", *files,
    ]  # fmt: skip


def test_person_searches_opens_compares_and_tags(seen: Looking, records: list[Record], tmp_path: Path) -> None:
    """From the address that was printed: words find runs, one opens, a tag and a reason are given, two are compared."""
    page = seen.page
    assert page.url == seen.base  # the token is not in the address any more
    assert page.locator(".runs tbody tr").count() == 3
    page.get_by_role("searchbox").fill("depends rate")
    seen.click("Search")
    assert page.locator(".runs tbody tr").count() == 2
    seen.click("trend-0.1", "link")
    assert page.locator("h1").inner_text() == "trend-0.1"
    page.get_by_text("Edit label, reason, outcome and tags").click()
    page.get_by_label("Tags, with commas between them").fill("paper, figure 3")
    page.get_by_label("Outcome", exact=True).fill("It <does>.\nReally")
    seen.click("Save")
    assert page.locator("dd.outcome").inner_text() == "It <does>.\nReally"
    kept = open_history(str(tmp_path / "history")).read(records[0]["id"])
    assert (kept["tags"], kept["outcome"]) == (["figure 3", "paper"], "It <does>.\nReally")
    seen.click("figure 3", "link")
    assert page.locator(".runs tbody tr").count() == 1
    seen.go("/")
    for box in page.get_by_role("checkbox").all()[1:]:
        box.check()
    seen.click("Compare the two chosen runs")
    assert page.locator("h1").inner_text() == "trend-0.2 and trend-0.1"
    assert "results/table-0.1.csv" in page.locator("main").inner_text()
    assert page.locator("img.picture").count() == 2


def test_files_are_shown(seen: Looking, records: list[Record]) -> None:
    """A picture has its size on the page, a table its cells; the script in a drawing does not run."""
    outputs = f"/run/{records[0]['id']}/file/outputs"
    seen.go(f"{outputs}/0")
    assert seen.page.evaluate("document.querySelector('img.picture').naturalWidth") == 480
    seen.go(f"{outputs}/1")
    assert seen.page.locator("table.data td").all_inner_texts()[:2] == ["2021", "0.1"]
    seen.go(f"{outputs}/3")
    seen.page.wait_for_function("document.querySelector('img.picture').naturalWidth === 40")
    assert seen.page.evaluate("window.owned") is None
    with seen.page.expect_download() as download:
        seen.page.get_by_role("link", name="Save it").click()
    assert Path(download.value.path()).read_bytes() == Path(records[0]["outputs"][3]["path"]).read_bytes()


def test_drawing_by_itself_runs_nothing(browser: Browser, served: Served, records: list[Record]) -> None:
    """Opened by itself, a drawing of a run is a document whose script is blocked."""
    with looking(browser, served) as page:
        page.go(f"/run/{records[0]['id']}/file/outputs/3/picture")
        assert page.page.evaluate("window.owned") is None
        assert page.complaints
        assert all("Content Security Policy" in one or "sandboxed" in one for one in page.complaints)


def test_graph_zooms_and_moves(seen: Looking, records: list[Record]) -> None:
    """Buttons, wheel and keys show a part of the graph, dragging moves it, and a box leads to its page."""
    page = seen.page
    seen.go(f"/run/{records[0]['id']}/graph")

    def box() -> list[float]:
        value: list[float] = page.evaluate("(b => [b.x, b.y, b.width, b.height])(graph.viewBox.baseVal)")
        return value

    whole = box()
    page.get_by_role("button", name="Larger").click()
    larger = box()
    assert larger[2] < whole[2]
    page.get_by_role("button", name="All of it").click()
    assert box() == whole
    page.locator("#graph").hover(position={"x": 10, "y": 10})
    page.mouse.wheel(0, -300)
    page.wait_for_function(f"graph.viewBox.baseVal.width < {whole[2]}")
    page.locator("#drawing").press("0")
    page.locator("#drawing").press("ArrowRight")
    assert box()[0] > whole[0]
    page.locator("#drawing").press("0")
    page.mouse.move(20, 600)
    frame = page.locator("#drawing").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 10, frame["y"] + 10)
    page.mouse.down()
    page.mouse.move(frame["x"] + 110, frame["y"] + 40)
    page.mouse.up()
    assert box()[0] < whole[0]
    page.get_by_role("button", name="All of it").click()
    page.locator("#input-0").hover()
    assert page.locator(".arrow.touched").count() == 1
    with page.expect_navigation():
        page.locator("#input-0").click()
    assert page.url.endswith("/file/inputs/0")


def test_keys_do_what_the_help_says(seen: Looking, records: list[Record]) -> None:
    """Without a mouse: skip link, search, next run, editing, graph, help; and the keys can be switched off."""
    page = seen.page
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.className") == "skip"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") == "q"
    page.keyboard.type("/je")
    assert page.get_by_role("searchbox").input_value() == "/je"
    page.keyboard.press("Tab")
    for key, label in (("j", None), ("j", "trend-0.2"), ("j", "trend-0.1"), ("k", "trend-0.2"), ("j", "trend-0.1")):
        page.keyboard.press(key)
        assert label is None or page.evaluate("document.activeElement.textContent") == label
    with page.expect_navigation():
        page.keyboard.press("Enter")
    page.keyboard.press("e")
    assert page.evaluate("document.activeElement.name") == "reason"
    page.keyboard.press("Shift+Tab")
    page.evaluate("document.activeElement.blur()")
    with page.expect_navigation():
        page.keyboard.press("g")
    assert page.url.endswith(f"{records[0]['id']}/graph")
    with page.expect_navigation():
        page.keyboard.press("?")
    page.get_by_label("Use these keys").uncheck()
    page.evaluate("document.activeElement.blur()")
    page.keyboard.press("/")
    assert page.evaluate("document.activeElement.id") != "q"


@pytest.mark.parametrize("width", [360, 320])
def test_phone_needs_no_scrolling_sideways(browser: Browser, served: Served, records: list[Record], width: int) -> None:
    """On a narrow screen no page is wider than it."""
    with looking(browser, served, width=width) as page:
        for path in list_pages(records):
            page.go(path)
            assert page.page.evaluate("document.documentElement.scrollWidth") <= width, path


def test_dark_mode_is_dark(browser: Browser, served: Served) -> None:
    """Who prefers dark pages gets light letters on a dark ground."""
    shades = []
    for dark in (False, True):
        with looking(browser, served, dark=dark) as page:
            shades.append(page.page.evaluate("getComputedStyle(document.documentElement).backgroundColor"))
    assert shades == ["rgb(255, 255, 255)", "rgb(20, 24, 28)"]


@pytest.mark.requires("page-checkers")
@pytest.mark.parametrize("dark", [False, True])
def test_pages_are_accessible(browser: Browser, served: Served, records: list[Record], *, dark: bool) -> None:
    """The rules of axe-core find nothing wrong with any page, all that is folded being open, light and dark."""
    with looking(browser, served, dark=dark) as page:
        for path in [*list_pages(records), "/nothing"]:
            page.page.goto(page.base + path.lstrip("/"))
            # Outside of the page's policy, as an extension of the browser would be: by the protocol of the debugger.
            page.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
            page.page.evaluate(AXE.read_text("utf-8"))
            found = page.page.evaluate("axe.run().then(found => found.violations)")
            assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == [], path


@pytest.mark.requires("page-checkers", "java")
def test_pages_are_valid(browser: Browser, served: Served, records: list[Record], tmp_path: Path) -> None:
    """The Nu HTML checker of the W3C has nothing to say against any page, refusals and a hostile record included."""
    hostile = make_hostile(records[0], HOSTILE_TEXT)
    open_history(str(tmp_path / "history")).add(hostile)
    folder = tmp_path / "pages"
    folder.mkdir()
    with looking(browser, served) as page:
        paths = [*list_pages(records), *list_pages([hostile, *records[1:]])[4:], "/nothing"]
        for number, path in enumerate(paths):
            answer = page.page.request.get(page.base + path.lstrip("/"))
            (folder / f"{number}.html").write_bytes(answer.body())
        refused = browser.new_context().request.get(page.base)
        (folder / "refused.html").write_bytes(refused.body())
    done = subprocess.run(
        ["java", "-jar", CHECKER, "--format", "json", "--also-check-svg", folder],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    messages = json.loads(done.stderr)["messages"]
    assert [(one["url"][-12:], one["message"], one.get("extract")) for one in messages] == []


def test_hostile_record_does_nothing(browser: Browser, served: Served, records: list[Record], tmp_path: Path) -> None:
    """Of a record whose every text is script, markup and control characters nothing runs, and all pages can be used."""
    hostile = make_hostile(records[0], HOSTILE_TEXT)
    history = open_history(str(tmp_path / "history"))
    history.add(hostile)
    before = history.read(hostile["id"])  # surrogates that stood together are one character by now
    with looking(browser, served) as page:
        for path in list_pages([hostile, *records[1:]]):
            page.go(path)
            assert page.page.evaluate("window.owned") is None, path
            assert page.page.locator("main h1").is_visible()
            assert page.page.locator("iframe, main script, main style, main meta").count() == 0
            text = page.page.content()
            assert not {char for char in text if char in "\x1b\x07\x00\x9b\u202e\u2066\u200b\ufeff"}
        page.go(f"/run/{hostile['id']}")
        page.page.get_by_text("Edit label, reason, outcome and tags").click()
        page.page.get_by_label("Outcome", exact=True).fill("harmless")
        page.click("Save")
        assert page.page.locator("dd.outcome").inner_text() == "harmless"
        assert page.complaints == []
        assert page.elsewhere == []
    kept = history.read(hostile["id"])
    assert (kept["reason"], kept["label"]) == (before["reason"], before["label"])
    assert set(kept["tags"]) == set(before["tags"])


def test_endless_record_stays_usable(browser: Browser, served: Served, records: list[Record], tmp_path: Path) -> None:
    """Of a record whose every text is a megabyte the beginnings are shown, at the width of a phone, too."""
    endless = make_hostile(records[0], "<b>" + "x" * (1 << 20))
    open_history(str(tmp_path / "history")).add(endless)
    with looking(browser, served, width=360) as page:
        for path in list_pages([endless, *records[1:]]):
            page.go(path)
            assert page.page.evaluate("document.documentElement.scrollWidth") <= 360, path
            assert len(page.page.content()) < 8 << 20, path
            assert page.page.locator("main h1").is_visible()
        page.go(f"/run/{endless['id']}")
        page.page.get_by_text("Edit label, reason, outcome and tags").click()
        page.page.get_by_label("Reason", exact=True).fill("short")
        page.click("Save")
        assert page.page.locator("dd.reason").inner_text() == "short"
        assert page.complaints == []
