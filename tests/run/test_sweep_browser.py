"""The page of a sweep in a real browser: nothing is asked for or run, and every row is there, on a telephone too."""

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import cast

import pytest

from rtrace.cli.sweep.run import write_command
from rtrace.pages.sweeping import make_sweep_page
from sweep_samples import HOSTILE, make_hostile_sweep
from web_browser import AXE, CHECKER, Served, browsing, looking

pytestmark = [pytest.mark.requires("chromium"), pytest.mark.xdist_group("web")]


@pytest.mark.requires("page-checkers", "java")
def test_a_page_of_hostile_values_does_nothing(tmp_path: Path) -> None:
    """On a desk and on a telephone, light and dark: no request, no complaint, no sideways scrolling; it is sound."""
    sweep, swept = make_hostile_sweep()
    path = tmp_path / "page.html"
    path.write_bytes(make_sweep_page(sweep, swept, write_command(sweep)))
    file = Served(cast("subprocess.Popen[str]", None), path.as_uri(), "")
    with browsing() as browser:
        for width, dark in ((1100, False), (390, True)):
            with looking(browser, file, width=width, dark=dark) as seen:
                assert seen.page.locator("tbody tr").count() == len(HOSTILE)
                assert seen.page.locator("tbody tr:first-child td").nth(0).inner_text() == "done"
                assert seen.page.evaluate("document.documentElement.scrollWidth") <= width
                seen.page.evaluate(AXE.read_text("utf-8"))
                wrong = seen.page.evaluate("axe.run().then(found => found.violations.map(one => one.nodes[0].html))")
                assert (wrong, seen.elsewhere, seen.complaints) == ([], [], [])
    checked = subprocess.run(["java", "-jar", CHECKER, "--errors-only", path], check=False, capture_output=True)
    assert (checked.returncode, checked.stderr.decode()) == (0, "")
