"""A random tree of processes, threads and signals is in the trace as it was: fixtures/programs/torture.c."""

import sys
from pathlib import Path

import pytest

from benchmark.programs import compile_program
from benchmark.torture import SOURCE, run_torture

SIZE = 20


@pytest.fixture(scope="session")
def torture(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The compiled program."""
    return compile_program(SOURCE, tmp_path_factory.mktemp("torture"))


@pytest.mark.parametrize("seed", range(1, 6))
def test_bare_tree_is_as_logged(seed: int, torture: Path, tmp_path: Path) -> None:
    """Without a tracer the program finds nothing wrong: what it complains of under one is the tracer's doing."""
    assert run_torture(torture, seed, SIZE, tmp_path / "run", tracer=None, timeout=60) == []


@pytest.mark.parametrize("seed", range(1, 6))
def test_traced_tree_is_as_logged(seed: int, torture: Path, tmp_path: Path) -> None:
    """No process hangs, none is lost or invented, each has its parent and its end, and none notices the tracer."""
    tracer = [sys.executable, "-m", "rtrace", "trace", "-q"]
    assert run_torture(torture, seed, SIZE, tmp_path / "run", tracer=tracer, timeout=60) == []
