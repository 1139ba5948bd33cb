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
    "renamed and appended to": "mv file other; echo more >> other",
    "renamed and deleted": "mv file other; rm other",
    "renamed twice and rewritten": "mv file other; mv other third; printf new | dd of=third conv=notrunc status=none",
    "renamed and replaced by a rename": "mv file other; echo new > fresh; mv fresh other",
    "renamed and truncated under a name that was written to before": "echo a > other; mv file other; echo b > other",
    "renamed and deleted under a name that was deleted before": (
        'python3 -c \'import os; open("other", "w"); os.unlink("other"); os.rename("file", "other");'
        ' os.unlink("other")\''
    ),
    "linked to a name that was written to before, and changed there": (
        'python3 -c \'import os; open("b", "w"); os.unlink("b"); os.link("file", "b"); open("b", "w")\''
    ),
    "renamed, and another file made in its place": "mv file other; echo new > file; rm other",
    "exchanged with another and changed": (
        'echo new > other; python3 -c \'import ctypes; ctypes.CDLL(None).renameat2(-100, b"file", -100, b"other", 2)\';'
        " echo more >> other"
    ),
    "replaced by a rename": "echo new > fresh; mv fresh file",
    "edited by sed -i": "sed -i s/old/new/ file",
    "moved with its folder and changed": "mkdir place; mv file place; mv place elsewhere; echo more >> elsewhere/file",
    "moved with its folder and deleted with it": "mkdir place; mv file place; mv place elsewhere; rm -r elsewhere",
    "truncated by truncate(1)": "truncate -s 1 file",
    "changed through a hard link made by the run": "ln file second; echo more >> second",
    "changed through a symlink": "ln -s file pointer; echo more >> pointer",
}


@pytest.mark.parametrize("how", CHANGES)
def test_content_before_the_change_is_kept(how: str, tmp_path: Path) -> None:
    """A file that the run has read is kept as it was, whichever way the run changes or removes it afterwards."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "file").write_text("old content\n")
    observation = observe(tmp_path / "trace", "sh", "-c", f"read line < file; {CHANGES[how]}", cwd=work)
    assert observation.completed.returncode == 0, observation.completed.stderr
    assert observation.snapshot(work / "file") == b"old content\n"
    assert observation.facts(work / "file")["size"] == len(b"old content\n")


RENAMES = {
    "a file": ("mv file other", "file", "other"),
    "a file, and another made in its place": ("mv file other; echo new > file; echo more >> file", "file", "other"),
    "a file twice": ("mv file other; mv other third", "file", "third"),
    "its folder twice": ("mv folder place; mv place elsewhere", "folder/sub/inner", "elsewhere/sub/inner"),
    "a file of a renamed folder": ("mv folder place; mv place/sub/inner .", "folder/sub/inner", "inner"),
}


@pytest.mark.parametrize("what", RENAMES)
def test_renaming_copies_nothing(what: str, tmp_path: Path) -> None:
    """What is only renamed is not copied, however large: its content is where it went."""
    work = tmp_path / "work"
    (work / "folder/sub").mkdir(parents=True)
    for name in ("file", "folder/sub/inner"):
        (work / name).write_text("old content\n")
    script, before, after = RENAMES[what]
    observation = observe(tmp_path / "trace", "sh", "-c", script, cwd=work)
    assert observation.completed.returncode == 0, observation.completed.stderr
    assert list((tmp_path / "trace/snapshots").iterdir()) == []
    assert observation.facts(work / before)["inode"] == (work / after).stat().st_ino
    assert observation.rows("SELECT * FROM snapshots") == []


def test_change_below_a_renamed_folder_copies_one_file(tmp_path: Path) -> None:
    """Of a renamed folder, only the file that is changed afterwards is copied, under the name it had before."""
    work = tmp_path / "work"
    (work / "folder").mkdir(parents=True)
    for name in ("one", "two", "three"):
        (work / "folder" / name).write_text(name)
    observation = observe(tmp_path / "trace", "sh", "-c", "mv folder moved; echo more >> moved/two", cwd=work)
    assert observation.snapshot(work / "folder/two") == b"two"
    assert len(observation.rows("SELECT * FROM snapshots")) == 1


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


def test_folder_renamed_is_told_below_both_names(tmp_path: Path) -> None:
    """When a folder from before the run is renamed, what lay below it is gone there, and is below the new name."""
    work = tmp_path / "work"
    (work / "folder/sub").mkdir(parents=True)
    (work / "folder/sub/file").write_text("old\n")
    observation = observe(
        tmp_path / "trace", "sh", "-c", "mv folder moved; cat moved/sub/file; echo new > moved/sub/file", cwd=work
    )
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
