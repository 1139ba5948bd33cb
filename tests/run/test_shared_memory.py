"""Files in /dev/shm are files: inputs are packed, results compared, in every kind of replay."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from observing import run_rtrace
from plain_user import PlainUser
from rtrace.opening import open_bundle

SCRIPT = """#!/bin/sh
cat {memory}/in {memory}/folder/inner; ls -l {memory} | wc -l; rm {memory}/old
echo result > {memory}/out; echo more >> {memory}/in; stat -c %a /dev/shm; cat {memory}/out
"""


@pytest.fixture
def memory() -> Iterator[Path]:
    """A folder in /dev/shm with files."""
    folder = Path(tempfile.mkdtemp(prefix="rtrace-test-", dir="/dev/shm"))
    fill(folder)
    yield folder
    shutil.rmtree(folder)


def fill(folder: Path) -> None:
    """Make files in a folder."""
    (folder / "folder").mkdir()
    (folder / "in").write_text("input\n")
    (folder / "old").write_text("of an earlier run\n")
    (folder / "folder/inner").write_text("inner\n")
    folder.chmod(0o755)


def make_bundle(memory: Path, work: Path) -> bytes:
    """Trace and pack a script that reads and writes there; return what it printed."""
    (work / "script").write_text(SCRIPT.format(memory=memory))
    traced = run_rtrace("trace", "-q", "sh", "script", cwd=work)
    assert run_rtrace("pack", "bundle.rpz", cwd=work).returncode == 0
    return traced.stdout


@pytest.mark.parametrize("unpacker", ["chroot", pytest.param("docker", marks=pytest.mark.requires("docker"))])
def test_files_in_memory_are_packed_and_compared(unpacker: str, memory: Path, tmp_path: Path) -> None:
    """A replay finds the inputs in /dev/shm as they were, and what it leaves there is compared."""
    printed = make_bundle(memory, tmp_path)
    with open_bundle(tmp_path / "bundle.rpz") as bundle:
        outside = {
            one.path for one in bundle.entries if one.path.startswith(b"/dev/") and memory.name.encode() not in one.path
        }
        assert outside == {b"/dev/shm"}
    shutil.rmtree(memory)
    memory.mkdir()
    replayed = run_rtrace("run", "--unpacker", unpacker, "bundle.rpz", cwd=tmp_path)
    assert (replayed.stdout, replayed.stderr) == (printed, b"")
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, "bundle.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    assert f"same       {memory}/out\n".encode() in verified.stdout
    assert f"same       {memory}/in\n".encode() in verified.stdout
    assert list(memory.iterdir()) == []


@pytest.mark.parametrize("unpacker", ["chroot", pytest.param("docker", marks=pytest.mark.requires("docker"))])
def test_result_in_memory_that_differs_is_told(unpacker: str, tmp_path: Path) -> None:
    """A run that leaves another content in /dev/shm each time is not taken for the same."""
    name = f"/dev/shm/rtrace-test-{os.getpid()}"
    try:
        traced = run_rtrace("trace", "-q", "sh", "-c", f"cat /proc/sys/kernel/random/uuid > {name}", cwd=tmp_path)
        assert traced.returncode == 0
        assert run_rtrace("pack", "bundle.rpz", cwd=tmp_path).returncode == 0
    finally:
        os.unlink(name)
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, "bundle.rpz", cwd=tmp_path)
    assert verified.returncode == 1
    assert f"different  {name}".encode() in verified.stdout


def test_plain_user_has_files_in_memory(plain_user: PlainUser) -> None:
    """Somebody without privileges traces and replays with files in /dev/shm as well."""
    memory = Path(tempfile.mkdtemp(prefix="rtrace-test-", dir="/dev/shm"))
    try:
        fill(memory)
        plain_user.give(memory)
        script = plain_user.home / "script"
        script.write_text(SCRIPT.format(memory=memory))
        traced = plain_user.run(plain_user.rtrace, "trace", "-q", "sh", "script")
        assert traced.returncode == 0, traced.stderr
        assert plain_user.run(plain_user.rtrace, "pack", "bundle.rpz").returncode == 0
        verified = plain_user.run(plain_user.rtrace, "verify", "--all", "bundle.rpz")
        assert verified.returncode == 0, verified.stdout
        assert f"same       {memory}/out\n".encode() in verified.stdout
    finally:
        shutil.rmtree(memory)


def test_program_and_folder_in_memory_are_replayed(memory: Path, tmp_path: Path) -> None:
    """A script in /dev/shm is executed there, and that folder may be the working directory and hold the input."""
    (memory / "script").write_text("#!/bin/sh\ncat; pwd; echo $0\n")
    (memory / "script").chmod(0o755)
    for name, command in {"one": "./script", "two": f"{memory}/script"}.items():
        with (memory / "in").open("rb") as stdin:
            trace = tmp_path / name
            traced = run_rtrace("trace", "-q", "-d", trace, command, cwd=memory, stdin=stdin)
        assert traced.stdout.startswith(b"input\n/dev/shm/")
        assert run_rtrace("pack", "-d", trace, f"{name}.rpz", cwd=tmp_path).returncode == 0
        assert run_rtrace("run", f"{name}.rpz", cwd=tmp_path).stdout == traced.stdout


def test_semaphores_and_shared_memory_of_the_run_are_no_files_of_it(tmp_path: Path) -> None:
    """What processes of a run share with each other is neither packed nor compared; the replay's is gone after it."""
    name = f"rtrace-{os.getpid()}"
    program = (
        "import ctypes, os\n"
        "from multiprocessing import Lock, shared_memory\n"
        "lock = Lock()\nwith lock: print('locked')\n"
        "memory = shared_memory.SharedMemory(create=True, size=100); memory.close(); memory.unlink()\n"
        f"ctypes.CDLL(None).sem_open(b'/{name}', os.O_CREAT, 0o600, 1)\n"
    )
    (tmp_path / "program.py").write_text(program)
    try:
        traced = run_rtrace("trace", "-q", "/usr/bin/python3", "program.py", cwd=tmp_path)
    finally:
        os.unlink(f"/dev/shm/sem.{name}")
    assert traced.stdout == b"locked\n"
    assert run_rtrace("pack", "bundle.rpz", cwd=tmp_path).returncode == 0
    with open_bundle(tmp_path / "bundle.rpz") as bundle:
        paths = [entry.path for entry in bundle.entries] + [result.path for result in bundle.results]
    assert not [path for path in paths if b"/shm" in path]
    verified = run_rtrace("verify", "--all", "bundle.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
