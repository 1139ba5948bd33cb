"""Podman in the place of Docker: the same image, the same replay, the same limits, and nothing left behind."""

import os
import resource
import shlex
import signal
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import exchange_program
from bundle_making import USER, BundleMaker, make_run
from docker_making import made_target, replay, start_run
from exchanging import make_damaging_bundle
from rtrace.errors import TargetError
from rtrace.limits import DEFAULT_LIMITS
from rtrace_unpackers.engines.belonging.leftovers import list_leftovers
from rtrace_unpackers.engines.container.arguments import PROXIES
from rtrace_unpackers.engines.docker import UNPACKER
from rtrace_unpackers.engines.engine import choice
from rtrace_unpackers.engines.engine.choice import choose_engine
from rtrace_unpackers.engines.engine.command_line import Engine

pytestmark = [
    pytest.mark.requires("busybox", "podman", "root"),
    pytest.mark.xdist_group("podman"),  # it keeps locks for all of its storages together
]

SCRIPTS = {
    "tell": b"id -u; id -G; umask; busybox hostname; ls /sys/class/net; echo err >&2; exit 3",
    "root": b"busybox grep CapEff /proc/self/status; cat /proc/1/environ",
    "spin": b"echo begun; while :; do :; done",
    "yes": b"busybox yes",
    "eat": b"busybox tail /dev/zero; exit $?",
}
RUNS = {name: make_run(script, id=name, groups=(7, USER), umask=0o027) for name, script in SCRIPTS.items()}
RUNS["root"] = replace(RUNS["root"], uid=0, gid=0)


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path: Podman makes sockets below it."""
    with tempfile.TemporaryDirectory(prefix="rtrace-podman-", dir="/var/tmp", ignore_cleanup_errors=True) as name:
        yield Path(name)


@pytest.fixture(scope="module")
def podman(folder: Path) -> Iterator[Engine]:
    """Podman with a storage of its own, and a runtime that can start a container on this machine."""
    files, processes = (
        min(4096, resource.getrlimit(what)[1]) for what in (resource.RLIMIT_NOFILE, resource.RLIMIT_NPROC)
    )
    (folder / "containers.conf").write_text(
        f'[containers]\ndefault_ulimits = ["nofile={files}:{files}", "nproc={processes}:{processes}"]\n'
    )
    storage = f"--root {folder}/root --runroot {folder}/run --storage-driver vfs"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CONTAINERS_CONF", str(folder / "containers.conf"))
        patch.setenv("PATH", f"{os.environ['PATH']}:/usr/sbin")
        for runtime in ("", "--runtime runc"):
            command = f"podman {storage} --cgroup-manager cgroupfs --events-backend file {runtime}"
            patch.setenv(choice.VARIABLE, command)
            if can_replay(folder):
                yield Engine(tuple(shlex.split(command)))
                subprocess.run([*shlex.split(command), "rmi", "--all", "--force"], check=False, capture_output=True)
                return
    pytest.skip("needs a Podman that can start containers on this machine")


def can_replay(folder: Path) -> bool:
    """Whether a container can be started at all."""
    run = make_run(b"exit 0")
    try:
        with made_target(BundleMaker(folder / "trial"), folder, run) as target:
            return replay(target, run)[0].exit_status == 0
    except TargetError:
        return False


def test_podman_replays_a_run_as_it_was(podman: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, umask, hostname, status and streams are the recorded ones; there is no network.

    Podman 4.3 gives what it executes no supplementary groups.
    """
    assert choose_engine() == podman
    for proxy in PROXIES:
        monkeypatch.setenv(proxy, "http://name:canary@proxy.example")
    with made_target(BundleMaker(tmp_path / "made"), tmp_path, *RUNS.values()) as target:
        outcome, out, err = replay(target, RUNS["tell"])
        assert (outcome.exit_status, err) == (3, b"err\n")
        assert out.replace(b" 7\n", b"\n") == b"%d\n%d\n0027\nelsewhere\nlo\n" % (USER, USER)
        _, out, _ = replay(target, RUNS["root"])
        assert out == b"CapEff:\t00000000800405fb\n"
        name = target.identity.container
        assert "canary" not in podman.call("container", "inspect", name).stdout
    assert podman.call("container", "inspect", name).returncode != 0
    assert podman.list("image", "rtrace.target") == ()


def test_podman_keeps_limits(podman: Engine, tmp_path: Path) -> None:
    """Time, output and memory are limited; what this version cannot change is told."""
    with made_target(BundleMaker(tmp_path / "made"), tmp_path, *RUNS.values()) as target:
        timed = replay(target, RUNS["spin"], limits=replace(DEFAULT_LIMITS, timeout=1))
        assert (timed[0].exit_status, timed[1]) == (124, b"begun\n")
        outcome, out, _ = replay(target, RUNS["yes"], limits=replace(DEFAULT_LIMITS, output=5000))
        assert (outcome.reached, len(out)) == ("output", 5000)
        outcome = replay(target, RUNS["eat"], limits=replace(DEFAULT_LIMITS, memory=64 << 20))[0]
        assert outcome.exit_status == 137
        assert outcome.reached == "memory" or "lack of memory" in outcome.notes[0]
        outcome = replay(target, RUNS["tell"], limits=replace(DEFAULT_LIMITS, processes=50))[0]
        assert outcome.exit_status == 3
        has = podman.call("update", "--help").stdout
        assert bool(outcome.notes) == ("--pids-limit" not in has)


def test_podman_leaves_nothing_of_killed_callers(podman: Engine, tmp_path: Path) -> None:
    """When the caller is killed the container ends, a second user is refused before, and all of it can be destroyed."""
    target = UNPACKER.open(UNPACKER.unpack(BundleMaker(tmp_path / "made").write(RUNS["spin"]), tmp_path / "t").target)
    with start_run(target, RUNS["spin"]) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"begun\n"
        process.send_signal(signal.SIGKILL)
        process.wait()
    podman.call("wait", target.identity.container)
    assert list_leftovers() == ()
    target.destroy()
    assert podman.list("container", "rtrace.target") == podman.list("image", "rtrace.target") == ()


def test_files_are_exchanged_by_podman(podman: Engine, folder: Path) -> None:
    """Files go into a container of Podman's and out of it as with Docker, and a reset leaves the image alone."""
    assert choose_engine().command == podman.command
    exchange_program.main("docker", make_damaging_bundle(folder / "exchanged"), folder / "exchange")
