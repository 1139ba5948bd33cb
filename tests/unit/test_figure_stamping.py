"""Finding the run that made a figure, stamping it, and what LaTeX is told of it."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from figure_samples import SAMPLES, SVG, make_png, make_record
from rtrace.errors import FigureError, UnknownFigureError
from rtrace.figures.doi import read_doi, write_doi_url
from rtrace.figures.tex import Known, Reference, find_references, quote_link, write_side_file
from rtrace.operations.publishing.figure import Links, remove_stamp, show_stamp, stamp_figure
from rtrace.operations.publishing.paper import write_paper
from rtrace.record.history.opening import open_history
from rtrace.record.history.protocol import History

PNG = make_png()


@pytest.fixture
def history(tmp_path: Path) -> History:
    """A history of nothing yet."""
    return open_history(str(tmp_path / "history"))


@pytest.fixture
def figure(tmp_path: Path) -> Path:
    """A figure in a folder of its own."""
    (tmp_path / "paper").mkdir()
    path = tmp_path / "paper/plot.png"
    path.write_bytes(PNG)
    return path


def add_run(history: History, *outputs: tuple[str, bytes], label: str | None = None) -> str:
    """Add a run that wrote files; return its id."""
    record = make_record(outputs, label)
    history.add(record)
    return record["id"]


def digest(data: bytes) -> str:
    """Return the SHA-256 of data."""
    return hashlib.sha256(data).hexdigest()


def test_the_run_is_found_by_content(history: History, figure: Path) -> None:
    """A figure that was moved and renamed is stamped with the run that wrote these bytes."""
    run = add_run(history, ("/elsewhere/other.png", PNG), ("/elsewhere/x.svg", SVG), label="first")
    stamped = stamp_figure(figure, history, Links())
    assert stamped == show_stamp(figure)
    assert stamped.stamp is not None
    assert (stamped.stamp.run, stamped.stamp.label, stamped.stamp.sha256) == (run, "first", digest(PNG))
    assert stamped.stamp.command == "python3 'plot it.py'"


def test_the_history_knows_both(history: History, figure: Path) -> None:
    """`blame` finds the run by the figure with its stamp and without, and a second stamp adds no third digest."""
    run = add_run(history, (str(figure), PNG))
    for _time in range(2):
        stamp_figure(figure, history, Links())
    catalogue = history.catalogue()
    blamed = [[made.run for made in catalogue.blame(digest(data))] for data in (PNG, figure.read_bytes())]
    catalogue.close()
    assert blamed == [[run], [run]]
    assert history.read(run)["outputs"][0]["stamped"] == [digest(figure.read_bytes())]


def test_removing_gives_the_file_back(history: History, figure: Path) -> None:
    """Without its stamp a figure is what the run wrote, to the byte; removing none changes nothing."""
    add_run(history, (str(figure), PNG))
    stamp_figure(figure, history, Links())
    for _time in range(2):
        assert remove_stamp(figure).sha256 == digest(PNG)
        assert figure.read_bytes() == PNG


def test_a_figure_that_no_run_made_is_left_alone(history: History, figure: Path) -> None:
    """The sentence names the file and what to do, and the file is as it was."""
    add_run(history, (str(figure), SVG))
    with pytest.raises(UnknownFigureError, match=r"^no run of the history made .*plot\.png; trace the command"):
        stamp_figure(figure, history, Links())
    assert figure.read_bytes() == PNG
    assert UnknownFigureError.exit_status == 1


def test_a_figure_that_was_changed_is_told(history: History, figure: Path) -> None:
    """A stamp does not fit another drawing: showing says so, and stamping again names the run that made the first."""
    run = add_run(history, (str(figure), PNG))
    stamp_figure(figure, history, Links())
    stamp_chunk = figure.read_bytes()[len(PNG) - 12 : -12]
    figure.write_bytes(make_png(9)[:-12] + stamp_chunk + make_png(9)[-12:])
    assert not show_stamp(figure).fits
    with pytest.raises(UnknownFigureError, match=f"changed since it was stamped as made by run {run}"):
        stamp_figure(figure, history, Links())


def test_a_stamp_of_a_strange_history_is_told(history: History, figure: Path, tmp_path: Path) -> None:
    """A figure that came with a stamp from elsewhere: the sentence says how to get its run."""
    run = add_run(history, (str(figure), PNG))
    stamp_figure(figure, history, Links())
    with pytest.raises(UnknownFigureError, match=f"{run}, which this history does not have; `rtrace import`"):
        stamp_figure(figure, open_history(str(tmp_path / "other")), Links())


def test_the_run_at_this_path_comes_first(history: History, figure: Path) -> None:
    """Of several runs that wrote the same, it is the newest that wrote it here, unless another is named."""
    first = add_run(history, (str(figure), PNG), label="here")
    other = add_run(history, ("/elsewhere/plot.png", PNG), label="there")
    stamped = stamp_figure(figure, history, Links())
    assert stamped.stamp is not None
    assert (stamped.stamp.run, stamped.others) == (first, 1)
    named = stamp_figure(figure, history, Links(), "there").stamp
    assert named is not None
    assert named.run == other


def test_a_replay_is_not_who_made_it(history: History, figure: Path) -> None:
    """A verification that made the same again, later, is passed over for the run."""
    run = add_run(history, (str(figure), PNG))
    again = make_record([(str(figure), PNG)])
    again["kind"] = "replay"
    history.add(again)
    stamp = stamp_figure(figure, history, Links()).stamp
    assert stamp is not None
    assert stamp.run == run


def test_a_run_that_did_not_make_it_is_refused(history: History, figure: Path) -> None:
    """A figure is never stamped with a run that wrote something else."""
    add_run(history, (str(figure), PNG))
    add_run(history, (str(figure), SVG), label="other")
    with pytest.raises(UnknownFigureError, match="did not make"):
        stamp_figure(figure, history, Links(), "other")
    assert figure.read_bytes() == PNG


def test_anonymous_stamps_name_nobody(history: History, figure: Path) -> None:
    """An anonymous stamp has the id and the digests, and no label, command, commit or link."""
    record = make_record([(str(figure), PNG)], "ann")
    record["bundles"] = [{"path": "/home/ann/b.rpz", "identity": "sha256:12", "run": "run1", "doi": "10.1000/ann"}]
    history.add(record)
    stamp = stamp_figure(figure, history, Links(anonymous=True)).stamp
    assert stamp is not None
    assert (stamp.label, stamp.command, stamp.commit, stamp.link) == (None, None, None, None)
    assert stamp.bundle == "sha256:12"
    assert b"ann" not in figure.read_bytes()


@pytest.mark.parametrize(
    "links, link",
    [
        (Links(), "https://doi.org/10.1000/bundle"),
        (Links(doi="doi:10.2000/mine"), "https://doi.org/10.2000/mine"),
        (Links(doi="https://doi.org/10.3000/x"), "https://doi.org/10.3000/x"),
        (Links(url="https://lab.example/runs/{run}"), "https://lab.example/runs/RUN"),
    ],
)
def test_a_stamp_links_to_the_run(history: History, figure: Path, links: Links, link: str) -> None:
    """The DOI of the bundle that holds the run, unless a person says another DOI or a URL."""
    record = make_record([(str(figure), PNG)])
    dois = ("10.1000/bundle", "javascript:alert(1)", None)
    record["bundles"] = [{"path": "/b.rpz", "identity": "sha256:12", "run": "run1", "doi": doi} for doi in dois]
    history.add(record)
    stamp = stamp_figure(figure, history, links).stamp
    assert stamp is not None
    assert stamp.link == link.replace("RUN", record["id"])


@pytest.mark.parametrize(
    "text, doi, url",
    [
        ("10.5281/zenodo.1234", "10.5281/zenodo.1234", "10.5281/zenodo.1234"),
        (" doi:10.5281/zenodo.1234\n", "10.5281/zenodo.1234", "10.5281/zenodo.1234"),
        ("DOI: 10.1000.10/a", "10.1000.10/a", "10.1000.10/a"),
        ("http://dx.doi.org/10.1002/(SICI)1-3%3C1::AID%3E3.0", "10.1002/(SICI)1-3<1::AID>3.0", None),
        ("HTTPS://WWW.DOI.ORG/10.1000/1#2?3", "10.1000/1#2?3", "10.1000/1%232%3F3"),
        ("10.1000/50%", "10.1000/50%", "10.1000/50%25"),
        ("10.1000/größe", "10.1000/größe", "10.1000/gr%C3%B6%C3%9Fe"),
    ],
)
def test_a_doi_is_read_however_it_is_written(text: str, doi: str, url: str | None) -> None:
    """Bare, after `doi:` and as a URL; in the URL that is made of it nothing means something else."""
    assert read_doi(text) == doi
    assert write_doi_url(doi) == f"https://doi.org/{url or '10.1002/(SICI)1-3%3C1::AID%3E3.0'}"
    assert read_doi(write_doi_url(doi)) == doi


@pytest.mark.parametrize(
    "text",
    [
        "",
        "my paper",
        "10.1/x",
        "10.5281",
        "10.5281/",
        "10.5281/a b",
        "11.5281/x",
        "https://zenodo.org/10.5281/a",
        "https://doi.org/",
        "doi:doi:10.5281/a",
        "10.5281/a\x1b[0m",
        "10.5281/\u202eb",
        "10.5281/" + "x" * 1000,
    ],
)
def test_what_is_no_doi_is_refused(text: str) -> None:
    """Readers would be led nowhere, or elsewhere."""
    with pytest.raises(ValueError, match=r"is not a DOI; write one as 10\.5281/zenodo\.1234"):
        read_doi(text)


def test_mode_and_symlink_stay(history: History, figure: Path) -> None:
    """The file behind a symlink is stamped, with the mode that it had, and nothing is left beside it."""
    add_run(history, (str(figure), PNG))
    figure.chmod(0o640)
    link = figure.with_name("link.png")
    link.symlink_to("plot.png")
    stamp_figure(link, history, Links())
    assert link.is_symlink()
    assert figure.read_bytes() != PNG
    assert figure.stat().st_mode & 0o777 == 0o640
    assert sorted(os.listdir(figure.parent)) == ["link.png", "plot.png"]


@pytest.mark.parametrize("make", [os.mkfifo, os.mkdir])
def test_what_is_no_file_is_refused(tmp_path: Path, make: object, history: History) -> None:
    """A fifo keeps nobody waiting, and a folder is no figure."""
    assert callable(make)
    make(tmp_path / "odd.png")
    with pytest.raises(FigureError, match=r"odd\.png"):
        stamp_figure(tmp_path / "odd.png", history, Links())


TEX = r"""
\rtraceincludegraphics[digest=ab, trim={1 2 3 4}]{first?plot.png} % \rtraceincludegraphics{x?commented}
\rtraceincludegraphics
  {last~2?nothing} 5\% \rtraceincludegraphics[width=\textwidth]{last?figures/a b.pdf}
\rtraceincludegraphics{\macro?file}
"""


def test_references_are_found() -> None:
    """The figures of a source are found whatever their options are; comments and macros are passed over."""
    found = [reference.name for reference in find_references(TEX)]
    assert found == ["first?plot.png", "last?figures/a b.pdf"]


def test_a_link_has_nothing_that_tex_obeys() -> None:
    """Whatever a record calls a DOI or URL, no brace, backslash or newline of it gets into a source of LaTeX."""
    hostile = "https://x/}\\input{/etc/passwd}\n^^41$~%41#a&b_\udcff"
    quoted = quote_link(hostile)
    assert not set(quoted.replace("\\%", "").replace("\\#", "")) & set("{}\\\n^$~ ")
    assert quote_link("javascript:alert(1)") == ""
    known = Known(Reference("r", "f.png"), "id", ("a", "b"), ("c",), "https://doi.org/10.1/x_y")
    assert write_side_file([known]).splitlines()[1:] == [
        r"\rtracefigure{r?f.png}{id}{a,b}{c}{https://doi.org/10.1/x_y}"
    ]


def test_a_paper_is_told_what_its_figures_are(history: History, figure: Path) -> None:
    """Each figure is looked up by run and name; one that is there is given its MD5, stamped and not."""
    add_run(history, ("/work/out/plot.png", PNG), ("/work/out/x.svg", SVG), label="first")
    stamp_figure(figure, history, Links())
    (figure.parent / "paper.tex").write_text(TEX)
    paper = write_paper(figure.parent, history, Links())
    assert [(one.reference.name, one.problem is None) for one in paper.figures] == [
        ("first?plot.png", True),
        ("last?figures/a b.pdf", False),
    ]
    text = paper.side_file.read_text()
    for data in (PNG, figure.read_bytes()):
        assert hashlib.md5(data, usedforsecurity=False).hexdigest() in text
    assert "a b.pdf" not in text


def test_an_exchanged_figure_is_told(history: History, figure: Path) -> None:
    """Where another file lies, the paper is told what the run made, and the person that this is not it."""
    add_run(history, ("/work/plot.png", PNG), label="first")
    figure.write_bytes(make_png(9))
    (figure.parent / "paper.tex").write_text(r"\rtraceincludegraphics{first?plot}")
    paper = write_paper(figure.parent / "paper.tex", history, Links())
    (one,) = paper.figures
    assert one.problem is not None
    assert "is not the plot that run" in one.problem
    text = paper.side_file.read_text()
    assert hashlib.md5(PNG, usedforsecurity=False).hexdigest() in text
    assert hashlib.md5(figure.read_bytes(), usedforsecurity=False).hexdigest() not in text


def test_a_paper_without_figures_is_told(history: History, figure: Path) -> None:
    """A folder whose sources include nothing by its run: the sentence shows how to write it."""
    with pytest.raises(FigureError, match=r"write \\rtraceincludegraphics\{RUN\?FILE\}"):
        write_paper(figure.parent, history, Links())


def test_samples_are_of_every_kind() -> None:
    """The samples that these tests rest on have one of each format."""
    from rtrace.figures.kinds import KINDS, read_figure

    assert {read_figure(data).kind.name for data in SAMPLES.values()} == {kind.name for kind in KINDS}
