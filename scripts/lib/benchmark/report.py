"""What the benchmark prints: the machine, and the figures as Markdown tables. Pure."""

import os
import platform
import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path

from benchmark.rep24 import GROUP, PUBLISHED_TOTALS, published_mean
from benchmark.tools import PARTS, Measurement, Tool, median, median_parts
from benchmark.workloads import Workload

Results = Mapping[tuple[str, str], list[Measurement]]  # by row and column


def describe_machine() -> str:
    """Name processor, cores, kernel and Python; how busy the machine was decides what the figures are worth."""
    model = "unknown processor"
    for line in Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            model = line.partition(":")[2].strip()
            break
    cores, load = os.cpu_count(), os.getloadavg()[0]
    return (
        f"{model}, {cores} cores, Linux {platform.release()} {platform.machine()}, "
        f"Python {platform.python_version()}; load before the start {load:.1f}"
    )


def format_results(rows: Sequence[Workload], tools: Sequence[Tool], results: Results) -> str:
    """Lay out medians in seconds, and their ratio to bare."""
    lines = [
        "| workload | " + " | ".join(tool.name for tool in tools) + " |",
        "|---|" + "---|" * len(tools),
    ]
    for row in rows:
        bare = median(results.get((row.name, "bare"), []))
        cells = [format_cell(median(results[row.name, tool.name]), bare, tool.name) for tool in tools]
        lines.append(f"| {row.describe()} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def format_cell(seconds: float | None, bare: float | None, tool: str) -> str:
    """Write one figure: seconds, and how many times bare."""
    if seconds is None:
        return "failed"
    ratio = f" (x {seconds / bare:.2f})" if bare and tool != "bare" else ""
    return f"{seconds:.2f} s{ratio}"


def format_parts(rows: Sequence[Workload], results: Results) -> str:
    """Lay out where rtrace's time went, and how much slower the program itself was; empty when it did not tell."""
    lines = [
        "| workload, under rtrace | " + " | ".join(PARTS) + " | program / bare |",
        "|---|" + "---|" * (len(PARTS) + 1),
    ]
    heading = len(lines)
    for row in rows:
        parts = median_parts(results.get((row.name, "rtrace"), []))
        bare = median(results.get((row.name, "bare"), []))
        if parts:
            cells = [f"{part:.2f} s" for part in parts]
            cells.append(f"x {parts[1] / bare:.2f}" if bare else "-")
            lines.append(f"| {row.describe()} | " + " | ".join(cells) + " |")
    return "\n".join(lines) if len(lines) > heading else ""


def format_failures(results: Results) -> str:
    """Return why a figure is missing, once for each row and column."""
    reasons = {
        (row, tool): measurement.failure
        for (row, tool), measurements in results.items()
        for measurement in measurements
        if measurement.failure
    }
    return "\n".join(f"- {tool} failed at {row}: {reason}" for (row, tool), reason in reasons.items())


def find_ratio(row: Workload, tool: str, results: Results, *, program_only: bool) -> float | None:
    """Return how many times bare a tool took at a row; its program's own time alone where it tells."""
    bare = median(results.get((row.name, "bare"), []))
    measurements = results.get((row.name, tool), [])
    seconds = median(measurements)
    if not bare or seconds is None:
        return None
    parts = median_parts(measurements)
    if program_only:
        return parts[1] / bare if parts else None
    return seconds / bare


def format_means(rows: Sequence[Workload], tools: Sequence[Tool], results: Results) -> str:
    """Lay out the geometric means over the rows of the published suite's classes; empty when none was run."""
    rows = [row for row in rows if row.group == GROUP]
    measured: list[tuple[str, str, bool]] = [
        (tool.name, tool.name, False) for tool in tools if tool.name not in {"bare", "rtrace"}
    ]
    if any(tool.name == "rtrace" for tool in tools):
        measured = [("rtrace", "rtrace, its program", True), ("rtrace", "rtrace, in all", False), *measured]
    lines = []
    for tool, title, program_only in measured:
        ratios = [find_ratio(row, tool, results, program_only=program_only) for row in rows]
        found = [ratio for ratio in ratios if ratio]
        mean = f"x {statistics.geometric_mean(found):.2f} ({len(found)} of {len(rows)} rows)" if found else "-"
        lines.append(f"| {title} | {mean} | {format_published(tool, rows)} |")
    absent = [tool for tool in PUBLISHED_TOTALS if tool not in {name for name, _, _ in measured}]
    lines += [f"| {tool} | - | {format_published(tool, rows)} |" for tool in absent]
    if not rows or not measured:
        return ""
    heading = "| geometric mean over ACM REP'24 classes | here | published, these classes | published, whole suite |"
    return "\n".join([heading, "|---|---|---|---|", *lines])


def format_published(tool: str, rows: Sequence[Workload]) -> str:
    """Write the two published means of a tool as cells."""
    means = published_mean(tool, {row.kind for row in rows}), PUBLISHED_TOTALS.get(tool)
    return " | ".join(f"x {mean:.2f}" if mean else "-" for mean in means)
