"""The cell of a notebook, run as a script of its own in a traced child.

    %%rtrace --label fit -m "try another seed" -t demo --in data,seed --out model
    model = fit(data, seed)

The child has the names after ``--in`` and no others, and gives back those after ``--out``.
"""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NoReturn

from rtrace.errors import CaptureError, UsageError
from rtrace.inside import runner
from rtrace.inside.calls import FOLDER, make_folder, read_result, write_cell
from rtrace.inside.run import Run
from rtrace.inside.tracing import Said, trace_words


class _Parser(argparse.ArgumentParser):
    """A parser that raises where it would end the program."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(f"%%rtrace: {message}")


def make_parser() -> argparse.ArgumentParser:
    """Return what reads the line of the magic."""
    parser = _Parser(prog="%%rtrace", add_help=False, allow_abbrev=False)
    parser.add_argument("--label")
    parser.add_argument("-m", "--reason")
    parser.add_argument("-t", "--tag", dest="tags", action="append", default=[])
    parser.add_argument("--project")
    parser.add_argument("--no-history", action="store_true")
    parser.add_argument("--in", dest="taken", type=split_names, default=())
    parser.add_argument("--out", dest="given", type=split_names, default=())
    parser.add_argument("--dir", default=FOLDER)
    return parser


def split_names(text: str) -> tuple[str, ...]:
    """Return the names between commas. Raises ArgumentTypeError."""
    names = tuple(filter(None, (name.strip() for name in text.split(","))))
    wrong = [name for name in names if not name.isidentifier()]
    if wrong:
        raise argparse.ArgumentTypeError(f"{wrong[0]!r} is no name of a variable")
    return names


def run_cell(namespace: dict[str, Any], line: str, cell: str) -> Run:
    """Run a cell in a traced child; return the run. Raises RtraceError, and what the cell raised."""
    try:
        options = make_parser().parse_args(shlex.split(line))
    except ValueError as error:
        raise UsageError(f"%%rtrace: {error}") from None
    values = take_values(namespace, options.taken)
    folder = make_folder(Path(options.dir), options.label or "cell")
    write_cell(folder, cell, values, options.given)
    said = Said(options.label, options.reason, tuple(options.tags), options.project, not options.no_history)
    command = [sys.executable, runner.__file__, os.fspath(folder)]
    run = trace_words([os.fsencode(word) for word in command], folder / "trace", said)
    namespace.update(read_result(folder, "the cell"))
    return run


def take_values(namespace: dict[str, Any], names: Sequence[str]) -> dict[str, Any]:
    """Return variables of a notebook by their names. Raises CaptureError."""
    missing = [name for name in names if name not in namespace]
    if missing:
        raise CaptureError(f"--in {missing[0]}: the notebook has no variable of this name; run the cell that makes it")
    return {name: namespace[name] for name in names}
