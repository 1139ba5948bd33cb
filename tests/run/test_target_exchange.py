"""Files put into targets and fetched from them, whatever a run left there, and the packed state brought back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import exchange_program
from bundle_making import USER, BundleMaker, make_run, run_python
from plain_user import PlainUser

pytestmark = pytest.mark.requires("busybox")

SCRIPTS = {
    "look": b"busybox find . | busybox sort; cat data.csv; stat -c '%u %a %Y' . data.csv gone",
    "tell": b"stat -c '%u %g %a %Y' data.csv; cat data.csv",
    "damage": b"""rm data.csv; ln -s /etc/passwd data.csv; ln -s /etc/passwd evil; ln -s elsewhere way; mkdir elsewhere
        rm -r gone; echo result > result; ln -s result latest; ln -s /work/result absolute; busybox mkfifo pipe
        ln -s endless endless; mkdir closed; echo old > closed/file; busybox chmod 0 closed/file closed""",
    "modes": b"stat -c %a closed; ls data.csv; busybox test -f data.csv -a ! -L data.csv",
}
RUNS = tuple(make_run(script, id=name) for name, script in SCRIPTS.items())


def make_bundle(folder: Path) -> Path:
    """Make a bundle of runs that look at a few files, and damage them."""
    maker = BundleMaker(folder / "made")
    maker.file(b"/work/data.csv", b"packed\n", mode=0o600)
    maker.directory(b"/work/gone")
    maker.directory(b"/work/gone/deep")
    maker.file(b"/work/gone/deep/file", b"old\n")
    maker.file(b"/work/shared", b"of others\n", uid=USER + 1)
    return maker.write(*RUNS)


def check_here(unpacker: str, folder: Path) -> None:
    """Run the program as whoever runs the tests."""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, exchange_program.__file__, unpacker, make_bundle(folder), folder / "target"],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (done.returncode, done.stdout) == (0, b"done\n"), done.stderr.decode()
    assert not (folder / "target").exists()


def check_as(user: PlainUser, folder: Path) -> None:
    """Run the program as another user."""
    for name, file in (("bundle.rpz", make_bundle(folder)), ("program.py", Path(exchange_program.__file__))):
        shutil.copyfile(file, user.home / name)
        user.give(user.home / name)
    words = f"import runpy, sys; sys.argv[0] = {str(user.home / 'program.py')!r}; "
    program = words + "runpy.run_path(sys.argv[0], run_name='__main__')"
    assert run_python(user, program, "chroot", user.home / "bundle.rpz", user.home / "target") == "done\n"
    assert not (user.home / "target").exists()


@pytest.mark.requires("user-namespaces")
def test_files_of_a_chroot_target_are_exchanged(tmp_path: Path) -> None:
    """As whoever runs the tests, root say: whose files have the recorded owners."""
    check_here("chroot", tmp_path)


@pytest.mark.requires("user-namespaces", "root")
def test_files_of_a_plain_users_target_are_exchanged(tmp_path: Path, plain_user: PlainUser) -> None:
    """A user who may be nobody else owns all files, and folders that the run closed hold nothing up."""
    check_as(plain_user, tmp_path)


@pytest.mark.requires("user-namespaces", "root")
def test_files_of_a_user_with_others_are_exchanged(tmp_path: Path, user_with_others: PlainUser) -> None:
    """A user with subordinate ids reaches what a run gave to these."""
    check_as(user_with_others, tmp_path)


@pytest.mark.requires("docker")
def test_files_of_a_container_are_exchanged(tmp_path: Path) -> None:
    """Files go in and come out by the engine, and a reset leaves the image alone."""
    check_here("docker", tmp_path)
