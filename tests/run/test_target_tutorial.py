"""ReproZip's tutorial of its unpackers, done with rtrace: unpack, run, upload, download, reset, destroy.

https://docs.reprozip.org/en/1.x/unpacking.html, with a bundle of ReproZip and one of ours, whose experiment is gone.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from docker_making import list_things
from reprozip_samples import sample

Command = Callable[..., "CompletedProcess[bytes]"]


@dataclass(frozen=True)
class Experiment:
    """A bundle, its input and output by name, and what the run prints and writes with two contents of the input."""

    bundle: Path
    given: str
    made: str
    printed: bytes
    new: bytes
    newly_printed: bytes
    newly_made: bytes


def make_theirs(_rtrace: Command, _folder: Path) -> Experiment:
    """Return an experiment that ReproZip packed: a program in C whose input is called arg1."""
    words = (b"3 numbers, sum of roots 9.000\n", b"25\n", b"1 numbers, sum of roots 5.000\n", b"1 5.000\n")
    return Experiment(sample("03"), "arg1", "arg2", *words)


def make_ours(rtrace: Command, folder: Path) -> Experiment:
    """Trace, pack and remove an experiment of two runs, the second of which reads what the first one wrote."""
    work = folder / "work"
    work.mkdir()
    (work / "in.txt").write_text("hello\n")
    (work / "run.sh").write_text("#!/bin/sh\ntr a-z A-Z <in.txt >mid.txt\n")
    (work / "run.sh").chmod(0o755)
    assert rtrace("trace", "-q", "./run.sh", cwd=work).returncode == 0
    second = ("sh", "-c", "cat mid.txt mid.txt > out.txt; cat out.txt")
    assert rtrace("trace", "-q", "--continue", *second, cwd=work).returncode == 0
    assert rtrace("pack", "-q", folder / "ours.rpz", cwd=work).returncode == 0
    shutil.rmtree(work)
    return Experiment(folder / "ours.rpz", "in.txt", "out.txt", b"HELLO\n" * 2, b"new\n", b"NEW\n" * 2, b"NEW\n" * 2)


@pytest.mark.parametrize("make", [make_theirs, make_ours])
@pytest.mark.parametrize(
    "unpacker",
    [
        pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
        pytest.param("docker", marks=pytest.mark.requires("docker")),
    ],
)
def test_tutorial_works_command_for_command(
    unpacker: str, make: Callable[[Command, Path], Experiment], tmp_path: Path, rtrace: Command
) -> None:
    """Each step does what the tutorial promises, and nothing is left in the end."""
    experiment = make(rtrace, tmp_path)
    given, made = experiment.given, experiment.made
    shutil.copy(experiment.bundle, tmp_path / "experiment.rpz")
    (tmp_path / "new").write_bytes(experiment.new)

    def call(*arguments: str) -> bytes:
        done = rtrace(*arguments)
        assert (done.returncode, b"Traceback" in done.stderr) == (0, False), done.stderr.decode()
        return done.stdout

    def states(verb: str, name: str) -> list[bytes]:
        lines = [line.split(b"\t") for line in call(verb, "target").splitlines()]
        return [line[0] for line in lines if line[2] == name.encode()]

    call("unpack", unpacker, "experiment.rpz", "target")
    (tmp_path / "experiment.rpz").unlink()
    assert (states("upload", given), states("download", made)) == ([b"original"], [b"missing"])
    assert call("replay", "target") == experiment.printed
    assert states("download", made) == [b"generated"]

    call("upload", "target", f"new:{given}")
    assert states("upload", given) == [b"replaced"]
    assert call("replay", "target") == experiment.newly_printed
    call("download", "target", f"{made}:result")
    assert (tmp_path / "result").read_bytes() == experiment.newly_made
    assert call("download", "target", f"{made}:") == experiment.newly_made
    assert call("download", "target", f"{given}:-") == experiment.new
    call("download", "--all", "results", "target")
    assert (tmp_path / "results" / made).read_bytes() == experiment.newly_made

    call("upload", "target", f":{given}")
    assert states("upload", given) == [b"original"]
    assert call("replay", "target") == experiment.printed

    call("upload", "target", f"new:{given}")
    call("reset", "target")
    assert (states("upload", given), states("download", made)) == ([b"original"], [b"missing"])
    assert call("replay", "target") == experiment.printed

    call("destroy", "target")
    assert not (tmp_path / "target").exists()
    if unpacker == "docker":
        assert list_things(tmp_path) == frozenset()
