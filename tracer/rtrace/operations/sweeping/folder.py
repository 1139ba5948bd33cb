"""The folder of a sweep: what it is of, a folder of outputs and one of streams for each combination, and the table.

sweep.json          the bundle, the settings and the parameters that all its rows share
COMBINATION/        the outputs, by their names
rows/COMBINATION/   row.json, stdout, stderr
table.csv           all rows
rtrace.lock         locked while a sweep goes on
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

from rtrace.errors import BusyError, TargetError, UsageError
from rtrace.files.folders import directory_flags
from rtrace.files.incomplete import Incomplete
from rtrace.files.locks import LOCK_FILE, lock_folder
from rtrace.files.reading import read_file
from rtrace.interrupts import shielded
from rtrace.sweep.rows import FINAL, LONGEST_ROW, Row, read_row, write_row

if TYPE_CHECKING:
    from rtrace.operations.sweeping.plan import Sweep
    from rtrace.sweep.combinations import Combination

SWEEP_FILE = "sweep.json"
ROWS = "rows"
ROW_FILE = "row.json"
TABLE_FILE = "table.csv"
FORMAT = 1
_LONGEST_SWEEP = 1 << 20


def name_sweep_folder(place: Path) -> Path:
    """Return the folder of a sweep where none is named: beside nobody's, in this one, by the bundle's name."""
    return Path(f"{Path(place.name).stem or 'rtrace'}-sweep")


class SweepFolder:
    """The folder of one sweep."""

    def __init__(self, path: Path) -> None:
        self.path = path.absolute()

    def outputs(self, combination: Combination) -> Path:
        """Return the folder of a combination's outputs."""
        return self.path / combination.name

    def record(self, combination: Combination) -> Path:
        """Return the folder of a combination's row and streams."""
        return self.path / ROWS / combination.name

    def exists(self) -> bool:
        """Whether there is a sweep already."""
        return (self.path / SWEEP_FILE).is_file()

    @contextlib.contextmanager
    def opened(self, sweep: Sweep) -> Iterator[None]:
        """Make the folder, or take the one that has rows of this sweep, and keep others off it inside the block.

        Raises UsageError for a folder of something else, BusyError for one in use, and TargetError.
        """
        self.refuse_other(sweep)
        with contextlib.ExitStack() as stack:
            try:
                (self.path / ROWS).mkdir(mode=0o700, parents=True, exist_ok=True)
                with contextlib.ExitStack() as opening:
                    descriptor = os.open(self.path, directory_flags())
                    opening.callback(os.close, descriptor)
                    stack.enter_context(lock_folder(descriptor, str(self.path)))
                    stack.callback(self.unlock)
            except BusyError as error:
                raise BusyError(f"{error}, or name another folder with --into") from None
            except OSError as error:
                raise TargetError(
                    f"cannot make {self.path}: {error.strerror}; name another folder with --into"
                ) from None
            self.refuse_other(sweep)
            self.write(SWEEP_FILE, json.dumps(self.describe(sweep), indent=2) + "\n")
            yield

    def unlock(self) -> None:
        """Remove the lock file, which is ours until the lock is released."""
        with contextlib.suppress(FileNotFoundError):
            os.unlink(self.path / LOCK_FILE)

    def refuse_other(self, sweep: Sweep) -> None:
        """Raise UsageError for a folder that holds anything but rows of this sweep."""
        if not os.path.lexists(self.path) or (self.path.is_dir() and set(os.listdir(self.path)) <= {ROWS, LOCK_FILE}):
            return
        if not self.exists():
            raise UsageError(f"{self.path} exists and holds no sweep; name another folder with --into")
        text = read_file(os.fspath(self.path / SWEEP_FILE), _LONGEST_SWEEP)
        wanted = self.describe(sweep)
        try:
            found = json.loads(text)
            other = next((key for key in wanted if found[key] != wanted[key]), None)
        except (ValueError, TypeError, KeyError, RecursionError):
            raise UsageError(f"{self.path / SWEEP_FILE} cannot be read; name another folder with --into") from None
        if other is not None:
            what = {"bundle": "another bundle", "axes": "other parameters"}.get(other, "other settings")
            raise UsageError(f"{self.path} holds a sweep of {what}; name another folder with --into, or remove it")

    def describe(self, sweep: Sweep) -> dict[str, object]:
        """Return what all rows in the folder share."""
        return {
            "format": FORMAT,
            "bundle": f"sha256:{sweep.identity}",
            "axes": [[axis.kind, axis.name, axis.label] for axis in sweep.axes],
            "settings": sweep.settings_digest,
        }

    def write(self, name: str, text: str) -> None:
        """Write a file of the folder anew, whole or not at all. Raises BundleError."""
        write_whole(self.path / name, text.encode("utf-8", "backslashreplace"))

    def read_done(self, combination: Combination, key: str, limits: str) -> Row | None:
        """Return the row of a combination that need not be replayed again: of just this key, and with its outputs."""
        row = self.read(combination, key)
        if row is None or row.state not in FINAL or (row.state == "limit" and row.limits != limits):
            return None
        for made in row.outputs:
            try:
                is_there = (self.outputs(combination) / made.file).stat().st_size == made.size
            except OSError:
                return None
            if not is_there:
                return None
        return row

    def read(self, combination: Combination, key: str) -> Row | None:
        """Return the row of a combination, None where there is none of this key."""
        content = read_file(os.fspath(self.record(combination) / ROW_FILE), LONGEST_ROW)
        row = read_row(content.decode("utf-8", "replace"))
        return row if row is not None and row.key == key else None

    def take(self, combination: Combination, outputs: Path, record: Path, row: Row) -> None:
        """Move what came of a replay to its places; the row comes last, and so says that all is there."""
        (record / ROW_FILE).write_text(write_row(row), encoding="utf-8", errors="backslashreplace")
        outputs.mkdir(exist_ok=True)
        with shielded():
            self.forget(combination)
            outputs.rename(self.outputs(combination))
            record.rename(self.record(combination))

    def forget(self, combination: Combination) -> None:
        """Remove what an earlier replay of a combination left, its row first."""
        for folder in (self.record(combination), self.outputs(combination)):
            with contextlib.suppress(FileNotFoundError):
                shutil.rmtree(folder)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file anew, whole or not at all. Raises BundleError."""
    with Incomplete(path, replace=True) as incomplete:
        whole = incomplete.folder / "whole"
        whole.write_bytes(content)
        incomplete.give_name(whole)
