"""`rtrace status` of real runs: a trace, its bundle, and what changed around them."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
FIT = """\
import csv, os, sys
sys.path.insert(0, "site-packages")
import demo
sorted(os.listdir("parts"))
if os.path.exists("override.ini"):
    sys.exit("another result")
with open("data.csv") as file, open("fit.txt", "w") as out:
    print(sum(float(row[0]) for row in csv.reader(file)), demo.__version__, file=out)
"""


def install(work: Path, version: str) -> None:
    """Put a distribution where a run finds it, as pip does."""
    site = work / "site-packages"
    for old in site.glob("demo-*"):
        for file in old.iterdir():
            file.unlink()
        old.rmdir()
    info = site / f"demo-{version}.dist-info"
    info.mkdir(parents=True)
    (site / "demo").mkdir(exist_ok=True)
    (site / "demo/__init__.py").write_text(f"__version__ = {version!r}  # {'x' * len(version)}\n")
    (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: demo\nVersion: {version}\n")
    (info / "RECORD").write_text(f"demo/__init__.py,,\ndemo-{version}.dist-info/METADATA,,\n")


@pytest.fixture
def work(tmp_path: Path, rtrace: Rtrace) -> Path:
    """A folder with a trace of two runs; the second needs the first."""
    work = tmp_path / "work"
    (work / "parts").mkdir(parents=True)
    (work / "parts/a").touch()
    (work / "fit.py").write_text(FIT)
    (work / "data.csv").write_text("1\n2\n")
    (work / "plot.sh").write_text("#!/bin/sh\ncat fit.txt > plot.txt\n")
    install(work, "1.0")
    fit = ("/usr/bin/python3", "-I", "-B", "fit.py")
    assert rtrace("trace", "-q", "--no-history", *fit, cwd=work).returncode == 0
    plot = ("/bin/sh", "plot.sh")
    assert rtrace("trace", "-q", "--no-history", "--continue", *plot, cwd=work).returncode == 0
    return work


def ask(rtrace: Rtrace, work: Path, place: str = ".") -> tuple[int, dict[str, list[str]]]:
    """Return the exit status of `status`, and the reasons of each run."""
    done = rtrace("status", "--json", place, cwd=work)
    told = json.loads(done.stdout)
    root = f"{work}/"
    return done.returncode, {
        run["run"]: [reason["text"].replace(root, "") for reason in run["reasons"]] for run in told["runs"]
    }


def test_runs_grow_stale_and_fresh_again(work: Path, rtrace: Rtrace) -> None:
    """By a trace directory and by a bundle alike; a touched file is read, and is no change."""
    assert rtrace("pack", "-q", "bundle.rpz", cwd=work).returncode == 0
    fresh: tuple[int, dict[str, list[str]]] = (0, {"run1": [], "run2": []})
    assert ask(rtrace, work) == ask(rtrace, work, "bundle.rpz") == fresh
    os.utime(work / "data.csv")
    assert ask(rtrace, work) == ask(rtrace, work, "bundle.rpz") == fresh
    (work / "override.ini").touch()
    (work / "parts/b").touch()
    (work / "data.csv").write_text("1\n3\n")
    listed = "appeared: parts/b (in a folder that it listed)"
    stale = (1, {"run1": ["changed: data.csv", "appeared: override.ini", listed], "run2": ["needs run1"]})
    assert ask(rtrace, work) == ask(rtrace, work, "bundle.rpz") == stale
    told = rtrace("status", cwd=work).stdout.decode()
    assert told.startswith(f"stale    run1 (/usr/bin/python3 -I -B fit.py): changed: {work}/data.csv; appeared: ")
    assert "\n2 of 2 runs are stale (" in told
    for name in ("override.ini", "parts/b"):
        (work / name).unlink()
    (work / "data.csv").write_text("1\n2\n")
    (work / "plot.txt").write_text("edited")
    assert ask(rtrace, work) == (1, {"run1": [], "run2": ["output was changed: plot.txt"]})
    assert rtrace("status", "--ignore", "**/plot.txt", cwd=work).returncode == 0


def test_another_version_of_a_package_is_one_reason(work: Path, rtrace: Rtrace) -> None:
    """However many of its files changed, appeared, or are gone."""
    install(work, "2.0")
    assert ask(rtrace, work) == (1, {"run1": ["package demo 2.0, was 1.0"], "run2": ["needs run1"]})


def test_what_has_no_trace_is_refused_in_a_sentence(work: Path, rtrace: Rtrace) -> None:
    """A bundle in ReproZip's format has none that could be compared."""
    (work / "empty").mkdir()
    for place in ("empty", "data.csv", "nowhere"):
        done = rtrace("status", place, cwd=work)
        assert done.returncode == 125, done.stderr
        assert done.stderr.count(b"\n") == 1
