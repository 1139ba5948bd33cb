"""The benchmark's report: medians, ratios, and what it says when a tool failed."""

from pathlib import Path

import pytest

from benchmark import killing, report
from benchmark.__main__ import ROWS, choose_rows, parse_arguments
from benchmark.rep24 import PUBLISHED, REP24, published_mean
from benchmark.tools import Measurement, Tool, find_tools, median, median_parts
from benchmark.workloads import WORKLOADS, Workload

ROW = WORKLOADS[1].scaled(10)


def test_median_is_none_when_one_run_failed() -> None:
    """A tool that failed once has no figure: a median of what went well would flatter it."""
    assert median([Measurement(1.0), Measurement(3.0), Measurement(2.0)]) == 2.0
    assert median([Measurement(1.0), Measurement(None, "exit status 1")]) is None
    assert median([]) is None


def test_parts_are_medians_of_their_own() -> None:
    """Start, program and finish are each the median over the rounds, whichever round that was."""
    parts = [Measurement(6.0, parts=numbers) for numbers in ((1.0, 4.0, 1.0), (2.0, 2.0, 2.0), (3.0, 3.0, 0.0))]
    assert median_parts(parts) == (2.0, 3.0, 1.0)


def test_results_are_a_table_with_ratios_to_bare() -> None:
    """Each cell has seconds and how many times bare; a tool that failed is called failed."""
    results = {
        (ROW.name, "bare"): [Measurement(2.0)],
        (ROW.name, "rtrace"): [Measurement(3.0)],
        (ROW.name, "strace"): [Measurement(None, "exit status 1: no")],
    }
    tools = [Tool(name, name, Path(), lambda _: [], ()) for name in ("bare", "rtrace", "strace")]
    assert report.format_results([ROW], tools, results).splitlines() == [
        "| workload | bare | rtrace | strace |",
        "|---|---|---|---|",
        "| 200 x /bin/true from bash | 2.00 s | 3.00 s (x 1.50) | failed |",
    ]
    assert report.format_failures(results) == "- strace failed at processes: exit status 1: no"


def test_parts_are_a_table_of_their_own() -> None:
    """The program's own time under rtrace stands beside bare's; without timings there is no table."""
    results = {(ROW.name, "bare"): [Measurement(2.0)], (ROW.name, "rtrace"): [Measurement(4.0, parts=(0.2, 3.0, 0.8))]}
    assert report.format_parts([ROW], results).splitlines()[2:] == [
        "| 200 x /bin/true from bash | 0.20 s | 3.00 s | 0.80 s | x 1.50 |"
    ]
    assert report.format_parts([ROW], {}) == ""


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.name)
def test_commands_are_filled_in(row: Workload) -> None:
    """No command keeps a placeholder."""
    words = row.argv("python3")
    assert not any("{size}" in word or "{python}" in word for word in words)
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_care_is_kept_from_its_own_crash(tmp_path: Path) -> None:
    """CARE runs without its seccomp acceleration, of which it dies on recent kernels."""
    (care,) = [tool for tool in find_tools(tmp_path) if tool.name == "care"]
    assert care.environment == (("PROOT_NO_SECCOMP", "1"),)


def test_means_stand_beside_the_published_ones() -> None:
    """Rtrace's mean is of the program's own time; each tool has the published mean of the same classes beside it."""
    rows = [row for row in REP24 if row.name in {"tar", "copy"}]
    results = {
        ("tar", "bare"): [Measurement(1.0)],
        ("copy", "bare"): [Measurement(1.0)],
        ("tar", "rtrace"): [Measurement(3.0, parts=(0.5, 2.0, 0.5))],
        ("copy", "rtrace"): [Measurement(12.0, parts=(2.0, 8.0, 2.0))],
        ("tar", "care"): [Measurement(2.0)],
        ("copy", "care"): [Measurement(None, "exit status 1")],
    }
    tools = [Tool(name, name, Path(), lambda _: [], ()) for name in ("bare", "rtrace", "care")]
    assert report.format_means(rows, tools, results).splitlines()[2:] == [
        "| rtrace, its program | x 4.00 (2 of 2 rows) | - | - |",
        "| rtrace, in all | x 6.00 (2 of 2 rows) | - | - |",
        "| care | x 2.00 (1 of 2 rows) | x 3.60 | x 1.45 |",
        "| strace | - | x 3.20 | x 1.66 |",
        "| rr | - | x 3.04 | x 2.46 |",
        "| reprozip | - | x 11.89 | x 2.93 |",
    ]
    assert report.format_means([ROW], tools, results) == ""


def test_every_class_has_published_figures() -> None:
    """Each row of the group names a class of the published table, and each class has a row."""
    assert {row.kind for row in REP24} == set(PUBLISHED)
    assert published_mean("rtrace", set(PUBLISHED)) is None


def test_heavy_rows_are_asked_for() -> None:
    """LaTeX and BLAST are left out unless --heavy is there; asking for one without it is wrong usage."""
    assert not [row for row in choose_rows(parse_arguments(["."])) if row.heavy]
    chosen = choose_rows(parse_arguments([".", "--heavy", "--group", "rep24"]))
    assert [row.name for row in chosen] == [row.name for row in REP24]
    with pytest.raises(SystemExit, match="2"):
        parse_arguments([".", "--only", "blast"])


def test_loss_is_the_age_of_the_oldest_missing_line() -> None:
    """What is missing from a killed run's trace is dated by the oldest of it; later lines do not make it younger."""
    logged = killing.parse_log(
        "1000000000 made/0\n1500000000 made/1\n1900000000 made/2\n9000000000 made/3\n", 2 * 10**9
    )
    killed = killing.compare(logged, frozenset({b"made/0", b"made/2"}), begun=0, killed=2 * 10**9, integrity="ok")
    assert killed == killing.Killed(after=2.0, logged=3, missing=1, loss=0.5, integrity="ok")
    assert killed.passed
    late = killing.compare([(1, b"x")], frozenset(), begun=0, killed=2 * 10**9, integrity="ok")
    assert not late.passed
    assert "1 of 2 passed" in killing.format_killing([killed, late])


def test_broken_database_is_a_failure(tmp_path: Path) -> None:
    """A trace that does not open has nothing in it, and fails whatever was logged."""
    (tmp_path / "trace.sqlite3").write_bytes(b"no database" * 100)
    traced, integrity = killing.read_trace(tmp_path / "trace.sqlite3", tmp_path)
    assert (traced, integrity) == (frozenset(), "file is not a database")
    assert not killing.compare([], traced, begun=0, killed=1, integrity=integrity).passed
