"""Try a sample of mutants against tests/unit, and tell which survive. See scripts/mutate.

Not tried is what no test could notice, for it changes nothing: annotations, which are never evaluated, whether what
only they need is imported, and that nobody changes a value.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import sqlite3
import subprocess
import sys
from collections import defaultdict
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

WANTED = 0.9
_PARTS = ("tracer", "unpackers", "tests", "scripts", "fixtures", "pyproject.toml")


@dataclass(frozen=True)
class Area:
    """A part of the code: its files below tracer/rtrace, and the tests below tests/unit that are there for it."""

    files: tuple[str, ...]
    tests: tuple[str, ...]


AREAS = {
    "verification": Area(
        ("verify/compare.py", "verify/renames.py"),
        ("test_compare.py", "test_renames.py", "test_verification.py", "test_verdicts.py"),
    ),
    "container": Area(("bundle/reading/container.py",), ("test_container.py", "test_bundle_broken.py")),
    "walker": Area(("capture/books/walker.py",), ("test_walker.py",)),
}


@dataclass(frozen=True)
class Tried:
    """What became of the mutants of one area: how many were noticed of how many, and the diffs of the others."""

    noticed: int
    count: int
    survivors: tuple[str, ...]


def try_area(area: Area, checkout: Path, folder: Path, count: int, seed: int) -> Tried:
    """Try some mutants of an area in a copy of the checkout; the copy's folder is made."""
    copy = folder / "checkout"
    for name in _PARTS:
        if (checkout / name).is_dir():
            shutil.copytree(checkout / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(checkout / name, copy / name)
    tests = " ".join(f"tests/unit/{name}" for name in area.tests if (copy / "tests/unit" / name).exists())
    pytest = f"{sys.executable} -m pytest -q -x -p no:cacheprovider -p no:randomly -p no:xdist {tests}"
    modules = [f"tracer/rtrace/{name}" for name in area.files]
    config = folder / "config.toml"
    config.write_text(
        f"[cosmic-ray]\nmodule-path = {json.dumps(modules)}\ntimeout = 120.0\nexcluded-modules = []\n"
        f"test-command = {json.dumps(pytest)}\n[cosmic-ray.distributor]\nname = 'local'\n"
    )
    command, session = checkout / ".bench/mutation/bin/cosmic-ray", folder / "session.sqlite"
    environment = {**os.environ, "HYPOTHESIS_STORAGE_DIRECTORY": str(folder / "examples")}
    subprocess.run(pytest.split(), cwd=copy, check=True, stdout=subprocess.DEVNULL, env=environment)
    subprocess.run([command, "init", config, session], cwd=copy, check=True)
    choose(session, copy, count, seed)
    subprocess.run([command, "exec", config, session], cwd=copy, check=True, env=environment)
    with closing(sqlite3.connect(session)) as connection:
        rows = connection.execute("SELECT test_outcome, diff FROM work_results").fetchall()
    survivors = tuple(sorted(diff for outcome, diff in rows if outcome == "SURVIVED"))
    return Tried(len(rows) - len(survivors), len(rows), survivors)


def choose(session: Path, copy: Path, count: int, seed: int) -> None:
    """Leave a sample of the mutants in a session: one of a kind at a place, for there may be a dozen that are alike."""
    places = defaultdict(list)
    with closing(sqlite3.connect(session)) as connection, connection:
        query = "SELECT job_id, module_path, operator_name, start_pos_row, start_pos_col FROM mutation_specs"
        for job, module, operator, row, column in sorted(connection.execute(query), key=lambda found: found[1:]):
            if not is_mute((copy / module).read_text().splitlines()[row - 1], operator):
                places[module, operator.split("_")[0], row, column].append(job)
        chance = random.Random(seed)  # noqa: S311 -- a sample, nothing secret
        kinds = chance.sample(sorted(places), min(count, len(places)))
        kept = {(chance.choice(places[kind]),) for kind in kinds}
        connection.execute("CREATE TEMP TABLE kept (job_id)")
        connection.executemany("INSERT INTO kept VALUES (?)", sorted(kept))
        for table in ("mutation_specs", "work_items"):
            connection.execute(f"DELETE FROM {table} WHERE job_id NOT IN (SELECT job_id FROM kept)")  # noqa: S608


def is_mute(line: str, operator: str) -> bool:
    """Whether a change of a line can have no effect: it is about types, which nothing evaluates."""
    is_union = "ReplaceBinaryOperator_BitOr" in operator and ("None" in line or line.lstrip().startswith("def "))
    return is_union or line == "if TYPE_CHECKING:" or line.startswith("@dataclass(")


def main(checkout: Path, names: list[str]) -> int:
    """Try the named areas, all of them without names, side by side; print what became of each."""
    count, seed = int(os.environ.get("RTRACE_MUTANTS", "60")), int(os.environ.get("RTRACE_MUTANTS_SEED", "0"))
    unknown = [name for name in names if name not in AREAS]
    if unknown:
        print(f"there is no part {unknown[0]}; choose among {', '.join(AREAS)}", file=sys.stderr)
        return 2
    names = names or list(AREAS)
    with TemporaryDirectory(prefix="rtrace-mutants-") as scratch, ThreadPoolExecutor(2) as pool:
        folders = {name: Path(scratch, name) for name in names}
        for folder in folders.values():
            (folder / "checkout").mkdir(parents=True)
        tries = {name: pool.submit(try_area, AREAS[name], checkout, folders[name], count, seed) for name in names}
        status = 0
        for name, done in tries.items():
            tried = done.result()
            print(f"{name}: {tried.noticed} of {tried.count} mutants noticed", flush=True)
            for diff in tried.survivors:
                print(*(f"    {line}" for line in diff.splitlines() if line[:2] != "--"), sep="\n", flush=True)
            status |= tried.noticed < WANTED * tried.count
    return status


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
