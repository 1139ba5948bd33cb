"""Files put into targets and fetched from them, whatever a run left there, and the packed state brought back."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import exchange_program
from bundle_making import run_python
from exchanging import make_damaging_bundle
from plain_user import PlainUser

pytestmark = pytest.mark.requires("busybox")


def check_here(unpacker: str, folder: Path) -> None:
    """Run the program as whoever runs the tests."""
    paths = os.pathsep.join(path for path in sys.path if path)
    done = subprocess.run(
        [sys.executable, exchange_program.__file__, unpacker, make_damaging_bundle(folder), folder / "target"],
        capture_output=True,
        check=False,
        timeout=120,
        env={**os.environ, "PYTHONPATH": paths},
    )
    assert (done.returncode, done.stdout) == (0, b"done\n"), done.stderr.decode()
    assert not (folder / "target").exists()


def check_as(user: PlainUser, folder: Path) -> None:
    """Run the program as another user."""
    for name, file in (("bundle.rpz", make_damaging_bundle(folder)), ("program.py", Path(exchange_program.__file__))):
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
