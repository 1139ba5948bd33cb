"""The page of `rtrace verify --html` in a real browser, and the JUnit XML by a schema that others wrote."""

from __future__ import annotations

import json
import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import xmlschema
from playwright.sync_api import Browser

from changing_programs import pack_program
from observing import run_rtrace
from report_samples import MARKUP, make_account, make_report
from requirements import CHECKOUT
from rtrace.operations.verifying.junit import make_junit
from rtrace.pages.verification import make_verification_page
from rtrace.verify.exhibits.model import Exhibit, Lines, Side
from rtrace.verify.verdicts import Line
from showing import HOSTILE, SURROGATES
from web_browser import AXE, CHECKER, browsing, opening

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.xdist_group("web")]
HOSTILE_TEXT = MARKUP + HOSTILE + SURROGATES
PROGRAM = """\
import os, struct, zlib
again = os.getpid() < 100  # the replay has processes of its own
value = 2 if again else 1
def chunk(name, data):
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
rows = b"".join(b"\\0" + bytes([200 if x < 9 * value else 20, 90, 30]) * 64 for x in range(32))
with open("figure.png", "wb") as file:
    file.write(b"\\x89PNG\\r\\n\\x1a\\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 64, 32, 8, 2, 0, 0, 0)))
    file.write(chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))
with open("table.csv", "w") as file:
    print("year,rate", "2001,0.5", f"2002,0.{value}25", sep="\\n", file=file)
markup = "<img src=https://evil.example/x onerror='owned = 1'><script>owned = 1</script>\\x1b[2J\\u202e"
with open("notes.txt", "w") as file:
    print("first", f"{markup} {value}", "last", sep="\\n", file=file)
with open(f"<svg onload='owned = 1'>.txt", "w") as file:
    print(value, file=file)
with open("same.txt", "w") as file:
    print("same", file=file)
"""


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for all tests."""
    with browsing() as started:
        yield started


@pytest.fixture(scope="module")
def verified(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the page and the JUnit XML of a real verification in which most results differ."""
    work = tmp_path_factory.mktemp("report") / "work"
    pack_program(work, PROGRAM)
    reports = ("--html", "report.html", "--junit", "report.xml")
    done = run_rtrace("verify", "--no-history", "-q", *reports, "bundle.rpz", cwd=work.parent)
    assert done.returncode == 1, done.stderr
    assert b"\x1b" not in done.stdout
    return work.parent


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("width, dark", [(1100, False), (390, True)], ids=["desktop", "phone"])
def test_page_of_a_verification(browser: Browser, verified: Path, width: int, *, dark: bool) -> None:
    """It asks for nothing, runs nothing, fits the screen, has every row, and shows lines, cells and pictures."""
    with opening(browser, verified / "report.html", width=width, dark=dark) as seen:
        page = seen.page
        assert page.locator("h1").inner_text() == "4 of 8 results differ"
        assert page.locator(".results tbody tr").count() == 8
        assert page.locator("article.card").count() == 4
        sizes = "[...document.images].map(one => [one.naturalWidth, one.naturalHeight])"
        assert page.evaluate(sizes) == [[64, 32]] * 3
        assert page.locator(".cells del").inner_text() == "0.125"
        assert page.locator(".cells ins").inner_text() == "0.225"
        assert page.locator(".lines td.del del").all_inner_texts() == ["1", "1"]
        assert "<script>owned = 1</script>\\x1b[2J\\u202e" in page.locator(".lines").nth(1).inner_text()
        assert page.evaluate("[window.owned, document.scripts.length]") == [None, 0]
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        name = page.locator("article.card .file").first.evaluate("one => one.getBoundingClientRect().height")
        assert name > 0
        assert (seen.complaints, seen.elsewhere) == ([], [])


@pytest.fixture(scope="module")
def hostile(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A page in which all that a bundle says is markup and control characters."""
    page = make_verification_page(make_report(HOSTILE_TEXT), make_account(HOSTILE_TEXT))
    path = tmp_path_factory.mktemp("hostile") / "report.html"
    path.write_bytes(page)
    return path


@pytest.mark.parametrize("width", [1100, 390])
def test_hostile_report_does_nothing(browser: Browser, hostile: Path, width: int) -> None:
    """Where everything that a bundle says is markup and control characters, nothing runs and nothing is asked for."""
    with opening(browser, hostile, width=width) as seen:
        assert seen.page.evaluate("[window.owned, document.scripts.length]") == [None, 0]
        assert seen.page.locator(".results tbody tr").count() == 9
        assert seen.page.locator("iframe, main script, main style, main meta, main svg").count() == 0
        assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
        assert (seen.complaints, seen.elsewhere) == ([], [])


def test_policy_would_stop_what_was_not_escaped(browser: Browser, hostile: Path) -> None:
    """Even a script and a picture from elsewhere that are in the page run nothing and ask for nothing."""
    with opening(browser, hostile) as seen:
        seen.page.evaluate("""() => {
            const script = document.createElement('script');
            script.textContent = 'window.owned = 1';
            document.body.append(script);
            document.body.insertAdjacentHTML('beforeend', '<img src="https://evil.example/x" onerror="owned = 1">');
        }""")
        seen.page.wait_for_function("document.images[document.images.length - 1].complete")
        assert seen.page.evaluate("window.owned") is None
        assert seen.elsewhere == []
        assert len(seen.complaints) >= 2
        assert all("Content Security Policy" in one for one in seen.complaints)


def test_page_of_thousands_opens(browser: Browser, tmp_path: Path) -> None:
    """A page of 2,000 outputs that all differ has a row for each, and comes to the end of its loading."""
    exhibit = Exhibit(lines=tuple(Lines(Side(one, "x" * 80), Side(one, "y" * 80)) for one in range(30)))
    many = (Line("different", "run1", b"/w/results/%04d.txt" % one, "size", exhibit=exhibit) for one in range(1990))
    page = make_verification_page(make_report(extra=tuple(many)), make_account())
    assert len(page) < 5_000_000
    (tmp_path / "report.html").write_bytes(page)
    with opening(browser, tmp_path / "report.html") as seen:
        assert seen.page.locator(".results tbody tr").count() == 1999
        assert seen.page.evaluate("performance.getEntriesByType('navigation')[0].loadEventEnd") > 0
        assert (seen.complaints, seen.elsewhere) == ([], [])


@pytest.mark.requires("page-checkers")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_page_is_accessible(browser: Browser, verified: Path, *, dark: bool) -> None:
    """axe-core has nothing to say against it, in either colour scheme."""
    with opening(browser, verified / "report.html", dark=dark) as seen:
        seen.page.evaluate("document.querySelectorAll('details').forEach(one => { one.open = true; })")
        seen.page.evaluate(AXE.read_text("utf-8"))
        found = seen.page.evaluate("axe.run().then(found => found.violations)")
        assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found] == []


@pytest.mark.requires("page-checkers", "java")
def test_page_is_valid(verified: Path, hostile: Path) -> None:
    """The Nu HTML checker of the W3C has nothing to say against it, nor against one that is hostile all over.

    What it says of policies and languages is left out: browsers are asked about the one, and markup has none.
    """
    done = subprocess.run(
        ["java", "-jar", CHECKER, "--format", "json", verified / "report.html", hostile],
        check=False,
        capture_output=True,
        stdin=subprocess.DEVNULL,
    )
    messages = [
        (one["url"][-20:], one["message"], one.get("extract"))
        for one in json.loads(done.stderr)["messages"]
        if not re.search("violates Content Security Policy|appears to be written in", one["message"])
    ]
    assert messages == []


def test_junit_is_what_jenkins_takes(verified: Path, tmp_path: Path) -> None:
    """A real report, and one that is hostile all over, fit the schema of Jenkins' xUnit plugin."""
    schema = xmlschema.XMLSchema(CHECKOUT / "fixtures/junit/junit-10.xsd")
    (tmp_path / "hostile.xml").write_bytes(make_junit(make_report(HOSTILE_TEXT), make_account(HOSTILE_TEXT)))
    for file in (verified / "report.xml", tmp_path / "hostile.xml"):
        assert [str(error) for error in schema.iter_errors(os.fspath(file))] == []
    broken = (verified / "report.xml").read_bytes().replace(b"<testcase name=", b"<testcase title=")
    (tmp_path / "broken.xml").write_bytes(broken)
    assert list(schema.iter_errors(os.fspath(tmp_path / "broken.xml")))
