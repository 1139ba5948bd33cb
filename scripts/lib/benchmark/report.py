"""What the benchmark prints: the machine, and the figures as Markdown tables. Pure."""

import os
import platform
from collections.abc import Mapping, Sequence
from pathlib import Path

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
    """Say why a figure is missing, once for each row and column."""
    reasons = {
        (row, tool): measurement.failure
        for (row, tool), measurements in results.items()
        for measurement in measurements
        if measurement.failure
    }
    return "\n".join(f"- {tool} failed at {row}: {reason}" for (row, tool), reason in reasons.items())
