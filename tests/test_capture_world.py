"""The world before the run: what was there at first touch, and the copies of what was changed."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import pytest

from observing import observe

CHANGES = {
    "rewritten in place": "printf new | dd of=file conv=notrunc status=none",
    "truncated": ": > file",
    "appended to": "echo more >> file",
    "deleted": "rm file",
    "renamed": "mv file other",
    "replaced by a rename": "echo new > fresh; mv fresh file",
    "edited by sed -i": "sed -i s/old/new/ file",
    "moved with its folder": "mkdir place; mv file place; mv place elsewhere",
    "truncated by truncate(1)": "truncate -s 1 file",
    "changed through a hard link made by the run": "ln file second; echo more >> second",
    "changed through a symlink": "ln -s file pointer; echo more >> pointer",
}


@pytest.mark.parametrize("how", CHANGES)
def test_content_before_the_change_is_kept(how: str, tmp_path: Path) -> None:
    """A file of before the run is kept as it was, whichever way the run changes or removes it."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "file").write_text("old content\n")
    observation = observe(tmp_path / "trace", "sh", "-c", CHANGES[how], cwd=work)
    assert observation.completed.returncode == 0, observation.completed.stderr
    assert observation.snapshot(work / "file") == b"old content\n"
    assert observation.facts(work / "file")["size"] == len(b"old content\n")


def test_change_through_another_old_name_keeps_both(tmp_path: Path) -> None:
    """Two names of one file from before the run both keep the content, though only one of them was written to."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "first").write_text("old\n")
    os.link(work / "first", work / "second")
    observation = observe(tmp_path / "trace", "sh", "-c", "echo more >> first; cat second", cwd=work)
    assert observation.completed.stdout == b"old\nmore\n"
    assert observation.snapshot(work / "first") == b"old\n"
    assert observation.snapshot(work / "second") == b"old\n"


def test_folder_renamed_keeps_all_below(tmp_path: Path) -> None:
    """When a folder from before the run is renamed, everything below it is kept as it was."""
    work = tmp_path / "work"
    (work / "folder/sub").mkdir(parents=True)
    (work / "folder/sub/file").write_text("old\n")
    observation = observe(tmp_path / "trace", "sh", "-c", "mv folder moved; echo new > moved/sub/file", cwd=work)
    assert observation.snapshot(work / "folder/sub/file") == b"old\n"
    rows = observation.rows("SELECT p.path, r.type FROM results r JOIN paths p ON p.id = r.path")
    results = {row["path"]: row["type"] for row in rows}
    assert results[os.fsencode(work / "folder/sub/file")] is None
    assert results[os.fsencode(work / "moved/sub/file")] == "file"


def test_product_of_the_run_is_not_kept(tmp_path: Path) -> None:
    """What the run itself made is not copied when the run changes it again."""
    work = tmp_path / "work"
    work.mkdir()
    observation = observe(tmp_path / "trace", "sh", "-c", "echo a > file; echo b >> file; rm file", cwd=work)
    assert observation.snapshot(work / "file") is None
    assert observation.facts(work / "file")["type"] is None
    assert list((tmp_path / "trace/snapshots").iterdir()) == []


def test_entries_of_a_listed_folder_are_noted(tmp_path: Path) -> None:
    """Every entry of a listed folder is noted with type and size, also those that nobody opened."""
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    (work / "folder/file").write_text("12345")
    (work / "folder/link").symlink_to("nowhere")
    observation = observe(tmp_path / "trace", "python3", "-c", "import os; os.listdir('folder')", cwd=work)
    assert observation.facts(work / "folder/file")["size"] == 5
    assert observation.facts(work / "folder/link")["target"] == b"nowhere"
    assert b"folder/file" not in observation.uses_below(work)


def test_results_tell_what_the_run_left(tmp_path: Path) -> None:
    """Results hold the digest of what was made, and that what was removed is gone; what was only read has none."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("read", "removed"):
        (work / name).write_text("old\n")
    observation = observe(tmp_path / "trace", "sh", "-c", "cat read > made; rm removed", cwd=work)
    rows = observation.rows("SELECT p.path, r.type, r.sha256 FROM results r JOIN paths p ON p.id = r.path")
    below = [row for row in rows if row["path"].startswith(os.fsencode(work))]
    results = {os.path.basename(row["path"]): (row["type"], row["sha256"]) for row in below}
    digest = hashlib.sha256(b"old\n").hexdigest()
    assert results == {b"made": ("file", digest), b"removed": (None, None)}
