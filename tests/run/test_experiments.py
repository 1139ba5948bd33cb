"""The sample experiments, end to end: traced, packed, their originals removed, replayed, compared byte for byte."""

import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from plain_user import PlainUser

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]

EXPERIMENTS = ("c-program", "python-analysis", "text-pipeline")
REMOVED = {"text-pipeline": ("draft.txt",)}  # what a run deletes

pytestmark = [pytest.mark.requires("gcc", "make", "awk"), pytest.mark.parametrize("name", EXPERIMENTS)]


def copy_experiment(checkout: Path, name: str, folder: Path) -> Path:
    """Copy a sample to a folder of its own, without its expected outputs."""
    return shutil.copytree(
        checkout / "fixtures/experiments" / name, folder / "as it was" / name, ignore=lambda *_: ["expected"]
    )


def read_expected(checkout: Path, name: str) -> dict[str, bytes]:
    """Read what a run must leave, by relative name; `stdout` is what it must print."""
    folder = checkout / "fixtures/experiments" / name / "expected"
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def read_outputs(folder: Path, stdout: bytes, names: set[str]) -> dict[str, bytes | None]:
    """Read the same of a run that happened in this folder; None stands for a file that is not there."""
    outputs: dict[str, bytes | None] = {"stdout": stdout}
    for name in names - {"stdout"}:
        outputs[name] = (folder / name).read_bytes() if (folder / name).is_file() else None
    return outputs


def find_in_target(target: Path, path: Path) -> Path:
    """Return where a target keeps what had this absolute path when it was traced."""
    inside = path.relative_to("/")
    (found,) = (folder / inside for folder in (target, *target.iterdir()) if (folder / inside).is_dir())
    return found


def trace_and_pack(rtrace: Rtrace, experiment: Path, bundle: Path) -> None:
    """Trace an experiment where it lies, pack it, and remove it with everything that it left."""
    traced = rtrace("trace", "./run.sh", cwd=experiment)
    assert traced.returncode == 0, traced.stderr
    packed = rtrace("pack", bundle, cwd=experiment)
    assert packed.returncode == 0, packed.stderr
    shutil.rmtree(experiment)


def test_bare_run_gives_the_expected_outputs(name: str, checkout: Path, tmp_path: Path) -> None:
    """A sample prints and writes what its folder `expected` says, wherever it lies."""
    experiment, expected = copy_experiment(checkout, name, tmp_path), read_expected(checkout, name)
    done = subprocess.run(["./run.sh"], cwd=experiment, check=True, capture_output=True)
    assert read_outputs(experiment, done.stdout, set(expected)) == expected
    assert [path for path in REMOVED.get(name, ()) if (experiment / path).exists()] == []


def test_traced_run_is_the_same_run(name: str, checkout: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """Under the tracer, exit status, standard output and every output file are those of a bare run."""
    experiment, expected = copy_experiment(checkout, name, tmp_path), read_expected(checkout, name)
    done = rtrace("trace", "./run.sh", cwd=experiment)
    assert done.returncode == 0, done.stderr
    assert read_outputs(experiment, done.stdout, set(expected)) == expected
    assert [path for path in REMOVED.get(name, ()) if (experiment / path).exists()] == []


@pytest.mark.requires("root")
def test_replay_in_a_chroot_gives_the_same_bytes(name: str, checkout: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """As root, with the originals gone, a chroot replay prints and writes what the traced run did."""
    experiment, expected = copy_experiment(checkout, name, tmp_path), read_expected(checkout, name)
    bundle, target = tmp_path / "bundle.rpz", tmp_path / "target"
    trace_and_pack(rtrace, experiment, bundle)
    unpacked = rtrace("unpack", "chroot", bundle, target)
    assert unpacked.returncode == 0, unpacked.stderr
    done = rtrace("run", target)
    assert done.returncode == 0, done.stderr
    assert read_outputs(find_in_target(target, experiment), done.stdout, set(expected)) == expected
    assert not experiment.exists()
    destroyed = rtrace("destroy", target)
    assert (destroyed.returncode, target.exists()) == (0, False), destroyed.stderr


@pytest.mark.requires("user-namespaces")
def test_replay_in_a_user_namespace_gives_the_same_bytes(name: str, checkout: Path, plain_user: PlainUser) -> None:
    """The same by a plain user, from trace to replay: nothing in between needs root."""
    expected = read_expected(checkout, name)
    experiment = copy_experiment(checkout, name, plain_user.home)
    plain_user.give(plain_user.home)
    bundle, target = plain_user.home / "bundle.rpz", plain_user.home / "target"

    def rtrace(*arguments: str | Path, cwd: Path = plain_user.home) -> subprocess.CompletedProcess[bytes]:
        return plain_user.run(plain_user.rtrace, *arguments, cwd=cwd)

    trace_and_pack(rtrace, experiment, bundle)
    unpacked = rtrace("unpack", "chroot", bundle, target)
    assert unpacked.returncode == 0, unpacked.stderr
    done = rtrace("run", target)
    assert done.returncode == 0, done.stderr
    assert read_outputs(find_in_target(target, experiment), done.stdout, set(expected)) == expected
    destroyed = rtrace("destroy", target)
    assert (destroyed.returncode, target.exists()) == (0, False), destroyed.stderr


@pytest.mark.requires("user-namespaces", "root")
def test_bundle_of_root_verifies_for_a_plain_user(
    name: str, checkout: Path, tmp_path: Path, rtrace: Rtrace, plain_user: PlainUser
) -> None:
    """What root traced and packed, a plain user verifies in a user namespace."""
    experiment = copy_experiment(checkout, name, tmp_path)
    bundle = plain_user.home / "bundle.rpz"
    trace_and_pack(rtrace, experiment, bundle)
    plain_user.give(bundle)
    done = plain_user.run(plain_user.rtrace, "verify", bundle)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.requires("docker")
def test_replay_in_docker_gives_the_same_bytes(name: str, checkout: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """A real Docker engine, given nothing but the bundle, prints the same and writes the same outputs."""
    experiment, expected = copy_experiment(checkout, name, tmp_path), read_expected(checkout, name)
    bundle, target = tmp_path / "bundle.rpz", tmp_path / "target"
    trace_and_pack(rtrace, experiment, bundle)
    unpacked = rtrace("unpack", "docker", bundle, target)
    assert unpacked.returncode == 0, unpacked.stderr
    try:
        done = rtrace("run", target)
        assert (done.returncode, done.stdout) == (0, expected["stdout"]), done.stderr
    finally:
        destroyed = rtrace("destroy", target)
    assert (destroyed.returncode, target.exists()) == (0, False), destroyed.stderr
    verified = rtrace("verify", "--all", "--unpacker", "docker", bundle)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.requires("root")
def test_verify_says_that_outputs_are_the_same(name: str, checkout: Path, tmp_path: Path, rtrace: Rtrace) -> None:
    """`rtrace verify` exits 0 with the originals gone, names every expected output, and calls none different."""
    experiment, expected = copy_experiment(checkout, name, tmp_path), read_expected(checkout, name)
    bundle = tmp_path / "bundle.rpz"
    trace_and_pack(rtrace, experiment, bundle)
    done = rtrace("verify", "--all", bundle)
    assert done.returncode == 0, done.stdout + done.stderr
    report = done.stdout.decode(errors="surrogateescape")
    assert [name for name in expected if name != "stdout" and name not in report] == []
    assert "different" not in report
