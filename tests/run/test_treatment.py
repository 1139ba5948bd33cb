"""What a run did with a path is told apart by the content that it needs."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from observing import Observation, observe
from rtrace.trace.treatment import Treatment, classify

SCRIPTS = {
    "cat file": Treatment.READ,
    "cat file; echo more >> file": Treatment.APPENDED,
    "echo more >> file": Treatment.APPENDED,
    "echo new > file": Treatment.REPLACED,
    "cat file; echo new > file": Treatment.READ,
    ": > file": Treatment.REPLACED,
    "printf new | dd of=file conv=notrunc status=none": Treatment.REWRITTEN,
    "echo more >> file; printf new | dd of=file conv=notrunc status=none": Treatment.REWRITTEN,
    "truncate -s 2 file": Treatment.REWRITTEN,
    "rm file": Treatment.REMOVED,
    "cat file; rm file": Treatment.READ,
    "mv file other": Treatment.REMOVED,
    "echo new > fresh; mv fresh file": Treatment.REPLACED,
    "rm file; echo new > file": Treatment.REPLACED,
    "chmod 600 file": Treatment.CHANGED,
    "test -e file": Treatment.LOOKED_UP,
    "test ! -e absent": Treatment.LOOKED_UP,
    "cat absent 2>&1 || true": Treatment.LOOKED_UP,
    "ls -U folder": Treatment.LISTED,
    "echo new > new": Treatment.MADE,
    "mkdir new": Treatment.MADE,
    "echo new > new; cat new; rm new": Treatment.TEMPORARY,
    "echo more >> new": Treatment.MADE,
    "./program": Treatment.EXECUTED,
}
SUBJECTS = ("absent", "folder", "program", "new")


def classify_path(observation: Observation, path: Path) -> Treatment:
    """Sum up what the trace says of a path."""
    name = os.fsencode(path)
    found = "SELECT {0} FROM {1} JOIN paths p ON p.id = {1}.path WHERE p.path = ?"
    uses = [row["use"] for row in observation.rows(found.format("use", "uses"), name)]
    before = observation.facts(path)["type"]
    results = observation.rows(found.format("type", "results"), name)
    left = results[0]["type"] is not None if results else before is not None
    if before is None and not results:
        left = False
    return classify(before, uses, left=left)


@pytest.mark.parametrize("script", SCRIPTS)
def test_run_is_classified_by_the_content_it_needs(script: str, tmp_path: Path) -> None:
    """Reading, writing from nothing, appending, rewriting, removing and looking are told apart for real programs."""
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    (work / "file").write_text("old content\n")
    (work / "program").write_text("#!/bin/sh\n")
    (work / "program").chmod(0o755)
    observation = observe(tmp_path / "trace", "sh", "-c", script, cwd=work)
    assert observation.completed.returncode == 0, observation.completed.stderr
    words = script.replace("./", "").replace(";", "").split()
    subject = "file" if "file" in words or "of=file" in words else next(word for word in words if word in SUBJECTS)
    assert SCRIPTS[script] == classify_path(observation, work / subject)
