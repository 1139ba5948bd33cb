"""Documents of records as a long history has them, made quickly."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from hashlib import sha256
from pathlib import Path
from typing import cast

from rtrace.record.document import FileFact, ParameterFact, Record
from rtrace.record.empty import empty_record
from rtrace.record.ids import make_id
from rtrace.record.times import write_time

FIRST = 1_700_000_000_000_000
"""When the first run began, in microseconds since 1970; one began each minute."""
_MINUTE = 60_000_000
_POOL = 100_000
"""So many files there are that runs read; what they write is new each time."""
ODD_NAMES = (
    "a",
    "a?",
    "a\udcff",
    "a\udcfe",
    "a\ud800",
    "a\0",
    "a\ufffd",
    "a\x1a",
    "a\x1adcff",
    "a\x1f",
    "a\x1fa",
    "a\\udcff",
)
"""Names that a database which changes what it cannot keep would take for each other."""
_WORDS = ("baseline", "heatwave", "calibrated", "sensitivity", "monsoon", "repeat", "referee", "final")


def make_synthetic(number: int) -> Record:
    """Return the record of a run, the same for the same number, without files."""
    chance = random.Random(number)  # noqa: S311 -- no secret
    began = FIRST + number * _MINUTE
    record = empty_record()
    record["id"] = make_id(began // 1000, sha256(b"%d" % number).digest())
    record["reason"] = f"{chance.choice(_WORDS)} of the model, take {number}"
    record["outcome"] = chance.choice((None, "as expected", "diverged after spin-up"))
    record["tags"] = [chance.choice(_WORDS)]
    record["project"] = {"name": f"project{number % 7}", "description": None, "url": None}
    failed = number % 10 == 9
    record["status"], record["exit_code"] = ("failed", 1) if failed else ("succeeded", 0)
    record["started"], record["finished"] = write_time(began), write_time(began + _MINUTE // 2)
    record["usage"]["wall"] = 30.0
    record["arguments"] = ["python3", "simulate.py", "--seed", str(number), "--rate", str(number % 100 / 100)]
    record["workingdir"], record["main"] = "/home/ada/model", "/home/ada/model/simulate.py"
    record["user"]["name"], record["machine"]["hostname"] = "ada", "node1"
    for name, value in (("--seed", number), ("--rate", number % 100 / 100)):
        record["parameters"].append({"source": "command line", "type": "command line", "name": name, "value": value})
    record["stdout"] = {
        "kind": "pipe",
        "path": None,
        "size": 30,
        "sha256": None,
        "text": f"step {number} done, residual 1e-{number % 12}\n",
        "cut": False,
    }
    return record


def make_parameters(values: Mapping[str, str | float | bool | None]) -> list[ParameterFact]:
    """Return parameters as documents have them."""
    return [{"source": "run.yml", "type": "yaml", "name": name, "value": value} for name, value in values.items()]


def name_input(number: int) -> tuple[str, str]:
    """Return the path and the digest of a file of the pool."""
    return f"/data/forcing/{number % 97}/field_{number:06d}.nc", sha256(b"in %d" % number).hexdigest()


def name_output(run: int, number: int) -> tuple[str, str]:
    """Return the path and the digest of a file that a run wrote."""
    return f"/home/ada/model/out/{run:05d}/step_{number:04d}.csv", sha256(b"out %d %d" % (run, number)).hexdigest()


def make_file(path: str, digest: str) -> FileFact:
    """Return a file as documents have it."""
    return {
        "path": path,
        "size": 4096,
        "sha256": digest,
        "md5": None,
        "stamped": [],
        "media_type": "text/csv",
        "modified": "2023-11-14T22:13:20.000000Z",
        "problem": None,
    }


def make_documents(runs: range, inputs: int = 800, outputs: int = 200) -> Iterator[tuple[str, bytes]]:
    """Yield the identifiers and documents of runs."""
    pool = [
        json.dumps(make_file(*name_input(number)), separators=(",", ":")) for number in range(_POOL if inputs else 0)
    ]
    for run in runs:
        record = make_synthetic(run)
        chance = random.Random(run)  # noqa: S311 -- no secret
        read = ",".join(chance.sample(pool, inputs)) if inputs else ""
        written = ",".join(
            json.dumps(make_file(*name_output(run, number)), separators=(",", ":")) for number in range(outputs)
        )
        text = json.dumps(record, separators=(",", ":"))
        text = text.replace('"inputs":[]', f'"inputs":[{read}]').replace('"outputs":[]', f'"outputs":[{written}]')
        yield record["id"], text.encode("ascii") + b"\n"


def fill_history(root: Path, runs: range, inputs: int = 800, outputs: int = 200) -> None:
    """Write the documents of runs into the folder of a history, without telling its index."""
    (root / "pending").mkdir(parents=True, exist_ok=True)
    for identifier, document in make_documents(runs, inputs, outputs):
        folder = root / "records" / identifier[-2:]
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{identifier}.json").write_bytes(document)


def read_synthetic(document: bytes) -> Record:
    """Return the record of a document that was made here."""
    return cast("Record", json.loads(document))
