"""`rtrace combine`: several traces become the runs of one, with everything that names something still naming it."""

from __future__ import annotations

import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from observing import run_rtrace

FACTS = """
SELECT runs.name, child.pid, parent.pid, child.started, paths.path, executions.argv, environments.content
FROM executions JOIN processes AS child ON child.id = executions.process JOIN runs ON runs.id = executions.run
LEFT JOIN processes AS parent ON parent.id = child.parent JOIN paths ON paths.id = executions.path
JOIN environments ON environments.id = executions.environment
WHERE child.run = executions.run AND (parent.run IS NULL OR parent.run = child.run) ORDER BY 1, 2, 4, 6
"""


def read_facts(directory: Path) -> list[tuple[object, ...]]:
    """Read who executed what, with every reference followed."""
    with closing(sqlite3.connect(directory / "trace.sqlite3")) as connection:
        return connection.execute(FACTS).fetchall()


@pytest.mark.requires("user-namespaces")
def test_steps_of_a_pipeline_replay_as_one(tmp_path: Path) -> None:
    """Two steps that were traced apart are packed, replayed and compared together, in the order in which they began."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").write_text("b\na\n")
    (work / "log").write_text("begun\n")
    steps = {
        "one": "sort data > sorted; echo one >> log",
        "two": "(cat sorted; cat data) | wc -l > count; echo two >> log",
    }
    for name, step in steps.items():
        assert run_rtrace("trace", "-d", tmp_path / name, "--", "sh", "-c", step, cwd=work).returncode == 0
    before = [read_facts(tmp_path / name) for name in steps]
    combined = run_rtrace("combine", "-d", tmp_path / "both", tmp_path / "two", tmp_path / "one")
    assert combined.returncode == 0, combined.stderr
    assert read_facts(tmp_path / "both") == [
        (name, *fact[1:]) for name, facts in zip(("run1", "run2"), before, strict=True) for fact in facts
    ]
    inputs = (tmp_path / "both/manifest.yml").read_text().partition("\ninputs:")[2].partition("\noutputs:")[0]
    assert "/data" in inputs
    assert "/sorted" not in inputs
    packed = run_rtrace("pack", "-d", tmp_path / "both", tmp_path / "both.rpz")
    assert packed.returncode == 0, packed.stderr
    shutil.rmtree(work)
    verified = run_rtrace("verify", "--all", tmp_path / "both.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count(b"/log") == 2


@pytest.mark.requires("user-namespaces")
def test_ranks_that_ran_at_the_same_time_start_from_what_the_first_met(tmp_path: Path) -> None:
    """Of ranks that change one file while both run, the world before is that of whoever touched it first."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "shared").write_text("before\n")
    (work / "go").mkdir()
    wait = "until [ -e go/{} ]; do sleep 0.05; done"
    early = f"touch go/early; {wait.format('late')}; cat shared"  # begins first, looks last
    late = f"{wait.format('early')}; read line < shared; echo changed > shared; touch go/late"
    tracers = [
        subprocess.Popen(
            [sys.executable, "-m", "rtrace", "trace", "-q", "-d", tmp_path / name, "--", "sh", "-c", script], cwd=work
        )
        for name, script in (("early", early), ("late", late))
    ]
    assert [tracer.wait() for tracer in tracers] == [0, 0]
    assert run_rtrace("combine", "-d", tmp_path / "both", tmp_path / "early", tmp_path / "late").returncode == 0
    assert run_rtrace("pack", "-d", tmp_path / "both", tmp_path / "both.rpz").returncode == 0
    shutil.rmtree(work)
    assert run_rtrace("unpack", "chroot", tmp_path / "both.rpz", tmp_path / "target").returncode == 0
    (shared,) = (tmp_path / "target").glob(f"**{work}/shared")
    assert shared.read_text() == "before\n"
