"""`rtrace pack` as it is called: --force, --dry-run, and what both leave alone."""

import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture
def traced(rtrace: Command, tmp_path: Path) -> Path:
    """A folder with a trace of a run that reads one file and writes another."""
    (tmp_path / "in").write_text("input\n")
    assert rtrace("trace", "-q", "sh", "-c", "cat in > out").returncode == 0
    return tmp_path


def test_force_replaces_a_bundle_and_nothing_else(rtrace: Command, traced: Path) -> None:
    """A bundle in the way is replaced on request only; what is no bundle stays in any case."""
    assert rtrace("pack", "-q").returncode == 0
    (traced / "bundle.rpz").chmod(0o600)
    before = (traced / "bundle.rpz").read_bytes()
    assert rtrace("pack").returncode == 125
    assert rtrace("pack", "--force", "--exclude", str(traced / "in"), "--allow-missing").returncode == 0
    after = (traced / "bundle.rpz").read_bytes()
    assert after != before
    assert rtrace("pack", "--force").returncode == 0
    assert (traced / "bundle.rpz").read_bytes() == before
    done = rtrace("pack", "--force", "in")
    assert (done.returncode, (traced / "in").read_text()) == (125, "input\n")
    assert b"in is not a bundle" in done.stderr


def test_force_keeps_the_old_bundle_when_there_is_no_new_one(rtrace: Command, traced: Path) -> None:
    """Where packing fails, what was there stays as it was."""
    assert rtrace("pack", "-q").returncode == 0
    before = (traced / "bundle.rpz").read_bytes()
    (traced / "in").unlink()
    assert rtrace("pack", "--force").returncode == 1
    assert (traced / "bundle.rpz").read_bytes() == before


def test_dry_run_needs_no_free_name(rtrace: Command, traced: Path) -> None:
    """It lists kind, size, reason and path between tabs, and writes nothing, whatever is there already."""
    (traced / "bundle.rpz").write_text("in the way")
    done = rtrace("pack", "--dry-run")
    assert done.returncode == 0, done.stderr
    rows = {path: row for *row, path in (line.split("\t") for line in done.stdout.decode().splitlines())}
    assert rows[str(traced / "in")][:2] == ["file", "6"]
    assert (traced / "bundle.rpz").read_text() == "in the way"
    assert sorted(path.name for path in traced.iterdir()) == [".rtrace", "bundle.rpz", "in", "out"]


def test_dry_run_tells_what_is_missing(rtrace: Command, traced: Path) -> None:
    """An input that is gone is named, and the exit status is the one that packing would have."""
    (traced / "in").unlink()
    dry, real = rtrace("pack", "--dry-run"), rtrace("pack")
    assert (dry.returncode, real.returncode) == (1, 1)
    for done in (dry, real):
        assert f"{traced}/in".encode() in done.stderr
    assert b"no bundle would be written: the runs need 1 file whose content is missing" in dry.stderr
    allowed = rtrace("pack", "--dry-run", "--allow-missing")
    assert allowed.returncode == 0
    assert f"INCOMPLETE: {traced}/in".encode() in allowed.stderr
    assert not (traced / "bundle.rpz").exists()
