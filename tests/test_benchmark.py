"""The benchmark's report: medians, ratios, and what it says when a tool failed."""

from pathlib import Path

import pytest

from benchmark import report
from benchmark.tools import BARE, Measurement, Tool, median, median_parts
from benchmark.workloads import WORKLOADS, Workload

ROW = WORKLOADS[1].scaled(10)
FAILING = Tool("rtrace", "rtrace trace", Path("rtrace"), lambda _: ["sh", "-c", "echo no such luck >&2; exit 125"], ())


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


@pytest.mark.parametrize("row", WORKLOADS, ids=lambda row: row.name)
def test_commands_are_filled_in(row: Workload) -> None:
    """No command keeps a placeholder."""
    words = row.argv("python3")
    assert not any("{size}" in word or "{python}" in word for word in words)


def test_failing_tool_is_reported_by_its_last_words(tmp_path: Path) -> None:
    """A run that fails has no seconds, and gives the last line that the tool said."""
    measurement = FAILING.measure(["true"], tmp_path, tmp_path / "scratch", 10)
    assert measurement == Measurement(None, "exit status 125: no such luck")


def test_bare_run_is_timed(tmp_path: Path) -> None:
    """A bare run has seconds, no parts, and leaves nothing behind."""
    measurement = BARE.measure(["true"], tmp_path, tmp_path / "scratch", 10)
    assert measurement.seconds is not None
    assert (measurement.failure, measurement.parts, list(tmp_path.iterdir())) == ("", (), [])
