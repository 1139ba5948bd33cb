"""What differences mean, how other files are told, and which files are outputs unless their author says otherwise."""

from pathlib import Path

import pytest

from bundle_making import make_run
from rtrace.describe.draft import draft_manifest
from rtrace.describe.internals import Internals
from rtrace.errors import ManifestError
from rtrace.limits import TIMED_OUT
from rtrace.manifest.model import Manifest, NamedFile
from rtrace.manifest.reading.load import load
from rtrace.manifest.render import render
from rtrace.verify.scopes import Scopes
from rtrace.verify.verdicts import Line, Report, fold_others
from trace_builder import TraceBuilder

SAME, UNKNOWN, DIFFERENT = (Line(verdict, "run1", b"/x") for verdict in ("same", "unknown", "different"))
OTHER = Line("different", "run1", b"/y", scope="other")
IGNORED = Line("different", "run1", b"/z", scope="ignored")


@pytest.mark.parametrize(
    "lines, status",
    [
        ((SAME,), 0),
        ((SAME, OTHER), 0),
        ((SAME, IGNORED), 0),
        ((SAME, DIFFERENT), 1),
        ((SAME, DIFFERENT, UNKNOWN), 1),
        ((SAME, UNKNOWN), 3),
        ((), 3),
        ((OTHER,), 3),
        ((IGNORED,), 3),
    ],
)
def test_status_says_the_same_different_or_not_known(lines: tuple[Line, ...], status: int) -> None:
    """A difference that counts is 1, a doubt without one is 3, and so is nothing compared; the rest has no say."""
    assert Report(lines).exit_status == status
    assert Report(lines, "memory").exit_status == 3
    assert Report(lines, "timeout").exit_status == TIMED_OUT


def test_other_files_are_told_by_folder() -> None:
    """What a program keeps for itself is one line with its counts; in an ordinary folder a few files are told alone."""
    lines = [Line("same", "run1", b"/w/.git/%d" % number, scope="other") for number in range(30)]
    lines += [
        Line("different", "run1", b"/w/.git/a/b", scope="other"),
        Line("extra", "run1", b"/w/x", "why", scope="other"),
    ]
    folders = {line.path: b"/w/.git" for line in lines if line.path and line.path.startswith(b"/w/.git/")}
    assert fold_others(lines, folders) == ["extra      /w/x: why", "other      /w/.git/: 30 same, 1 different"]
    many = [
        Line("same", "run1", b"/w/%d/%d" % (number, file), scope="other") for number in range(40) for file in range(9)
    ]
    assert fold_others(many, {}) == ["other      /w/: 360 same"]


def test_folder_that_is_an_output_stands_for_what_is_in_it() -> None:
    """All in the folder counts, new files too, but for what a program keeps there for itself."""
    manifest = Manifest("0", (make_run(),), outputs=(NamedFile("plots", b"/w/plots/", ("run1",)),))
    scopes = Scopes(manifest, (), ())
    paths = (b"/w/plots", b"/w/plots/a/b.png", b"/w/plots/.cache/x", b"/w/plots2/x", b"/w/x")
    found = [scopes.find(Line("same", "run1", path)) for path in paths]
    assert found == ["output", "output", "other", "other", "other"]
    assert [line.path for line in scopes.find_unwritten([Line("same", "run1", b"/w/plots/a")], ["run1"])] == []
    assert [line.path for line in scopes.find_unwritten([Line("same", "run1", b"/w/x")], ["run1"])] == [b"/w/plots/"]


@pytest.mark.parametrize(
    "folder, paths",
    [
        (b"/w/logs/", (b"/w/logs/a.log", b"/w/logs/b.csv")),
        (b"/w/logs", (b"/w/logs/a.log",)),
        (b"/w/out/", (b"/w/out/run.log",)),
        (b"/w/.cache/x/", (b"/w/.cache/x/y", b"/w/.cache/x/.z/y")),
    ],
)
def test_folder_of_logs_that_was_named_counts(folder: bytes, paths: tuple[bytes, ...]) -> None:
    """A folder in which all is a program's own, or that is such a folder by its name, was named for just that."""
    scopes = Scopes(Manifest("0", (make_run(),), outputs=(NamedFile("x", folder, ("run1",)),)), (), ())
    lines = [Line("different", "run1", path) for path in (folder.rstrip(b"/"), *paths, b"/w/other.log")]
    assert [line.scope for line in scopes.sort(lines)] == ["output"] * (len(paths) + 1) + ["other"]


@pytest.mark.parametrize(
    "path, folder",
    [
        (b"/w/.snakemake/log/x", b"/w/.snakemake"),
        (b"/w/a/CMakeFiles/b/c", b"/w/a/CMakeFiles"),
        (b"/w/db/base/1/2", b"/w/db"),
        (b"/w/db/PG_VERSION", b"/w/db"),
        (b"/home/.me/work/out", None),
        (b"/w/log", None),
        (b"/w/.hidden", None),
        (b"/w/out/x", None),
    ],
)
def test_folders_of_programs_are_known(path: bytes, folder: bytes | None) -> None:
    """Histories, builds, caches and databases are folders of a program's own; a folder of the experiment is none."""
    assert Internals([b"/w/db/PG_VERSION", b"/w/x"], [b"/home/.me/work"]).find_folder(path) == folder


def test_proposed_outputs_are_the_run_s_results(tmp_path: Path) -> None:
    """Files and symlinks that a run made are outputs; logs are not, nor what lies in a database, build or history."""
    trace = TraceBuilder(tmp_path)
    trace.begin()
    names = ("out", "db/PG_VERSION", "db/base/1", "CMakeFiles/x", ".git/index", "train.log", "cache/x", "log")
    for name in names:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        trace.write(tmp_path / name, b"x")
        trace.result(tmp_path / name)
    trace.touch(tmp_path / "link")
    (tmp_path / "link").symlink_to("out")
    trace.result(tmp_path / "link")
    found = draft_manifest(trace.connection, trace.directory)
    assert [file.name for file in found.outputs] == ["link", "log", "out"]


def test_many_outputs_are_named_by_their_folder(tmp_path: Path) -> None:
    """None of two hundred outputs is left out of the verdict: their folder stands for them."""
    trace = TraceBuilder(tmp_path)
    trace.begin()
    (tmp_path / "plots").mkdir()
    for name in ("one", *(f"plots/{number}" for number in range(200))):
        trace.write(tmp_path / name, b"x")
        trace.result(tmp_path / name)
    found = draft_manifest(trace.connection, trace.directory)
    assert [(file.name, file.path, file.runs) for file in found.outputs] == [
        ("one", bytes(tmp_path / "one"), ("run1",)),
        ("plots", bytes(tmp_path / "plots") + b"/", ("run1",)),
    ]


def test_ignored_patterns_travel_in_the_manifest() -> None:
    """`ignore` is read as it was written; more of it than anybody needs is refused."""
    manifest = Manifest("0", (make_run(),), ignore=(b"**/*.log", b"stderr", b"/\xff"))
    assert load(render(manifest)).ignore == manifest.ignore
    with pytest.raises(ManifestError, match="`ignore` takes 256 patterns"):
        load(render(Manifest("0", (make_run(),), ignore=(b"x",) * 257)))
    with pytest.raises(ManifestError, match="is empty"):
        load(render(Manifest("0", (make_run(),), ignore=(b"",))))
