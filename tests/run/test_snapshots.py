"""What is changed is copied before, as long as the copies stay below a limit; what is beyond is told and not copied."""

from __future__ import annotations

import fcntl
import os
import re
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.linux.descriptors import FICLONE
from rtrace.manifest.reading.load import load

SIZE = 3 << 20
LOSS = re.compile(r"(?P<path>/\S+) \((?P<size>[\d.]+ \S+)\), which was not copied before: .* 1\.0 MiB together; .*")


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder with a file that is larger than the limit of these tests, and two of which the second is too much."""
    folder = tmp_path / "work"
    folder.mkdir()
    for name, size in (("big", SIZE), ("one", 700_000), ("two", 600_000)):
        (folder / name).write_bytes(name[0].encode() * size)
    return folder


def trace(work: Path, script: str, *options: str, **streams: object) -> list[str]:
    """Trace a script below the limit; give the lines that rtrace said."""
    arguments = ("trace", "--snapshot-limit", "1M", *options, "--", "sh", "-c", script)
    done = run_rtrace(*arguments, cwd=work, **streams)
    assert done.returncode == 0, done.stderr
    return [line for line in (done.stderr or b"").decode().splitlines() if line.startswith("rtrace:")]


def copies(work: Path) -> dict[str, int]:
    """Return the sizes of the copies that were taken, by the names of the files."""
    with closing(sqlite3.connect(work / ".rtrace/trace.sqlite3")) as connection:
        rows = connection.execute(
            "SELECT p.path, s.file FROM snapshots s JOIN paths p ON p.id = s.path WHERE s.file IS NOT NULL"
        ).fetchall()
    folder = work / ".rtrace/snapshots"
    assert {path.name for path in folder.iterdir()} == {file for _, file in rows}
    return {Path(os.fsdecode(path)).name: (folder / file).stat().st_size for path, file in rows}


@pytest.fixture
def needs_copies(work: Path) -> None:
    """Skip where the filesystem shares blocks: there is no limit then."""
    with (work / "one").open("rb") as source, (work / "shared").open("wb") as target:
        try:
            fcntl.ioctl(target.fileno(), FICLONE, source.fileno())
        except OSError:
            (work / "shared").unlink()
            return
    pytest.skip("needs a filesystem without reflinks for the temporary files")


@pytest.mark.usefixtures("needs_copies")
def test_file_beyond_the_limit_is_told_at_once_and_in_the_report(work: Path) -> None:
    """One sentence names the file, its size and a limit that suffices; nothing is copied, the rest is as always."""
    first, report, *_ = trace(work, "cat big > /dev/null; echo more >> big; echo more >> two")
    assert report == first.replace("rtrace: ", "rtrace: not captured: ")
    found = LOSS.search(first)
    assert found is not None, first
    assert found.groupdict() == {"path": f"{work}/big", "size": "3.0 MiB"}
    assert "--snapshot-limit 3M" in first
    assert copies(work) == {"two": 600_000}
    (notice,) = load(work / ".rtrace/manifest.yml").notices
    assert f"rtrace: {notice.what}; {notice.advice}" == first


@pytest.mark.usefixtures("needs_copies")
def test_limit_is_for_all_copies_together(work: Path) -> None:
    """The file with which the copies would exceed the limit is not copied; one that the advice allows for is."""
    first, *_ = trace(work, "echo more >> one; echo more >> two")
    assert f"{work}/two (585.9 KiB)" in first
    assert copies(work) == {"one": 700_000}
    (limit,) = re.findall(r"--snapshot-limit (\S+)", first)
    (work / "one").write_bytes(b"1" * 700_000)
    (work / "two").write_bytes(b"2" * 600_000)
    assert "snapshot-limit" not in "".join(
        trace(work, "echo more >> one; echo more >> two", "--overwrite", "--snapshot-limit", limit)
    )
    assert copies(work) == {"one": 700_000, "two": 600_000}


@pytest.mark.usefixtures("needs_copies")
def test_renaming_needs_no_room(work: Path) -> None:
    """A file larger than the limit may be renamed, and packs with its content."""
    assert "snapshot-limit" not in "".join(trace(work, "mv big other"))
    packed = run_rtrace("pack", "bundle.rpz", cwd=work)
    assert b"big" not in packed.stderr
    assert f"file\t0644\t{SIZE}\t".encode() in run_rtrace("list", "bundle.rpz", cwd=work).stdout


@pytest.mark.usefixtures("needs_copies")
def test_missing_copy_is_told_by_packing(work: Path) -> None:
    """What was not copied is packed as it is now, if that is allowed, and packing says so with the reason."""
    trace(work, "cat big > /dev/null; echo more >> big")
    assert run_rtrace("pack", "bundle.rpz", cwd=work).returncode == 1
    packed = run_rtrace("pack", "--allow-missing", "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    assert (
        f"rtrace: INCOMPLETE: the run changed {work}/big, and no copy of it could be made before that (3.0 MiB is more"
        " than --snapshot-limit left room for): it was packed as it is now; "
    ) in packed.stderr.decode()


@pytest.mark.usefixtures("needs_copies")
def test_warning_is_not_taken_for_output_of_the_run(work: Path) -> None:
    """With standard error in a file, what rtrace says is not part of what the run wrote there."""
    with (work.parent / "errors").open("wb") as errors:
        trace(work, "echo from the run >&2; echo more >> big", capture_output=False, stdout=errors, stderr=errors)
    said = (work.parent / "errors").read_text().splitlines()
    assert said[0] == "from the run"
    assert sum("was not copied before" in line for line in said) == 1
    (run,) = load(work / ".rtrace/manifest.yml").runs
    assert run.stdout is not None
    assert run.stdout.size == len("from the run\n")


@pytest.mark.requires("root", "mkfs.btrfs", "mount")
def test_reflinks_take_no_room(tmp_path: Path) -> None:
    """Where the filesystem shares blocks, a file of any size is kept, and the limit does not count."""
    image, mount = tmp_path / "image", tmp_path / "mount"
    mount.mkdir()
    with image.open("wb") as file:
        file.truncate(120 << 20)
    subprocess.run(["mkfs.btrfs", "-q", image], check=True, capture_output=True)
    subprocess.run(["mount", "-o", "loop", image, mount], check=True)
    work = mount / "work"  # beside it there is room for a trace that the run does not see
    try:
        work.mkdir()
        (work / "big").write_bytes(os.urandom(SIZE))
        before = (work / "big").read_bytes()
        assert "snapshot-limit" not in "".join(trace(work, "echo more >> big; ls -A"))
        assert copies(work) == {"big": SIZE}
        assert os.listdir(mount) == ["work"]
        (copy,) = (work / ".rtrace/snapshots").iterdir()
        assert copy.read_bytes() == before
    finally:
        subprocess.run(["umount", mount], check=True)
