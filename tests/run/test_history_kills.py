"""Killed at any moment, nobody who works on a history loses or mixes what others were told is there."""

import os
import random
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from rtrace.record.history.folder import FolderHistory
from rtrace.record.history.layout import document_path
from rtrace.record.query import Query
from synthetic_history import make_synthetic

WORKER = """
import sys
from rtrace.record.changing.annotating import annotate, make_annotation
from rtrace.record.history.opening import open_history
from rtrace.record.query import Query
from synthetic_history import make_synthetic

what, place, first = sys.argv[1], sys.argv[2], int(sys.argv[3])
history = open_history(place)
for number in range(first, first + 10_000):
    if what == "add":
        record = make_synthetic(number)
        history.add(record)
        print(record["id"], flush=True)
    elif what == "annotate":
        identifier = make_synthetic(number % 5)["id"]
        said = make_annotation(reason=f"said {number}", add_tags=[f"tag{number}"])
        history.replace(identifier, lambda record: annotate(record, said))
        print(said["id"], flush=True)
    elif what == "log":
        catalogue = history.catalogue()
        print(len(catalogue.find(Query())), flush=True)
        catalogue.close()
    elif what == "rebuild":
        print(history.rebuild(), flush=True)
"""


def work_until_killed(what: str, place: Path, first: int, chance: random.Random) -> Iterator[str]:
    """Have a process work on a history, kill it in the middle of something, and yield what it said it had done."""
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, what, str(place), str(first)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": ":".join(sys.path)},
    )
    assert worker.stdout is not None
    done = [worker.stdout.readline() for _ in range(chance.randrange(1, 12))]
    for _ in range(chance.randrange(20_000)):  # anywhere between two lines
        pass
    os.kill(worker.pid, signal.SIGKILL)
    done += worker.stdout.readlines()
    worker.wait()
    worker.stdout.close()
    yield from (line.strip() for line in done if line.endswith("\n"))


@pytest.mark.parametrize("seed", range(5))
def test_nothing_that_was_added_is_lost(tmp_path: Path, seed: int) -> None:
    """Ten kills each: of who adds, annotates, lists and rebuilds. All that was acknowledged is there, and findable."""
    chance = random.Random(seed)  # noqa: S311 -- no secret
    place = tmp_path / "history"
    history = FolderHistory(place)
    added = {make_synthetic(number)["id"] for number in range(5)}
    for number in range(5):
        history.add(make_synthetic(number))
    said = set()
    kinds = ("add", "annotate", "log", "add", "annotate", "rebuild", "add", "log", "annotate", "add")
    for number, what in enumerate(kinds):
        done = set(work_until_killed(what, place, (number + 1) * 10_000, chance))
        if what == "add":
            added |= done
        if what == "annotate":
            said |= done
    catalogue = history.catalogue()
    found = {row.id for row in catalogue.find(Query())}
    catalogue.close()
    assert added <= found == set(history.identifiers())
    assert catalogue_agrees(history)
    kept = {one["id"] for number in range(5) for one in history.read(make_synthetic(number)["id"])["annotations"]}
    assert said <= kept
    for identifier in found - {make_synthetic(number)["id"] for number in range(5)}:
        record = history.read(identifier)
        assert record == make_synthetic(int(record["arguments"][3]))


def catalogue_agrees(history: FolderHistory) -> bool:
    """Whether the index says of each run what its document says."""
    catalogue = history.catalogue()
    rows = {row.id: (row.reason, row.tags) for row in catalogue.find(Query())}
    catalogue.close()
    return rows == {
        identifier: (record["reason"], record["tags"])
        for identifier in history.identifiers()
        if document_path(history.root, identifier).exists()
        for record in [history.read(identifier)]
    }
