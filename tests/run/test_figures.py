"""Figures of real programs: a stamp changes nothing that is seen, and other programs read the files as before."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from figure_samples import make_record
from rtrace.record.history.opening import open_history

Command = Callable[..., "subprocess.CompletedProcess[bytes]"]

PLOTS = """
set terminal pngcairo; set output "plot.png"; plot sin(x)
set terminal svg; set output "plot.svg"; plot sin(x)
set terminal pdfcairo; set output "plot.pdf"; plot sin(x)
set terminal jpeg; set output "plot.jpg"; plot sin(x)
set terminal postscript eps; set output "plot.eps"; plot sin(x)
"""
NAMES = ("plot.png", "plot.svg", "plot.pdf", "plot.jpg", "plot.eps")


def call(*argv: str | Path) -> bytes:
    """Run a program that has to succeed; return what it prints."""
    done = subprocess.run(argv, check=False, capture_output=True, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def own_history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of this test alone."""
    place = tmp_path / "history"
    monkeypatch.setenv("RTRACE_HISTORY", str(place))
    return place


@pytest.fixture
def figures(tmp_path: Path, own_history: Path) -> Path:
    """A folder of gnuplot's figures, and a history that has the run that made them."""
    folder = tmp_path / "figures"
    folder.mkdir()
    subprocess.run(["gnuplot"], input=PLOTS.encode(), cwd=folder, check=True, capture_output=True, timeout=120)
    outputs = [(str(folder / name), (folder / name).read_bytes()) for name in NAMES]
    open_history(str(own_history)).add(make_record(outputs, "the plots"))
    return folder


@pytest.mark.requires("gnuplot")
@pytest.mark.parametrize("name", ["plot.png", "plot.jpg"])
def test_pixels_are_the_same(figures: Path, rtrace: Command, name: str) -> None:
    """An independent decoder reads every pixel as it was, and the file is valid to it."""
    from PIL import Image

    def read(path: Path) -> tuple[tuple[int, int], bytes]:
        with Image.open(path) as image:
            return image.size, image.tobytes()

    before = read(figures / name)
    assert rtrace("figure", figures / name).returncode == 0
    with Image.open(figures / name) as image:
        image.verify()
    assert read(figures / name) == before


@pytest.mark.requires("gnuplot")
def test_an_independent_reader_finds_the_stamp_of_a_png(figures: Path, rtrace: Command) -> None:
    """The stamp is text that any program for pictures shows, as JSON that has the run."""
    from PIL import Image

    shown = json.loads(rtrace("figure", "--json", figures / "plot.png").stdout)
    with Image.open(figures / "plot.png") as image:
        image.load()
        stamp = json.loads(image.info["rtrace"])
    assert stamp["run"] == shown["figures"][0]["stamp"]["run"]
    assert stamp["label"] == "the plots"


@pytest.mark.requires("gnuplot", "pdfinfo", "pdftoppm", "qpdf", "mutool")
@pytest.mark.parametrize("how", ["plain", "--object-streams=generate", "--object-streams=disable", "--linearize"])
def test_programs_read_a_stamped_pdf(figures: Path, rtrace: Command, own_history: Path, how: str) -> None:
    """Poppler, qpdf and MuPDF find no fault with it, however it was built; its page is drawn as before."""
    path = figures / "plot.pdf"
    if how != "plain":
        call("qpdf", how, path, figures / "other.pdf")
        path = figures / "other.pdf"
        open_history(str(own_history)).add(make_record([(str(path), path.read_bytes())], "the plots"))
    before = call("pdftoppm", "-r", "50", path)
    done = rtrace("figure", path)
    assert (done.returncode, done.stderr.count(b"\n")) == (0, 1)
    call("qpdf", "--check", path)
    assert b"error" not in call("mutool", "info", path)
    assert call("pdftoppm", "-r", "50", path) == before
    information = call("pdfinfo", "-custom", path)
    assert b"RtraceStamp" in information
    assert b"Producer" in information
    assert b"the plots" in information


@pytest.mark.requires("gnuplot", "qpdf")
def test_a_stamp_outlives_another_program(figures: Path, rtrace: Command) -> None:
    """When qpdf has written a stamped PDF anew, the stamp is still read, and told to be of other bytes."""
    assert rtrace("figure", figures / "plot.pdf").returncode == 0
    call("qpdf", "--object-streams=generate", figures / "plot.pdf", figures / "anew.pdf")
    done = rtrace("figure", "--show", "--json", figures / "anew.pdf")
    (figure,) = json.loads(done.stdout)["figures"]
    assert (done.returncode, figure["fits"], figure["stamp"]["label"]) == (1, False, "the plots")


@pytest.mark.requires("gnuplot", "gs")
def test_an_eps_is_drawn_the_same(figures: Path, rtrace: Command) -> None:
    """Ghostscript draws a stamped EPS as before."""

    def draw() -> bytes:
        return call("gs", "-q", "-sDEVICE=ppmraw", "-dEPSCrop", "-o", "-", figures / "plot.eps")

    before = draw()
    assert rtrace("figure", figures / "plot.eps").returncode == 0
    assert draw() == before


@pytest.mark.requires("gnuplot")
def test_stamping_and_removing(figures: Path, rtrace: Command) -> None:
    """All formats at once: stamped, shown, found by the history with the stamp, and as before without it."""
    paths = [figures / name for name in NAMES]
    before = [path.read_bytes() for path in paths]
    done = rtrace("figure", *paths)
    assert done.returncode == 0
    assert done.stderr.count(b"was made by run") == len(NAMES)
    assert all(path.read_bytes() != data for path, data in zip(paths, before, strict=True))
    assert rtrace("figure", "--show", *paths).stdout.count(b"the plots") == len(NAMES)
    assert rtrace("figure", *paths).returncode == 0
    assert rtrace("figure", "--remove", *paths).returncode == 0
    assert [path.read_bytes() for path in paths] == before


def test_a_figure_of_nobody_is_said_in_a_sentence(tmp_path: Path, rtrace: Command, own_history: Path) -> None:
    """Exit status 1 and one sentence for what no run made; the others are stamped; wrong usage is 2."""
    from figure_samples import make_png

    (tmp_path / "strange.png").write_bytes(make_png(1))
    (tmp_path / "known.png").write_bytes(make_png(2))
    open_history(str(own_history)).add(make_record([("/x/known.png", make_png(2))]))
    done = rtrace("figure", "strange.png", "known.png")
    assert done.returncode == 1
    said = done.stderr.decode().splitlines()
    assert said[0] == (
        "rtrace: no run of the history made strange.png; trace the command that makes it with `rtrace trace`"
    )
    assert said[1].startswith("rtrace: known.png was made by run ")
    assert rtrace("figure").returncode == 2
    assert rtrace("figure", "--show", "--remove", "known.png").returncode == 2
    assert rtrace("figure", "missing.png").returncode == 125
    refused = rtrace("figure", "--doi", "see the paper", "known.png")
    assert refused.returncode == 2
    assert b"'see the paper' is not a DOI; write one as 10.5281/zenodo.1234" in refused.stderr
