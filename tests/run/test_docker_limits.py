"""Limits of a replay in a container: each is kept, told when it is reached, and gone with the run it was given to."""

import os
import signal
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest

from bundle_making import BundleMaker, make_run
from docker_making import made_target, replay, start_run
from rtrace.errors import BusyError, TargetError
from rtrace.limits import DEFAULT_LIMITS, KEYRINGS, NESTED_NAMESPACES, Limits
from rtrace.replay.grants import Grants
from rtrace.replay.protocol import Streams
from rtrace_unpackers.engines.belonging import use
from rtrace_unpackers.engines.container.arguments import NO_MEMORY_LIMIT, keep_possible, plan_limits, tell_missing
from rtrace_unpackers.engines.engine.facts import Abilities
from rtrace_unpackers.engines.target import DockerTarget

pytestmark = [pytest.mark.requires("busybox", "docker"), pytest.mark.xdist_group("docker-limits")]

MIB = 1 << 20
SCRIPTS = {
    "spin": b"echo begun; while :; do :; done",
    "yes": b"busybox yes",
    "errors": b"busybox yes >&2",
    "joined": b"busybox yes & busybox yes >&2",
    "fill": b"busybox dd if=/dev/zero of=big bs=1M count=400 2>/dev/null; busybox sleep 1000",
    "eat": b"busybox tail /dev/zero; exit $?",
    "feed": b"(busybox tail /dev/zero); exit 0",
    "fork": b"n=0; while [ $n -lt 30 ]; do busybox sleep 1 & n=$((n+1)); done; echo all",
    "count": b"busybox cat /sys/fs/cgroup/pids/pids.max /sys/fs/cgroup/pids.max 2>/dev/null",
    "share": b"busybox cat /sys/fs/cgroup/cpu/cpu.cfs_quota_us /sys/fs/cgroup/cpu.max 2>/dev/null",
    "room": b"busybox cat /sys/fs/cgroup/memory/memory.limit_in_bytes /sys/fs/cgroup/memory.max 2>/dev/null",
    "short": b"echo out; echo err >&2; exit 3",
}
RUNS = {name: make_run(script, id=name) for name, script in SCRIPTS.items()}


@pytest.fixture(scope="module")
def target(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DockerTarget]:
    """One target with a run for each script, as its runs may follow each other in any order."""
    folder = tmp_path_factory.mktemp("limits")
    with made_target(BundleMaker(folder / "made"), folder, *RUNS.values()) as made:
        yield made


def test_timeout_ends_the_run(target: DockerTarget) -> None:
    """When its time is up a run is killed, as timeout(1) tells; what it printed until then has arrived."""
    outcome, out, _ = replay(target, RUNS["spin"], limits=replace(DEFAULT_LIMITS, timeout=1.5))
    assert (outcome.reached, outcome.exit_status, out) == ("timeout", 124, b"begun\n")
    assert outcome.notes == ("it was ended after 1.5 s (--timeout)",)
    assert replay(target, RUNS["short"], limits=replace(DEFAULT_LIMITS, timeout=60))[0].exit_status == 3


@pytest.mark.parametrize("name", ["yes", "errors", "joined"])
def test_output_is_cut_at_its_limit(name: str, target: DockerTarget) -> None:
    """Standard output and error together get as many bytes as the limit says, and not one more."""
    outcome, out, err = replay(target, RUNS[name], limits=replace(DEFAULT_LIMITS, output=100_000))
    assert (outcome.reached, outcome.exit_status) == ("output", 137)
    assert len(out) + len(err) == 100_000
    exact = replay(target, RUNS["short"], limits=replace(DEFAULT_LIMITS, output=8))
    assert (exact[0].reached, exact[0].exit_status, exact[1:]) == (None, 3, (b"out\n", b"err\n"))


def test_disk_is_watched(target: DockerTarget) -> None:
    """What a run writes to the disk is measured from its own beginning."""
    outcome, _, _ = replay(target, RUNS["fill"], limits=replace(DEFAULT_LIMITS, disk=50 * MIB))
    assert (outcome.reached, outcome.exit_status) == ("disk", 137)
    assert replay(target, RUNS["short"], limits=replace(DEFAULT_LIMITS, disk=MIB))[0].reached is None


def test_memory_is_limited(target: DockerTarget) -> None:
    """A program that eats more than its memory is killed, which is told; the next run has no such limit any more."""
    limits = replace(DEFAULT_LIMITS, memory=64 * MIB)
    outcome = replay(target, RUNS["eat"], limits=limits)[0]
    assert (outcome.reached, outcome.exit_status) == ("memory", 137)
    calm = replay(target, RUNS["short"], limits=limits)[0]
    assert (calm.reached, calm.notes, calm.exit_status) == (None, (), 3)
    survived = replay(target, RUNS["feed"], limits=limits)[0]
    assert (survived.reached, survived.notes) == (
        "memory",
        ("it was ended for using more than 64.0 MiB of memory (--memory)",),
    )
    room = [int(line) for line in replay(target, RUNS["room"])[1].split() if line != b"max"]
    assert all(number >= 1 << 49 for number in room)


def test_processes_are_limited(target: DockerTarget) -> None:
    """More processes than the limit are not to be had; 8192 are without another limit."""
    outcome, out, err = replay(target, RUNS["fork"], limits=replace(DEFAULT_LIMITS, processes=12))
    assert (outcome.exit_code != 0, b"all" in out) == (True, False)
    assert b"fork" in err
    assert replay(target, RUNS["count"])[1] == b"8192\n"
    assert replay(target, RUNS["count"], limits=Limits(processes=None))[1] == b"max\n"


def test_processors_are_limited(target: DockerTarget) -> None:
    """A run gets its share of the processors, and the next one all of them again."""
    limited = replay(target, RUNS["share"], limits=replace(DEFAULT_LIMITS, cpus=0.5))[1]
    assert limited in {b"50000\n", b"50000 100000\n"}
    assert replay(target, RUNS["share"])[1] in {b"-1\n", b"max 100000\n"}


def test_limit_that_the_engine_refuses_is_an_error(target: DockerTarget) -> None:
    """A limit that could be kept and is refused is no replay without it: the engine's reason is the error."""
    with pytest.raises(TargetError, match=r"(create|update)` failed: .*(?i:memory)"):
        replay(target, RUNS["short"], limits=replace(DEFAULT_LIMITS, memory=1))


def test_limits_that_cannot_be_had_are_told() -> None:
    """Where the machine has no controller for a limit, a sentence names the limit, and nothing is asked for."""
    limits = Limits(memory=MIB, cpus=1, processes=10)
    unable = Abilities(is_confined=True, memory=False, cpus=False, processes=False)
    notes = tell_missing(limits, unable)
    assert [word for word in ("memory", "processors", "processes") if not any(word in note for note in notes)] == []
    fresh = {"Memory": 0, "CpuQuota": 0, "PidsLimit": None}
    assert plan_limits(keep_possible(limits, unable), fresh) == {}
    assert plan_limits(Limits(processes=None), {"Memory": 5, "CpuQuota": 7, "PidsLimit": 9}) == {
        "memory": (f"--memory={NO_MEMORY_LIMIT}", f"--memory-swap={NO_MEMORY_LIMIT}"),
        "processors": ("--cpu-period=100000", "--cpu-quota=-1"),
        "processes": ("--pids-limit=-1",),
    }


def test_what_was_opened_in_vain_is_told(target: DockerTarget) -> None:
    """What a person opens to a replay that a container keeps closed is said, by its name."""
    outcome = replay(target, RUNS["short"], grants=Grants(calls=frozenset({KEYRINGS, NESTED_NAMESPACES})))[0]
    assert outcome.exit_status == 3
    assert [name for name in (KEYRINGS, NESTED_NAMESPACES) if not any(name in note for note in outcome.notes)] == []


def test_reader_that_goes_away_ends_the_run(target: DockerTarget) -> None:
    """A program whose reader has gone ends as SIGPIPE would have ended it."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(os.devnull, "rb") as null, os.fdopen(writer, "wb", 0) as closed:
        outcome = target.run(RUNS["yes"], streams=Streams(null.fileno(), closed.fileno(), null.fileno()))
    assert (outcome.signal, outcome.exit_status) == (signal.SIGPIPE, 141)


def test_output_that_does_not_block_is_waited_for(target: DockerTarget) -> None:
    """A pipe that somebody made non-blocking gets all of it, as fast as it is read."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    limits = replace(DEFAULT_LIMITS, output=1_000_000)
    with open(os.devnull, "rb") as null, os.fdopen(reader, "rb") as end, ThreadPoolExecutor(1) as pool:
        reading = pool.submit(end.read)
        outcome = target.run(RUNS["yes"], streams=Streams(null.fileno(), writer, null.fileno()), limits=limits)
        os.close(writer)
        assert (outcome.reached, len(reading.result())) == ("output", 1_000_000)


def test_full_disk_of_the_caller_is_the_callers_error(target: DockerTarget) -> None:
    """When what a program prints cannot be written, the error is that of writing, and the run ends."""
    with open("/dev/full", "wb", 0) as full, open(os.devnull, "rb") as null, pytest.raises(OSError, match="No space"):
        target.run(RUNS["yes"], streams=Streams(null.fileno(), full.fileno(), full.fileno()))


def test_second_run_leaves_the_first_one_alone(target: DockerTarget, monkeypatch: pytest.MonkeyPatch) -> None:
    """While one process replays, another is refused in a sentence, and the first one ends as it would have."""
    with start_run(target, RUNS["spin"]) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"begun\n"
        monkeypatch.setattr(use, "PATIENCE", 0.1)
        for use_it in (lambda: replay(target, RUNS["short"]), lambda: target.inspect([], []), target.destroy):
            with pytest.raises(BusyError, match=f"in use by process {first.pid} of rtrace"):
                use_it()
        assert first.poll() is None
        first.terminate()
        assert first.wait() == 128 + signal.SIGTERM


def test_killed_caller_takes_the_program_with_it(target: DockerTarget) -> None:
    """When the caller is killed, the container ends by itself, and the next command finds it at rest."""
    with start_run(target, RUNS["spin"]) as first:
        assert first.stdout is not None
        assert first.stdout.readline() == b"begun\n"
        first.kill()
        first.wait()
    subprocess.run(["docker", "wait", target.identity.container], check=True, capture_output=True, timeout=60)
    assert replay(target, RUNS["short"])[0].exit_status == 3
