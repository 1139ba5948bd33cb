"""The directive `rtrace-figure` in a real Sphinx: a figure that is what its run made, and others."""

from __future__ import annotations

import hashlib
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from figure_samples import STAMP, SVG
from rtrace.figures.kinds import read_figure, write_figure

CHECKOUT = Path(__file__).resolve().parents[2]
SPHINX = CHECKOUT / ".bench/sphinx/bin/python"
DIGEST = hashlib.sha256(SVG).hexdigest()
STAMPED = write_figure(read_figure(SVG), replace(STAMP, sha256=DIGEST, label="first"))

pytestmark = pytest.mark.requires("sphinx")


def build(folder: Path, source: str, name: str = "index.rst") -> tuple[bool, str, str]:
    """Build a page; return whether that succeeded, what Sphinx warned of, and the page."""
    (folder / "conf.py").write_text('extensions = ["rtrace.figures.sphinx", "myst_parser"]\nproject = "x"\n')
    (folder / name).write_text(source)
    argv = [str(SPHINX), "-m", "sphinx", "-q", "--fail-on-warning", "-b", "html", ".", "out"]
    done = subprocess.run(argv, cwd=folder, check=False, capture_output=True, text=True, timeout=120)
    return done.returncode == 0, done.stderr, (folder / "out/index.html").read_text("utf-8")


def test_a_figure_that_checks_is_a_link(tmp_path: Path) -> None:
    """A stamped figure of the run, with its digest, is shown with its caption and links to the run."""
    (tmp_path / "plot.svg").write_bytes(STAMPED)
    source = f"Title\n=====\n\n.. rtrace-figure:: first?plot.svg\n   :digest: {DIGEST}\n\n   A caption.\n"
    good, warned, page = build(tmp_path, source)
    assert (good, warned) == (True, "")
    assert f'href="{STAMP.link}"' in page
    assert "A caption." in page


def test_it_works_in_markdown(tmp_path: Path) -> None:
    """MyST has the directive as well."""
    (tmp_path / "plot.svg").write_bytes(STAMPED)
    good, warned, page = build(tmp_path, "# Title\n\n```{rtrace-figure} plot.svg\nA caption.\n```\n", "index.md")
    assert (good, warned) == (True, "")
    assert f'href="{STAMP.link}"' in page


@pytest.mark.parametrize(
    "data, words, options",
    [
        (SVG, "it has no stamp; make one with `rtrace figure`", ""),
        (STAMPED.replace(b"L9 9", b"L9 8"), "it has been changed since it was stamped; make it again", ""),
        (STAMPED, f"its SHA-256 is {DIGEST}, not abc", "   :digest: abc\n"),
        (b"text", "it cannot be checked: it is none of", ""),
    ],
)
def test_another_figure_is_a_warning(tmp_path: Path, data: bytes, words: str, options: str) -> None:
    """A figure that is not what its run made stops the build, with the place where it is included."""
    (tmp_path / "plot.svg").write_bytes(data)
    good, warned, _page = build(
        tmp_path, f"Title\n=====\n\n.. rtrace-figure:: first?plot.svg\n{options}\n   A caption.\n"
    )
    assert not good
    assert f"plot.svg: {words}" in warned
    assert "index.rst:4" in warned


def test_a_figure_of_another_run_is_a_warning(tmp_path: Path) -> None:
    """The run that is named must be the one in the stamp: its label, or the beginning of its id."""
    (tmp_path / "plot.svg").write_bytes(STAMPED)
    for run, fits in (("first", True), (STAMP.run[:9], True), ("second", False)):
        good, warned, _page = build(tmp_path, f"Title\n=====\n\n.. rtrace-figure:: {run}?plot.svg\n\n   A {run}.\n")
        assert good is fits
        assert ("not by second" in warned) is not fits
