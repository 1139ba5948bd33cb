"""Show what the record of a run costs at its end.

`scripts/bench --recording`: `true`; a script alone; the same in a repository of Git with a change that is not
committed; one that reads 500 files and writes as many; one that is given a new secret each time, so that the rules are
loaded. In every round each takes its turn. The first run of each is told apart: what is searched then is new.
"""

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SCRIPT = "import csv, json\nprint(open('parameters.yaml').read())\nopen('out.csv', 'w').write('1')\n"
FILES = "import os\nfor n in range(500):\n    open(f'out/{n}', 'w').write(open(f'in/{n}').read())\n"


@dataclass
class Row:
    """A workload and what was measured of it, in seconds.

    For the record by the clock and of processor time, and from the end of the run to that of rtrace.
    """

    name: str
    folder: Path
    argv: tuple[str, ...]
    secret: bool = False
    records: list[float] = field(default_factory=list)
    processor: list[float] = field(default_factory=list)
    finishes: list[float] = field(default_factory=list)


def make_rows(scratch: Path) -> Iterator[Row]:
    """Yield the workloads, each ready in a folder of its own."""
    python = sys.executable

    def make(name: str) -> Path:
        folder = scratch / name
        (folder / "in").mkdir(parents=True)
        (folder / "out").mkdir()
        (folder / "parameters.yaml").write_text("rate: 1.5\n")
        return folder

    yield Row("true", make("true"), ("true",))
    alone = make("alone")
    (alone / "run.py").write_text(SCRIPT)
    yield Row("a Python script", alone, (python, "run.py"))
    versioned = make("versioned")
    (versioned / "run.py").write_text(SCRIPT)
    git = ("git", "-c", "user.name=A", "-c", "user.email=a@example.org")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "first")):
        subprocess.run([*git, *words], cwd=versioned, check=True)
    (versioned / "run.py").write_text(SCRIPT + "# changed\n")
    yield Row("the same in a repository", versioned, (python, "run.py"))
    many = make("many")
    (many / "run.py").write_text(FILES)
    for number in range(500):
        (many / f"in/{number}").write_text(str(number) * 100)
    yield Row("500 inputs, 500 outputs", many, (python, "run.py"))
    secret = make("secret")
    (secret / "run.py").write_text(SCRIPT)
    yield Row("a script with a new secret", secret, (python, "run.py"), secret=True)


def measure(row: Row, rtrace: Path, scratch: Path, chance: Random) -> None:
    """Trace a workload once more."""
    timings = scratch / "timings.json"
    environment = {**os.environ, "RTRACE_TIMINGS": str(timings), "XDG_STATE_HOME": str(scratch / "state")}
    if row.secret:
        environment["API_TOKEN"] = "ghp_" + "".join(chance.choices("aBcDeFgHiJ0123456789kLmNoP", k=36))
    command = (str(rtrace), "trace", "--overwrite", *row.argv)
    done = subprocess.run(
        command, cwd=row.folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, check=False
    )
    if done.returncode:
        sys.exit(f"scripts/bench: {command} failed: {done.stderr.decode(errors='replace')}")
    told = json.loads(timings.read_text())
    row.records.append(told["record"])
    row.processor.append(told["record_processor"])
    row.finishes.append(told["finish"])


def run_recording(checkout: Path, rounds: int, scratch: Path) -> str:
    """Measure every workload, and return the table."""
    rows, chance = list(make_rows(scratch)), Random(1)  # noqa: S311 - tokens of nobody's
    for number in range(rounds + 1):
        for row in rows:
            measure(row, checkout / ".venv/bin/rtrace", scratch, chance)
        print(f"round {number} of {rounds} is over", file=sys.stderr, flush=True)
    lines = [
        f"What the record costs, in seconds; medians of {rounds} rounds, and the least in brackets.\n",
        "| run | record | processor time of it | of the first one | all of the finish |",
        "|---|---|---|---|---|",
    ]
    for row in rows:
        record, finish, processor = row.records[1:], row.finishes[1:], row.processor[1:]
        lines.append(
            f"| {row.name} | {statistics.median(record):.3f} ({min(record):.3f})"
            f" | {statistics.median(processor):.3f} ({min(processor):.3f}) | {row.processor[0]:.3f}"
            f" | {statistics.median(finish):.3f} ({min(finish):.3f}) |"
        )
    return "\n".join(lines)
