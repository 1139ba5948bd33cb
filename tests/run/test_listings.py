"""What people print of folders and of files that they only look at: totals, sizes, blocks, links, as in the run."""

from __future__ import annotations

import os
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.opening import open_bundle

COMMANDS = (
    "ls -l data",
    "ls -la data",
    "ls -ls data",
    "ls -lR .",
    "du -s data",
    "du -ab data",
    "du -a data | sort",
    "du -sh --apparent-size data",
    "stat -c '%n %s %b %h %A' data/1 data/sparse data/grown data/empty",
    "find data -type f -printf '%p %b\\n' | sort",
    "ls -l --sort=size data; rm -r data",
)
MAKE = """
mkdir -p data/many/a/b data/many/c data/many/d; echo x > data/many/x; : > data/empty
for i in 1 2 3; do head -c $((i*5000)) /dev/urandom > data/$i; done
head -c 100000 /dev/urandom > data/grown; truncate -s 300000 data/grown; truncate -s 1M data/sparse
ln -s data/1 data/link; mkfifo data/fifo; ln data/2 data/second; ln data/2 data/third
"""


def test_listings_are_the_same_in_a_replay(tmp_path: Path) -> None:
    """`ls`, `du`, `stat` and `find` print of a folder whose files nobody reads what they printed in the run."""
    work = tmp_path / "work"
    work.mkdir()
    lines = []
    for number, command in enumerate(COMMANDS):  # each in a world of its own: what one needs shall not help another one
        folder = work / str(number)
        folder.mkdir()
        subprocess.run(["sh", "-ec", MAKE], cwd=folder, check=True)
        lines.append(f"(cd {number}; {command})")
    (work / "script").write_text("\n".join(lines))
    traced = run_rtrace("trace", "-q", "sh", "script", cwd=work)
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    replayed = run_rtrace("run", "../bundle.rpz", cwd=work)
    assert replayed.stdout.decode().splitlines() == traced.stdout.decode().splitlines()
    assert replayed.stderr == traced.stderr


@pytest.mark.requires("docker")
def test_container_lists_links_and_room_as_in_the_run(tmp_path: Path) -> None:
    """A replay in a container shows the same of files that are not sparse, hard links among them."""
    subprocess.run(["sh", "-ec", MAKE.replace("truncate", ": ")], cwd=tmp_path, check=True)
    traced = run_rtrace(
        "trace", "-q", "sh", "-c", "ls -l data; du -a data | sort; stat -c '%h %b' data/*", cwd=tmp_path
    )
    assert run_rtrace("pack", "bundle.rpz", cwd=tmp_path).returncode == 0
    replayed = run_rtrace("run", "--unpacker", "docker", "bundle.rpz", cwd=tmp_path)
    assert replayed.stdout.decode().splitlines() == traced.stdout.decode().splitlines()


def test_huge_file_is_unpacked_as_holes_and_told(tmp_path: Path) -> None:
    """A file of terabytes that a run looked at is unpacked in no time and room, and that is said."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "huge").write_bytes(b"x")
    run_rtrace("trace", "-q", "stat", "huge", cwd=work)
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    assert b"no room" not in run_rtrace("unpack", "chroot", tmp_path / "bundle.rpz", tmp_path / "small").stderr
    with closing(sqlite3.connect(work / ".rtrace/trace.sqlite3")) as connection:
        connection.execute("UPDATE facts SET size = ?, blocks = ? WHERE size = 1", (1 << 40, 1 << 31))
        connection.commit()
    assert run_rtrace("pack", "../other.rpz", cwd=work).returncode == 0
    unpacked = run_rtrace("unpack", "chroot", tmp_path / "other.rpz", tmp_path / "target")
    assert unpacked.returncode == 0
    assert f"{work}/huge".encode() in unpacked.stderr
    status = os.lstat(f"{tmp_path}/target/root{work}/huge")
    assert (status.st_size, status.st_blocks) == (1 << 40, 0)


def test_trace_of_an_older_version_is_read_continued_and_combined(tmp_path: Path) -> None:
    """A trace that does not say how much room files took is packed, gets further runs, and is joined with others."""
    for name in ("file", "other"):
        (tmp_path / name).write_bytes(bytes(5000))
    assert run_rtrace("trace", "-q", "-d", "old", "stat", "file", cwd=tmp_path).returncode == 0
    with closing(sqlite3.connect(tmp_path / "old/trace.sqlite3")) as connection:
        connection.execute("ALTER TABLE facts DROP COLUMN blocks")
    assert run_rtrace("pack", "-d", "old", "old.rpz", cwd=tmp_path).returncode == 0
    assert run_rtrace("trace", "-q", "-d", "new", "stat", "other", cwd=tmp_path).returncode == 0
    assert run_rtrace("combine", "-d", "both", "old", "new", cwd=tmp_path).returncode == 0
    assert run_rtrace("trace", "-q", "--continue", "-d", "old", "stat", "other", cwd=tmp_path).returncode == 0
    for trace in ("both", "old"):
        assert run_rtrace("pack", "-d", trace, f"{trace}2.rpz", cwd=tmp_path).returncode == 0
        with open_bundle(tmp_path / f"{trace}2.rpz") as bundle:
            blocks = {entry.path: entry.blocks for entry in bundle.entries}
        assert blocks[os.fsencode(tmp_path / "file")] is None
        assert blocks[os.fsencode(tmp_path / "other")] == os.stat(tmp_path / "other").st_blocks
