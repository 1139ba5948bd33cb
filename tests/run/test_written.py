"""What a run wrote is in its bundle, for whoever compares a replay with it, and no replay sees it."""

import hashlib
import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from bundle_bytes import read_everything
from observing import run_rtrace
from rtrace.bundle.written_content import BLOCK_SIZE
from rtrace.opening import open_bundle

Rtrace = Callable[..., CompletedProcess[bytes]]
SECRET = "ghp_" + "x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ"
LARGE = b"0123456789abcdef" * (2 * BLOCK_SIZE // 16) + b"end"
SCRIPT = f"""\
echo printed
echo complained >&2
seq 1000 > numbers.txt
echo 'token = {SECRET}' > leaky.cfg
: > empty
for n in 1 2 3; do echo "$n $USER_NAME" >> steps.txt; done
"""


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A trace of two runs: one that writes several files and to both streams, and one that writes over them."""
    folder = tmp_path_factory.mktemp("written").resolve()
    (folder / "run.sh").write_text(SCRIPT)
    (folder / "source").write_bytes(LARGE)
    for words in (["sh", "run.sh"], ["--continue", "sh", "-c", "seq 5 > numbers.txt; cp source large.bin"]):
        trace = subprocess.run(
            ["rtrace", "trace", "--no-history", *words],
            cwd=folder,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
        )
        assert trace.returncode == 0
    return folder


@pytest.fixture(scope="module")
def bundle(home: Path) -> Path:
    """Its bundle."""
    done = run_rtrace("pack", cwd=home)
    assert b"leaky.cfg of run1" in done.stderr
    assert b"left out" in done.stderr
    return home / "bundle.rpz"


def test_what_a_run_wrote_is_copied_out(home: Path, bundle: Path, rtrace: Rtrace) -> None:
    """The last run's file by its path, an earlier one's by the run, streams by their names, several into a folder."""
    numbers = home / "numbers.txt"
    for name, content in (
        (f"{numbers}", b"1\n2\n3\n4\n5\n"),
        (f"run2:{numbers}", b"1\n2\n3\n4\n5\n"),
        (f"run1:{numbers}", "".join(f"{n}\n" for n in range(1, 1001)).encode()),
        ("run1:stdout", b"printed\n"),
        ("run1:stderr", b"complained\n"),
        (f"{home}/large.bin", LARGE),
        (f"{home}/empty", b""),
    ):
        done = rtrace("extract", "--written", bundle, name)
        assert (done.returncode, done.stdout, done.stderr) == (0, content, b""), name
    done = rtrace("extract", "--written", "--json", "-o", home / "copies", bundle, f"{home}/*.txt", "run1:stdout")
    assert done.returncode == 0, done.stderr
    assert (home / "copies/run1.stdout").read_bytes() == b"printed\n"
    assert (home / f"copies{home}/steps.txt").read_bytes() == b"1 \n2 \n3 \n"
    assert {Path(one["path"]).name for one in json.loads(done.stdout)["files"]} == {
        "numbers.txt",
        "steps.txt",
        "stdout",
    }


def test_what_holds_a_secret_is_not_there(home: Path, bundle: Path, rtrace: Rtrace) -> None:
    """Nor is it anywhere else in the bundle; the person who says that it is none gets it packed."""
    assert not [name for name, content in read_everything(bundle) if SECRET.encode() in content]
    done = rtrace("extract", "--written", bundle, f"{home}/leaky.cfg")
    assert (done.returncode, done.stdout) == (125, b"")
    assert b"only the digest of what run1 wrote" in done.stderr
    manifest = home / ".rtrace/manifest.yml"
    before = manifest.read_text()
    manifest.write_text(f"{before}\nsecrets:\n  - {{place: 'output {home}/leaky.cfg of run1', pack: true}}\n")
    try:
        assert rtrace("pack", home / "allowed.rpz", cwd=home).returncode == 0
    finally:
        manifest.write_text(before)
    done = rtrace("extract", "--written", home / "allowed.rpz", f"{home}/leaky.cfg")
    assert (done.returncode, done.stdout) == (0, f"token = {SECRET}\n".encode())


def test_what_is_too_large_has_digests_of_its_blocks(home: Path, rtrace: Rtrace) -> None:
    """The smaller ones are kept, and nothing where that is asked for."""
    assert rtrace("pack", "--outputs-size", "1M", home / "small.rpz", cwd=home).returncode == 0
    with open_bundle(home / "small.rpz") as opened:
        found = opened.find_written(hashlib.sha256(LARGE).hexdigest())
        assert found is not None
        assert (found.offset, found.size) == (None, len(LARGE))
        assert found.find_block(1) == hashlib.sha256(LARGE[BLOCK_SIZE : 2 * BLOCK_SIZE]).hexdigest()
        assert found.find_block(2) == hashlib.sha256(b"end").hexdigest()
        opened.check()
    assert rtrace("extract", "--written", home / "small.rpz", home / "steps.txt").returncode == 0
    assert rtrace("pack", "--without-outputs", home / "none.rpz", cwd=home).returncode == 0
    assert not [name for name, _ in read_everything(home / "none.rpz") if "written" in name.lower()]
    told = rtrace("extract", "--written", home / "none.rpz", home / "steps.txt")
    assert (told.returncode, b"only the digest" in told.stderr) == (125, True)


def test_the_same_trace_gives_the_same_bytes(home: Path, bundle: Path, rtrace: Rtrace) -> None:
    """With what the runs wrote."""
    assert rtrace("pack", home / "again.rpz", cwd=home).returncode == 0
    assert (home / "again.rpz").read_bytes() == bundle.read_bytes()


def test_a_file_that_changed_since_is_not_taken_for_what_the_run_wrote(home: Path, rtrace: Rtrace) -> None:
    """Of it the digest alone is known."""
    steps = home / "steps.txt"
    before, time = steps.read_bytes(), steps.stat().st_mtime_ns
    steps.write_bytes(before.replace(b"1", b"7"))
    try:
        assert rtrace("pack", home / "changed.rpz", cwd=home).returncode == 0
    finally:
        steps.write_bytes(before)
        os.utime(steps, ns=(time, time))
    with open_bundle(home / "changed.rpz") as opened:
        assert opened.find_written(hashlib.sha256(before).hexdigest()) is None
        assert opened.find_written(hashlib.sha256(before.replace(b"1", b"7")).hexdigest()) is None


def test_it_survives_reprozips_format(home: Path, bundle: Path, rtrace: Rtrace) -> None:
    """There and back."""
    target = home / "there.rpz"
    assert rtrace("export", "-f", "reprozip", "-o", target, bundle).returncode == 0
    done = rtrace("extract", "--written", target, "run1:stdout")
    assert (done.returncode, done.stdout) == (0, b"printed\n")
    assert rtrace("check", target).returncode == 0


def test_a_replay_does_not_see_it(home: Path, bundle: Path, rtrace: Rtrace) -> None:
    """No file of a target has the content of an output before a run wrote it."""
    target = home / "target"
    assert rtrace("unpack", "chroot", bundle, target).returncode == 0
    try:
        assert not list(target.rglob("numbers.txt"))
        assert not list(target.rglob("WRITTEN*"))
        large = [path for path in target.rglob("*") if path.is_file() and path.stat().st_size == len(LARGE)]
        assert [path.name for path in large] == ["source"]
    finally:
        assert rtrace("destroy", target).returncode == 0


def test_what_nobody_wrote_is_told(bundle: Path, rtrace: Rtrace) -> None:
    """In one sentence."""
    for name in ("/nowhere", "run1:/nowhere", "stdin", "*.nothing"):
        done = rtrace("extract", "--written", bundle, name)
        assert (done.returncode, done.stdout) == (125, b"")
        assert done.stderr.count(b"\n") == 1
        assert b"wrote " in done.stderr
