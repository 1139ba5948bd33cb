"""The memory of a program that crashes in a replay goes nowhere: many systems hand it to a program of root's."""

import fcntl
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from bundle_making import BUSYBOX, BundleMaker, make_run

pytestmark = [pytest.mark.requires("busybox", "user-namespaces", "root"), pytest.mark.xdist_group("core_pattern")]

UNPACKERS = ["chroot", pytest.param("docker", marks=pytest.mark.requires("docker"))]
CRASH = (
    b"busybox-inside sh -c 'ulimit -S -c 0 && ulimit -c unlimited && kill -SEGV $$'; echo $?;"
    b"ulimit -c 0; echo $?; busybox-inside sh -c 'kill -ABRT $$'; echo $?; ls"
)


@pytest.fixture
def handled() -> Iterator[Path]:
    """Where a handler of core dumps notes whose it got, of programs of this test; the kernel waits for it to end."""
    settings = {name: Path("/proc/sys/kernel", name) for name in ("core_pattern", "core_pipe_limit")}
    before = {name: path.read_text() for name, path in settings.items()}
    alone = os.open("/tmp", os.O_RDONLY)
    fcntl.flock(alone, fcntl.LOCK_EX)  # the machine has one pattern, and there may be other tests
    with tempfile.TemporaryDirectory(prefix="core-", dir="/tmp") as folder:  # a pattern has at most 127 bytes
        handler, notes = Path(folder, "handler"), Path(folder, "notes")
        handler.write_text(f'#!/bin/sh\ncase $1 in busybox-*) echo "$1" >> {notes} ;; esac\ncat > /dev/null\n')
        handler.chmod(0o755)
        notes.touch()
        try:
            settings["core_pipe_limit"].write_text("16")
            settings["core_pattern"].write_text(f"|{handler} %e")
            yield notes
        finally:
            for name, path in settings.items():
                path.write_text(before[name])
            os.close(alone)


@pytest.mark.parametrize("unpacker", UNPACKERS)
def test_no_core_dump_reaches_the_machine(unpacker: str, handled: Path, tmp_path: Path) -> None:
    """A crash hands no memory to root's handler, whatever limit the program sets; scripts that set one go on."""
    busybox = Path(shutil.which(BUSYBOX) or "")
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/bin/busybox-inside", busybox.read_bytes(), mode=0o755)
    bundle = maker.write(make_run(CRASH, uid=0, gid=0, groups=()))
    command = (sys.executable, "-m", "rtrace", "run", "--unpacker", unpacker, bundle)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert done.stdout == b"139\n0\n134\n", done.stderr
    assert handled.read_text() == ""
    shutil.copy(busybox, tmp_path / "busybox-outside")
    subprocess.run([tmp_path / "busybox-outside", "sh", "-c", "kill -SEGV $$"], check=False)
    assert handled.read_text() == "busybox-outside\n"


@pytest.mark.parametrize("unpacker", UNPACKERS)
def test_no_core_file_is_left(unpacker: str, tmp_path: Path) -> None:
    """Nor is a file left in the replay's tree where the caller's limit allows one: it would differ each time."""
    bundle = BundleMaker(tmp_path / "made").write(make_run(b"sh -c 'kill -SEGV $$'; ls", uid=0, gid=0, groups=()))
    script = 'ulimit -c unlimited; exec "$0" -m rtrace run --unpacker "$1" "$2"'
    command = ("bash", "-c", script, sys.executable, unpacker, bundle)
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)
    assert (done.returncode, done.stdout) == (0, b""), done.stderr
