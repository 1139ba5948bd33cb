"""Print how much of each folder the lanes of tests reach, from the JSON reports of coverage.py. See scripts/coverage.

coverage_table.py FOLDER/report.json...    each folder is called by its lane
"""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

_DEPTH = 2
"""Folders that are told, counted from the one of the package."""


def find_folder(path: str) -> str:
    """Return the folder that a file is told under: ``tracer/rtrace/bundle/index/lines.py`` is ``rtrace/bundle``'s."""
    return "/".join(Path(path).parent.parts[1 : 1 + _DEPTH])


def read_report(report: Path) -> tuple[dict[str, set[int]], dict[str, set[int]]]:
    """Return which lines of each file can be run, and which of them were."""
    files = json.loads(report.read_bytes())["files"]
    run = {name: set(file["executed_lines"]) for name, file in files.items()}
    return {name: run[name] | set(file["missing_lines"]) for name, file in files.items()}, run


def make_table(reports: dict[str, Path]) -> list[list[str]]:
    """Return the rows of the table: a folder, its lines, and the share of them that each lane and all of them reach."""
    lines: dict[str, set[int]] = {}
    lanes: dict[str, dict[str, set[int]]] = {}
    for lane, report in reports.items():
        every, lanes[lane] = read_report(report)
        lines |= every
    if len(lanes) > 1:
        names = list(lanes)
        lanes["all"] = {name: set().union(*(lanes[lane].get(name, set()) for lane in names)) for name in lines}
    counts = {lane: Counter[str]() for lane in ("lines", *lanes)}
    for name, numbers in lines.items():
        for folder in (find_folder(name), "all"):
            counts["lines"][folder] += len(numbers)
            for lane, reached in lanes.items():
                counts[lane][folder] += len(reached.get(name, set()))
    rows = [["folder", "lines", *lanes]]
    for folder in (*sorted(counts["lines"].keys() - {"all"}), "all"):
        count = counts["lines"][folder]
        shares = (f"{100 * counts[lane][folder] / count:.0f} %" if count else "-" for lane in lanes)
        rows.append([folder, str(count), *shares])
    return rows


def main(paths: list[str]) -> None:
    """Print the table, numbers flush right."""
    rows = make_table({Path(path).parent.name: Path(path) for path in paths})
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for first, *others in rows:
        print(first.ljust(widths[0]), *(cell.rjust(width) for cell, width in zip(others, widths[1:], strict=True)))


if __name__ == "__main__":
    main(sys.argv[1:])
