"""Show how fast a long history answers: 10,000 runs that read and wrote 1,000 files each.

`scripts/bench --history`: commands as one types them, start-up included, on a folder with SQLite and on PostgreSQL,
each several times in turn; then the index made again from all documents, and a run added. Of each the median, the
least, and the least time of the processor that rtrace itself took, which tells more on a busy machine.
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

RUNS, INPUTS, OUTPUTS = 10_000, 800, 200
TURNS = 5
_ADDED = 20


class Taken(NamedTuple):
    """What something took, in seconds: by the clock, and of the processor."""

    wall: float
    processor: float


def measure_history(checkout: Path, scratch: Path, *, quick: bool) -> str:
    """Return a table: what each command takes, in seconds, on SQLite and PostgreSQL."""
    sys.path[:0] = [str(checkout / "tracer"), str(checkout / "tests/support")]
    from postgresql_server import find_programs, serve_postgresql

    runs = RUNS // 100 if quick else RUNS
    folder = scratch / "history"
    columns = {"SQLite": measure_folder(checkout, folder, runs)}
    if find_programs() is not None:
        with serve_postgresql() as server:
            columns["PostgreSQL"] = measure_database(checkout, server.url, folder, runs)
    sizes = [sum(path.stat().st_size for path in folder.rglob("*.json")), (folder / "catalogue.sqlite3").stat().st_size]
    about = f"{runs:,} runs of {INPUTS + OUTPUTS:,} files; documents {sizes[0] / 1e6:,.0f} MB"
    about += f", index in SQLite {sizes[1] / 1e6:,.0f} MB. Seconds: median of {TURNS}, least, processor.\n"
    lines = [about, f"| | {' | '.join(columns)} |", f"|---|{'---|' * len(columns)}"]
    for name in dict.fromkeys(name for column in columns.values() for name in column):
        figures = " | ".join(describe(column[name]) if name in column else "" for column in columns.values())
        lines += [f"| {name} | {figures} |"]
    return "\n".join(lines)


def describe(times: list[Taken]) -> str:
    """Return the median, the least, and the least of the processor."""
    wall = [one.wall for one in times]
    return f"{statistics.median(wall):.3f}, {min(wall):.3f}, {min(one.processor for one in times):.3f}"


def measure_folder(checkout: Path, folder: Path, runs: int) -> dict[str, list[Taken]]:
    """Make a history in a folder, and measure it."""
    from synthetic_history import fill_history

    fill_history(folder, range(runs), INPUTS, OUTPUTS)
    return measure_place(checkout, str(folder), runs)


def measure_database(checkout: Path, url: str, folder: Path, runs: int) -> dict[str, list[Taken]]:
    """Put the same documents into a database, and measure that."""
    from rtrace.record.stores.postgresql_address import read_address
    from rtrace.record.stores.postgresql_connection import Database
    from rtrace.record.stores.postgresql_index import prepare, write_copy

    database = Database(read_address(url))
    prepare(database)
    paths = folder.glob("records/*/*.json")
    lines = (write_copy((path.stem, path.read_text("ascii"))).encode() for path in paths)
    with clock() as loading:
        database.copy("COPY rtrace.documents FROM STDIN", lines)
    database.close()
    return {"the documents loaded by COPY": [loading()], **measure_place(checkout, url, runs)}


def measure_place(checkout: Path, place: str, runs: int) -> dict[str, list[Taken]]:
    """Measure a history whose documents are there and whose index is not."""
    from synthetic_history import name_input, name_output

    with tempfile.TemporaryDirectory() as made, clock() as rebuilding:
        run_rtrace(checkout, place, Path(made), "log", "--rebuild", "--limit", "1")
    found: dict[str, list[Taken]] = {}
    with tempfile.TemporaryDirectory() as made:
        (Path(made) / "file").write_bytes(b"out %d %d" % (runs // 2, 7))  # what its digest in the records is made of
        commands: dict[str, Sequence[str]] = {
            "`log`, the newest 50": ("log", "--limit", "50"),
            "`log`, all": ("log",),
            "`log --digest`, a file that a few runs read": ("log", "--digest", name_input(77)[1]),
            "`log --file`, a file's name in each run": ("log", "--limit", "50", "--file", "step_0007.csv"),
            "`log --tag --status`": ("log", "--limit", "50", "--tag", "monsoon", "--status", "failed"),
            "`search`, two words, with the places of 20": ("search", "monsoon", "take"),
            "`search`, a parameter with its value": ("search", "rate", "0.42"),
            "`search`, a file's name": ("search", name_output(runs // 3, 9)[0].rpartition("/out/")[2]),
            "`blame`": ("blame", "file"),
            "`show last`": ("show", "last"),
        }
        for _ in range(TURNS):
            for name, command in commands.items():
                with clock() as taken:
                    run_rtrace(checkout, place, Path(made), *command)
                found.setdefault(name, []).append(taken())
    return found | {"adding a run of 1,000 files": measure_adding(place, runs), "`log --rebuild`": [rebuilding()]}


def measure_adding(place: str, runs: int) -> list[Taken]:
    """Return what it takes to add a run to the history, in a process that does nothing else."""
    from rtrace.record.history.opening import open_history
    from rtrace.record.reading import read_record
    from synthetic_history import make_documents

    history = open_history(place)
    times = []
    for identifier, document in make_documents(range(runs, runs + _ADDED), INPUTS, OUTPUTS):
        record = read_record(document, identifier)
        with clock() as taken:
            history.add(record)
        times.append(taken())
    history.catalogue().close()
    return times


def run_rtrace(checkout: Path, place: str, cwd: Path, *arguments: str) -> None:
    """Run a command; raise CalledProcessError when it fails."""
    environment = {**os.environ, "RTRACE_HISTORY": place, "PYTHONPATH": str(checkout / "tracer")}
    command = [sys.executable, "-m", "rtrace", *arguments]
    subprocess.run(command, check=True, cwd=cwd, env=environment, stdout=subprocess.DEVNULL)


@contextmanager
def clock() -> Iterator[Callable[[], Taken]]:
    """Yield what tells the seconds that a block took once it is over, with those of processes that it waited for."""
    began, used = time.perf_counter(), count_processor()
    ended: list[Taken] = []
    yield lambda: ended[0]
    ended.append(Taken(time.perf_counter() - began, count_processor() - used))


def count_processor() -> float:
    """Return the seconds of the processor that this process took, and those it has waited for."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system
