"""Podman, as root and as anybody: the same image, the same replay, the same limits, and nothing left behind."""

import shutil
import signal
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

import exchange_program
from bundle_making import USER, BundleMaker, make_run, run_python
from docker_making import made_target, replay, start_run
from exchanging import make_damaging_bundle
from plain_user import PlainUser
from podman_storage import own_podman
from rtrace.errors import TargetError
from rtrace.limits import DEFAULT_LIMITS
from rtrace_unpackers.engines.belonging.leftovers import list_leftovers
from rtrace_unpackers.engines.container.arguments import PROXIES
from rtrace_unpackers.engines.docker import PODMAN_UNPACKER, UNPACKER
from rtrace_unpackers.engines.engine import choice
from rtrace_unpackers.engines.engine.choice import DOCKER, PODMAN, choose_engine, choose_runtime, has_mixed_groups
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
    """Podman with a storage of its own."""
    with own_podman(folder) as engine:
        yield engine


def test_podman_replays_a_run_as_it_was(podman: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Ids, umask, hostname, status and streams are the recorded ones; there is no network.

    Podman 4.3 gives what it executes no supplementary groups.
    """
    assert choose_engine(PODMAN) == podman
    for proxy in PROXIES:
        monkeypatch.setenv(proxy, "http://name:canary@proxy.example")
    with made_target(BundleMaker(tmp_path / "made"), tmp_path, *RUNS.values(), unpacker=PODMAN_UNPACKER) as target:
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
    with made_target(BundleMaker(tmp_path / "made"), tmp_path, *RUNS.values(), unpacker=PODMAN_UNPACKER) as target:
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
    target = PODMAN_UNPACKER.open(
        PODMAN_UNPACKER.unpack(BundleMaker(tmp_path / "made").write(RUNS["spin"]), tmp_path / "t").target
    )
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
    """Files go into a container of Podman's and out of it as with Docker, and a reset leaves the image alone.

    RTRACE_DOCKER makes Podman the engine of `docker`, too.
    """
    assert choose_engine(DOCKER) == podman
    exchange_program.main("docker", make_damaging_bundle(folder / "exchanged"), folder / "exchange")


AS_ANYBODY = """\
import runpy, sys
sys.argv[0] = sys.argv.pop(1)
runpy.run_path(sys.argv[0], run_name="__main__")
"""


def test_anybody_replays_with_podman(folder: Path, user_with_others: PlainUser, request: pytest.FixtureRequest) -> None:
    """A user without any right but subordinate ids makes a target, replays it, and has nothing left of it."""
    user, prepared = user_with_others, folder / "prepared"
    for name, file in (("bundle.rpz", make_damaging_bundle(prepared)), ("p.py", Path(exchange_program.__file__))):
        shutil.copyfile(file, user.home / name)
        user.give(user.home / name)
    request.addfinalizer(lambda: user.run("podman", "system", "migrate"))  # ends the process that it keeps for a user
    arguments = (user.home / "p.py", "podman", user.home / "bundle.rpz", user.home / "target")
    assert run_python(user, AS_ANYBODY, *arguments) == "done\n"
    assert not (user.home / "target").exists()
    bundle = BundleMaker(prepared / "more").write(*RUNS.values())
    shutil.copyfile(bundle, user.home / "told.rpz")
    user.give(user.home / "told.rpz")
    done = user.run(user.rtrace, "replay", "--unpacker", "podman", "told.rpz", "tell")
    assert (done.returncode, done.stdout.split(b"\n")[0]) == (3, b"%d" % USER), done.stderr
    assert user.run("podman", "images", "--quiet", "--all").stdout == b""
    assert user.run("podman", "ps", "--quiet", "--all").stdout == b""


def test_targets_keep_their_unpacker(podman: Engine, tmp_path: Path) -> None:
    """What one unpacker made the other does not open, and both look for leftovers in one engine once."""
    assert choose_engine(DOCKER) == podman
    with made_target(BundleMaker(tmp_path / "made"), tmp_path, RUNS["tell"], unpacker=PODMAN_UNPACKER) as target:
        assert target.state.unpacker == "podman"
        with pytest.raises(TargetError, match="made by the unpacker podman, not by docker"):
            UNPACKER.open(target.path)
        assert PODMAN_UNPACKER.find_engine() is None


def test_podmans_runtime_is_one_that_can_start(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With both versions of cgroups in use runc is named, where it is there; else Podman chooses."""
    assert not has_mixed_groups(tmp_path)
    (tmp_path / "unified").mkdir()
    (tmp_path / "unified/cgroup.controllers").write_text("\n")
    assert not has_mixed_groups(tmp_path)
    (tmp_path / "unified/cgroup.controllers").write_text("hugetlb\n")
    assert has_mixed_groups(tmp_path)
    for mixed, path, expected in (
        (True, str(tmp_path), ("--runtime", "runc")),
        (True, str(tmp_path / "empty"), ()),
        (False, str(tmp_path), ()),
    ):
        monkeypatch.setattr(choice, "has_mixed_groups", lambda mixed=mixed: mixed)
        monkeypatch.setattr(choice, "RUNTIMES_PATH", path)
        (tmp_path / "runc").touch(0o755)
        assert choose_runtime() == expected
        monkeypatch.delenv("RTRACE_PODMAN", raising=False)
        assert choose_engine(PODMAN).command == ("podman", *expected)
