"""rtrace.sty in real engines of TeX: a figure that is what its run made is included, another one refused."""

from __future__ import annotations

import hashlib
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from figure_samples import make_pdf, make_png, make_record
from rtrace.record.history.opening import open_history

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

pytestmark = pytest.mark.requires("pdflatex")
ENGINES = [
    "pdflatex",
    pytest.param("xelatex", marks=pytest.mark.requires("xelatex")),
    pytest.param("lualatex", marks=pytest.mark.requires("lualatex")),
]
PLOT, OTHER, PAGE = make_png(1), make_png(2), make_pdf()


class Paper:
    """A folder with a paper and its figures, and how LaTeX is run on it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = ""

    def write(self, *lines: str, options: str = "", packages: str = "") -> None:
        """Write the source."""
        text = [r"\documentclass{article}", rf"\usepackage{options}{{rtrace}}{packages}", r"\begin{document}"]
        (self.folder / "paper.tex").write_text("\n".join([*text, *lines, r"\end{document}", ""]))

    def compile(self, engine: str = "pdflatex") -> bool:
        """Run an engine; return whether it succeeded, which is when there is a document."""
        document = self.folder / "paper.pdf"
        document.unlink(missing_ok=True)
        argv = [engine, "-no-shell-escape", "-interaction=nonstopmode", "paper.tex"]
        done = subprocess.run(argv, cwd=self.folder, check=False, capture_output=True, timeout=240)
        # Lines of a log are broken at 79 characters.
        self.log = (self.folder / "paper.log").read_text("utf-8", "replace").replace("\n", "")
        assert document.exists() == (done.returncode == 0)
        return done.returncode == 0


@pytest.fixture
def paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rtrace: Command) -> Paper:
    """A paper with two figures of the run that is called `first`, stamped, and the package beside them."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    folder = tmp_path / "paper"
    (folder / "figures").mkdir(parents=True)
    (folder / "figures/plot_1.png").write_bytes(PLOT)
    (folder / "page.pdf").write_bytes(PAGE)
    record = make_record([("/out/plot_1.png", PLOT), ("/out/page.pdf", PAGE)], "first")
    record["bundles"] = [{"path": "/b.rpz", "identity": None, "run": "run1", "doi": "10.5281/zenodo.1_2"}]
    open_history(str(tmp_path / "history")).add(record)
    assert rtrace("figure", folder / "figures/plot_1.png").returncode == 0
    assert rtrace("figure", "--sty", folder).returncode == 0
    return Paper(folder)


def md5(data: bytes) -> str:
    """Return the MD5 of data."""
    return hashlib.md5(data, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("engine", ENGINES)
def test_a_figure_that_checks_is_included(paper: Paper, rtrace: Command, engine: str) -> None:
    """By the side file: stamped or not, in a folder or not, with and without its extension; nothing is warned of."""
    paper.write(
        r"\rtraceincludegraphics[width=1cm]{first?figures/plot_1.png}",
        r"\rtraceincludegraphics{first?page}",
    )
    assert rtrace("figure", "--tex", paper.folder).returncode == 0
    assert paper.compile(engine)
    assert "figures/plot_1.png" in paper.log
    assert "Package rtrace Warning" not in paper.log


@pytest.mark.parametrize("engine", ENGINES)
def test_an_exchanged_figure_is_refused(paper: Paper, rtrace: Command, engine: str) -> None:
    """A figure that is another one than its run made is an error that names it, and no document is written."""
    paper.write(r"\rtraceincludegraphics{first?figures/plot_1.png}", r"\rtraceincludegraphics{first?page.pdf}")
    assert rtrace("figure", "--tex", paper.folder).returncode == 0
    (paper.folder / "figures/plot_1.png").write_bytes(OTHER)
    assert not paper.compile(engine)
    assert "Package rtrace Error: figures/plot_1.png is not what run" in paper.log
    assert f"its MD5 is {md5(OTHER)}, not " in paper.log
    assert "page.pdf is not" not in paper.log


@pytest.mark.parametrize("engine", ENGINES)
def test_with_warn_it_is_a_warning(paper: Paper, rtrace: Command, engine: str) -> None:
    """With the option, the same is told in a warning and the document is written."""
    paper.write(r"\rtraceincludegraphics{first?figures/plot_1.png}", options="[warn]")
    (paper.folder / "figures/plot_1.png").write_bytes(OTHER)
    done = rtrace("figure", "--tex", paper.folder)
    assert done.returncode == 1
    assert b"is not the figures/plot_1.png that run" in done.stderr
    assert paper.compile(engine)
    assert "Package rtrace Warning: figures/plot_1.png is not what run" in paper.log


def test_a_figure_of_another_run_is_told_with_what_finds_it(paper: Paper, rtrace: Command) -> None:
    """A file whose name and content the run never made: the sentence names the command that knows who did."""
    paper.write(r"\rtraceincludegraphics{first?copied.png}")
    (paper.folder / "copied.png").write_bytes(OTHER)
    done = rtrace("figure", "--tex", paper.folder)
    assert done.returncode == 1
    told = f"made no file that is called copied.png, and none of its content; `rtrace blame {paper.folder}/copied.png`"
    assert told in done.stderr.decode()


@pytest.mark.parametrize(
    "digest, good",
    [
        (md5(PAGE), True),
        (f"{{{md5(PAGE).upper()}}} ", True),
        (md5(PLOT), False),
        ("", False),
        (hashlib.sha256(PAGE).hexdigest(), False),
    ],
)
def test_a_digest_is_enough(paper: Paper, digest: str, good: bool) -> None:  # noqa: FBT001 -- a parameter of the test
    """Without a side file, digest= alone decides: the MD5 of the file, in any case; nothing else can be checked."""
    paper.write(rf"\rtraceincludegraphics[ digest = {digest}, width=1cm]{{first?page.pdf}}")
    assert paper.compile() is good


def test_both_digests_fit(paper: Paper, rtrace: Command) -> None:
    """With a side file, digest= may be the MD5 or SHA-256 of the figure with its stamp or without."""
    stamped = (paper.folder / "figures/plot_1.png").read_bytes()
    digests = [md5(PLOT), md5(stamped), hashlib.sha256(PLOT).hexdigest(), hashlib.sha256(stamped).hexdigest()]
    paper.write(*(rf"\rtraceincludegraphics[digest={one}]{{first?figures/plot_1.png}}" for one in digests))
    assert rtrace("figure", "--tex", paper.folder).returncode == 0
    assert paper.compile()
    paper.write(rf"\rtraceincludegraphics[digest={md5(OTHER)}]{{first?figures/plot_1.png}}")
    assert not paper.compile()


@pytest.mark.parametrize("packages", [r"\usepackage{hyperref}", ""])
def test_the_figure_is_a_link(paper: Paper, rtrace: Command, packages: str) -> None:
    """With hyperref, the figure links to the bundle's DOI or to link=, in a table as well; without, it is a figure."""
    url = r"https://lab.example/runs?id=1\&x=2\#top"
    paper.write(
        r"\begin{tabular}{cc}\rtraceincludegraphics{first?figures/plot_1.png} &",
        rf"\rtraceincludegraphics[link={url}]{{first?figures/plot_1.png}}\end{{tabular}}",
        packages=rf"{packages}\pdfobjcompresslevel=0",
    )
    assert rtrace("figure", "--tex", paper.folder).returncode == 0
    assert paper.compile()
    links = re.findall(rb"/URI ?\(([^)]*)\)", (paper.folder / "paper.pdf").read_bytes())
    expected = [b"https://doi.org/10.5281/zenodo.1_2", b"https://lab.example/runs?id=1&x=2#top"]
    assert links == (expected if packages else [])


@pytest.mark.parametrize(
    "line, words",
    [
        (r"\rtraceincludegraphics{first?missing.png}", "missing.png is not what run first made: there is no such file"),
        (r"\rtraceincludegraphics{page.pdf}", "it names no file: write RUN?FILE"),
        (r"\rtraceincludegraphics{first?page.pdf}", "nothing is known of it: run `rtrace figure --tex .', or write"),
    ],
)
def test_what_is_wrong_is_said(paper: Paper, line: str, words: str) -> None:
    """A figure that is not there, a name without a run, and one that nobody looked up have words of their own."""
    paper.write(line)
    assert not paper.compile()
    assert words in paper.log


def test_folders_of_graphics_are_searched(paper: Paper) -> None:
    """A figure in a folder of graphicspath is found and checked there."""
    paper.write(r"\graphicspath{{nowhere/}{figures/}}", rf"\rtraceincludegraphics[digest={md5(OTHER)}]{{first?plot_1}}")
    (paper.folder / "figures/plot_1.png").write_bytes(OTHER)
    assert paper.compile()
    (paper.folder / "figures/plot_1.png").write_bytes(PLOT)
    assert not paper.compile()
    assert os.listdir(paper.folder / "figures") == ["plot_1.png"]


@pytest.mark.requires("gnuplot")
def test_from_the_run_to_the_paper(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rtrace: Command) -> None:
    """A plot that a traced run made is stamped and checks in LaTeX; that of a later run under its name is refused."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    for label, function in (("first", "sin(x)"), ("second", "cos(x)")):
        (tmp_path / "plot.gp").write_text(f'set terminal pngcairo; set output "plot.png"; plot {function}\n')
        assert rtrace("trace", "-q", "-d", label, "--label", label, "gnuplot", "plot.gp").returncode == 0
        done = rtrace("figure", "plot.png")
        assert done.returncode == 0, done.stderr
        assert f"({label})" in done.stderr.decode()
        if label == "first":
            paper = Paper(tmp_path)
            paper.write(r"\rtraceincludegraphics[width=5cm]{first?plot}")
            assert rtrace("figure", "--tex", "paper.tex", "--sty", ".").returncode == 0
            assert paper.compile()
    assert not paper.compile()
    assert rtrace("figure", "--tex", ".").returncode == 1
    assert not paper.compile()
