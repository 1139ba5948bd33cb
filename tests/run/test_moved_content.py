"""What a run renamed or linked is packed as it was before, wherever its content went since."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from observing import Observation, run_rtrace
from rtrace.opening import open_bundle

OLD = b"old content\n"
RUNS: dict[str, tuple[str, ...]] = {
    "renamed": ("mv file other",),
    "renamed, another made in its place": ("mv file other; echo new > file",),
    "renamed and renamed again": ("mv file other; mv other third", "mv third fourth"),
    "renamed and back": ("mv file other; mv other file",),
    "renamed, changed by a later run": ("mv file other", "echo more >> other"),
    "renamed, deleted by a later run": ("mv file other", "rm other"),
    "renamed, renamed and deleted by a later run": ("mv file other", "mv other third; rm third"),
    "renamed, renamed by the next and changed by a third run": ("mv file other", "mv other third", "echo > third"),
    "renamed over another": ("echo new > other; mv file other", "mv other third; echo new > other"),
    "renamed and touched": ("mv file other; touch -d 2001-02-03 other",),
    "renamed and touched, deleted by a later run": ("mv file other; touch -d 2001-02-03 other", "rm other"),
    "touched": ("python3 -c 'import os; os.utime(\"file\", (1, 1))'",),
    "moved to another filesystem": ("mv file /dev/shm/rtrace-test-$$; rm /dev/shm/rtrace-test-$$",),
    "linked, and the old name removed": ("ln file other; rm file",),
    "linked, the new name changed by a later run": ("ln file other; cat other", "echo more >> other"),
    "exchanged": ("echo new > other; python3 -c 'import ctypes; {}'",),
    "moved with its folder": ("mkdir a; mv file a; mv a b", "mv b c; mv c/file d; rm -r c"),
    "moved, the folder above it renamed by a later run": ("mkdir a; mv file a", "mv a b; echo more >> b/file"),
}
EXCHANGE = 'ctypes.CDLL(None).renameat2(-100, b"file", -100, b"other", 2)'


def trace(work: Path, *scripts: str) -> None:
    """Trace each script as a run of its own."""
    for number, script in enumerate(scripts):
        continued = ["--continue"] if number else []
        done = run_rtrace("trace", "-q", *continued, "--", "sh", "-c", script.replace("{}", EXCHANGE), cwd=work)
        assert done.returncode == 0, done.stderr


def pack(work: Path) -> tuple[dict[bytes, bytes], str]:
    """Pack; give the contents by path, and what was said about what is not as it should be."""
    bundle = work.parent / "bundle.rpz"
    packed = run_rtrace("pack", "--allow-missing", bundle, cwd=work)
    assert packed.returncode == 0, packed.stderr
    said = "".join(line for line in packed.stderr.decode().splitlines(keepends=True) if str(work) in line)
    with open_bundle(bundle) as opened:
        return {entry.path: b"".join(parts) for entry, parts in opened.stream_data() if not entry.placeholder}, said


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with the file that all of this is about."""
    folder = tmp_path / "work"
    folder.mkdir()
    (folder / "file").write_bytes(OLD)
    os.utime(folder / "file", (1_000_000_000, 1_000_000_000))
    return folder


@pytest.mark.parametrize("what", RUNS)
def test_content_is_found_wherever_it_went(what: str, work: Path) -> None:
    """After one run or several, the file is packed under its old name as it was, and there is nothing to complain."""
    trace(work, *RUNS[what])
    contents, said = pack(work)
    assert contents[bytes(work / "file")] == OLD
    assert said == ""


def test_folder_of_many_files_is_packed_after_it_was_renamed(work: Path) -> None:
    """Of a renamed folder in which some files were changed and moved on, every file is packed as it was.

    Those that the first run removed or replaced unread, nobody needs.
    """
    names = [f"folder/{number % 7}/{number}" for number in range(70)]
    for name in names:
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        (work / name).write_text(f"content of {name}")
    os.link(work / names[5], work / "folder/link")
    changes = (
        "echo more >> b/1/1; rm -r b/2; mv b/3/3 .; mv b/4 c; echo > c/4; ln -s b d; echo more >> d/6/6; ln b/0/0 e"
    )
    trace(work, f"mv folder a; mv a b; {changes}", "rm -r b/5; mv b f; echo more >> e")
    contents, said = pack(work)
    assert said == ""
    for name in names:
        if name.startswith("folder/2/") or name == "folder/4/4":
            assert bytes(work / name) not in contents
        elif name != names[5]:
            assert contents[bytes(work / name)] == f"content of {name}".encode()
    assert b"content of " + names[5].encode() in {contents[bytes(work / name)] for name in (names[5], "folder/link")}


def test_change_after_the_trace_is_told_with_the_new_name(work: Path) -> None:
    """What somebody changed or removed after the trace, under the name that the run gave it, is told as that."""
    (work / "second").write_bytes(OLD)
    trace(work, "mv file other; mv second third")
    (work / "other").write_text("changed since")
    (work / "third").unlink()
    contents, said = pack(work)
    assert contents[bytes(work / "file")] == b"changed since"
    assert bytes(work / "second") not in contents
    assert f"{work}/file, renamed by the run to {work}/other, changed after the trace: it was packed as it is" in said
    assert f"{work}/second, renamed by the run to {work}/third, is no longer there: it was not packed" in said


def test_file_made_in_the_old_place_is_not_taken_for_the_old_one(work: Path) -> None:
    """When the renamed file is gone after the trace, what stands in its old place is not packed instead."""
    trace(work, "mv file other")
    (work / "other").unlink()
    (work / "file").write_text("impostor")
    contents, said = pack(work)
    assert bytes(work / "file") not in contents
    assert f"{work}/file, renamed by the run to {work}/other, is no longer there" in said


def test_rename_of_a_killed_tracer_is_followed(work: Path) -> None:
    """When the tracer was killed after a rename, and so nobody noted the results, the content is found all the same."""
    (work / "folder").mkdir()
    (work / "folder/inner").write_bytes(OLD)
    script = "mv folder other; while :; do echo turn; sleep 0.1; done"
    command = [sys.executable, "-m", "rtrace", "trace", "-q", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=work) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"turn\n"
        observation = Observation.of_running(work / ".rtrace")
        deadline = time.monotonic() + 30
        while not observation.rows("SELECT * FROM moves"):
            assert time.monotonic() < deadline
        tracer.kill()
        tracer.communicate()
    contents, said = pack(work)
    assert contents[bytes(work / "folder/inner")] == OLD
    assert str(work / "folder") not in said
