"""Commands on docker targets, killed at random moments: whatever they left is gone after the next command.

A moment is a time, or one of the calls of the engine: before it, while it goes on without its caller, or after it.
RTRACE_KILLS is how often each command is killed, RTRACE_KILLS_SEED decides when.
"""

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from docker_making import docker, list_things
from rtrace.replay.protocol import STATE_FILE

pytestmark = pytest.mark.requires("busybox", "docker")

KILLS = int(os.environ.get("RTRACE_KILLS", "2"))
SEED = int(os.environ.get("RTRACE_KILLS_SEED", "1"))
RTRACE = (sys.executable, "-m", "rtrace")

# Counts the calls of the engine, and kills who made the one that it is told to.
ENGINE = """\
#!/bin/sh
n=$(($(cat "$KILL_COUNT" 2>/dev/null || echo 0) + 1))
echo $n > "$KILL_COUNT"
if [ $n = "$KILL_AT" ]; then
    case $KILL_HOW in
    before) kill -9 $PPID; exit 1 ;;
    during) docker "$@" <&0 & kill -9 $PPID; wait; exit ;;
    after) docker "$@"; kill -9 $PPID; exit ;;
    esac
fi
exec docker "$@"
"""


@dataclass(frozen=True)
class Moment:
    """When a command is killed: after some seconds, or at a call of the engine."""

    seconds: float | None = None
    call: int = 0
    how: str = "before"

    def __str__(self) -> str:
        return f"{self.how} call {self.call}" if self.seconds is None else f"after {self.seconds:.3f} s"


@dataclass(frozen=True)
class Place:
    """A folder with a bundle in it, and one for temporary files."""

    folder: Path

    def call(self, *arguments: str, moment: Moment | None = None) -> int:
        """Call rtrace, and kill it at a moment; return its status as `subprocess` has it."""
        count = self.folder / "count"
        count.unlink(missing_ok=True)
        told = {"KILL_COUNT": str(count), "KILL_AT": "0", "KILL_HOW": "before"}
        if moment is not None:
            told |= {"KILL_AT": str(moment.call), "KILL_HOW": moment.how}
        environ = {
            **os.environ,
            **told,
            "RTRACE_DOCKER": str(self.folder / "engine"),
            "TMPDIR": str(self.folder / "tmp"),
        }
        command = (*RTRACE, *arguments)
        with (self.folder / "said").open("w+b") as said:
            process = subprocess.Popen(
                command, cwd=self.folder, env=environ, stdin=subprocess.DEVNULL, stdout=said, stderr=said
            )
            try:
                process.wait(moment.seconds if moment is not None else None)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
            return process.returncode

    def demand(self, *arguments: str) -> None:
        """Call rtrace, which must succeed."""
        status = self.call(*arguments)
        assert status == 0, f"{arguments} ended with {status}: {(self.folder / 'said').read_text(errors='replace')}"

    def count_calls(self) -> int:
        """Return how often the engine was called by the last command."""
        return int((self.folder / "count").read_text())

    def list_targets(self) -> list[Path]:
        """Return the folders that say of themselves that they are targets, or were made on the way to one."""
        targets = (path.parent for path in self.folder.rglob(STATE_FILE))
        return sorted({*targets, *self.folder.glob(".*"), *(self.folder / "tmp").iterdir()})


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    """A place to work in, beside an image and a container of somebody else, which must be there in the end."""
    name = f"canary-kills-{os.getpid()}"
    (tmp_path / "tmp").mkdir()
    (tmp_path / "engine").write_text(ENGINE)
    (tmp_path / "engine").chmod(0o755)
    (tmp_path / "Dockerfile").write_text('FROM scratch\nLABEL rtrace.bundle=none\nCMD ["/none"]\n')
    docker("build", "--tag", f"{name}:latest", str(tmp_path))
    docker("create", "--name", name, f"{name}:latest")
    maker = BundleMaker(tmp_path / "made")
    maker.file(b"/work/large", os.urandom(8 << 20))
    (tmp_path / "uploaded").write_bytes(os.urandom(4 << 20))
    run = make_run(b"echo x > new; busybox usleep 200000; echo ran")
    maker.write(run, results=(wrote(b"/work/new", b"x\n"),))
    try:
        yield Place(tmp_path)
        assert docker("container", "inspect", "--format", "{{.Name}}", name) == f"/{name}"
    finally:
        subprocess.run(["docker", "rm", "--force", name], check=False, capture_output=True)
        subprocess.run(["docker", "rmi", "--force", f"{name}:latest"], check=False, capture_output=True)


BUNDLE = "made/bundle.rpz"
COMMANDS = {
    "unpack": ("unpack", "docker", BUNDLE, "target"),
    "run": ("run", "target"),
    "verify": ("verify", "--unpacker", "docker", BUNDLE),
    "destroy": ("destroy", "target"),
    "upload": ("upload", "target", "uploaded:/work/large"),
    "reset": ("reset", "target"),
}
USING = {"run", "destroy", "upload", "reset"}
"""The commands that work on a target that is there."""


def prepare(command: str, place: Place, number: int) -> None:
    """Make what a command works on; each second target was not used yet."""
    if command in USING and not (place.folder / "target").exists():
        place.demand(*COMMANDS["unpack"])
        if number % 2:
            place.demand(*COMMANDS["run"])


def go_on(command: str, place: Place) -> None:
    """Do what a person does next: the same command, or the next one when that had happened."""
    if command == "verify":
        place.demand(*COMMANDS["verify"])
        return
    target = place.folder / "target"
    if command == "destroy":
        if target.exists() or list(place.folder.glob(".target.*")):  # which is what a half removed one is called
            place.demand(*COMMANDS["destroy"])
        return
    if not target.exists():
        place.demand(*COMMANDS["unpack"])
    place.demand(*COMMANDS["run"])
    place.demand(*COMMANDS["destroy"])


def choose_moments(command: str, place: Place) -> list[Moment]:
    """Choose the moments at which a command is killed, of what it takes and calls when it is not."""
    prepare(command, place, 1)
    began = time.monotonic()
    place.demand(*COMMANDS[command])
    seconds, calls = time.monotonic() - began, place.count_calls()
    if (place.folder / "target").exists():
        place.demand("destroy", "target")
    chance = random.Random(f"{SEED} {command}")  # noqa: S311 - no secret
    every = [Moment(call=call, how=how) for call in range(1, calls + 1) for how in ("before", "during", "after")]
    at_calls = chance.sample(every, min(len(every), KILLS - KILLS // 3))
    return at_calls + [Moment(seconds=chance.uniform(0, seconds)) for _ in range(KILLS - len(at_calls))]


@pytest.mark.parametrize("command", COMMANDS)
def test_killed_command_leaves_nothing(command: str, place: Place) -> None:
    """After the next command the engine has what it had before, no target is left, and that command works."""
    killed = 0
    for number, moment in enumerate(choose_moments(command, place)):
        prepare(command, place, number)
        status = place.call(*COMMANDS[command], moment=moment)
        killed += status == -9
        print(f"{command}, seed {SEED}, {moment}: status {status}")  # noqa: T201 - shown when it fails
        go_on(command, place)
        assert list_things(place.folder) == frozenset()
        assert place.list_targets() == []
    assert killed
