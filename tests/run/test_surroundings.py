"""Where rtrace is run, and under which limits: the run is the same there, and its trace is whole."""

from __future__ import annotations

import os
import resource
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from observing import Observation, observe
from plain_user import PlainUser
from rtrace.capture.processes.own_limits import LIFTED
from rtrace.trace.schema import Use

Rtrace = Callable[..., "subprocess.CompletedProcess[bytes]"]

FAR, EARLY = 13569465600, -9999999999
"""Seconds since 1970: in 2400, and in 1653."""
LIMITS = ("-n 40", "-f 16", "-f 200", "-v 500000", "-d 300000", "-s 256", "-t 600", "-l 0", "-c 0")
SHOWS_LIMITS = "grep -v realtime /proc/self/limits; cat input.txt; echo made > output.txt"


@pytest.mark.parametrize("limit", LIMITS)
def test_limits_are_the_runs(limit: str, plain_user: PlainUser) -> None:
    """Under hard limits a run comes out as without rtrace, sees the same limits, and its trace can be packed."""
    home = plain_user.home
    (home / "input.txt").write_text("input\n")
    plain_user.give(home)
    limited = ["bash", "-c", f'ulimit {limit} && exec "$@"', "bash"]
    bare = plain_user.run(*limited, "sh", "-c", SHOWS_LIMITS)
    traced = plain_user.run(*limited, plain_user.rtrace, "trace", "-q", "-d", "trace", "sh", "-c", SHOWS_LIMITS)
    assert (traced.returncode, traced.stdout, traced.stderr) == (0, bare.stdout, b"")
    packed = plain_user.run(plain_user.rtrace, "pack", "-d", "trace", "bundle.rpz")
    assert packed.returncode == 0, packed.stderr
    listed = plain_user.run(plain_user.rtrace, "list", "bundle.rpz")
    assert os.fsencode(home / "input.txt") in listed.stdout


@pytest.mark.parametrize("limit", ["-u 3", "-u 4", "-u 5", "-u 6", "-u 7", "-u 8", "-n 12"])
def test_limit_that_leaves_no_room_for_a_tracer_is_named(limit: str, plain_user: PlainUser) -> None:
    """Where rtrace cannot start its processes, threads and files, a sentence names the limit, or the run is traced."""
    script = f"ulimit {limit}; exec {plain_user.rtrace} trace -q -d trace /bin/echo ran"
    traced = plain_user.run("bash", "-c", script)
    if traced.returncode:
        assert traced.returncode == 125
        assert traced.stderr.startswith(b"rtrace: ")
        assert traced.stderr.count(b"\n") == 1
        assert f"`ulimit {limit[:2]}`".encode() in traced.stderr
    else:
        assert traced.stdout == b"ran\n"


def test_descriptors_above_the_limit_are_left_alone_and_told(plain_user: PlainUser) -> None:
    """Pipes that were opened before their number was limited reach the program, and the trace says what it lacks."""
    script = f"""exec 251< <(echo hello) 252> >(cat >&2) 253< input; ulimit -n 64
    {plain_user.rtrace} trace -q -d trace bash -c 'head -1 <&251; cat <&253; echo out >&252' 2> told"""
    (plain_user.home / "input").write_text("file")
    plain_user.give(plain_user.home)
    traced = plain_user.run("bash", "-c", script)
    assert traced.returncode == 0, traced.stderr
    assert traced.stdout == b"hello\nfile"
    told = (plain_user.home / "told").read_bytes()
    assert [line.partition(b"; ")[0] for line in told.splitlines()] == [
        b"rtrace: not captured: descriptor 251 of the run is a pipe: what came from there was not kept",
        b"rtrace: not captured: descriptor 252 of the run is a pipe: what was written there was not kept",
    ]
    packed = plain_user.run(plain_user.rtrace, "pack", "-d", "trace", "bundle.rpz")
    assert packed.returncode == 0, packed.stderr


def test_soft_limits_are_given_back(tmp_path: Path) -> None:
    """A program has the soft and the hard limits that it would have had."""
    soft = {number: resource.getrlimit(number)[1] for number in LIFTED}
    soft[resource.RLIMIT_NOFILE] = 100
    soft[resource.RLIMIT_FSIZE] = 1 << 14
    script = f"import resource; print([resource.getrlimit(number) for number in {list(LIFTED)}])"

    def lower() -> None:
        for number, limit in soft.items():
            resource.setrlimit(number, (limit, resource.getrlimit(number)[1]))

    observation = observe(tmp_path / "trace", sys.executable, "-c", script, preexec_fn=lower)
    expected = [(soft[number], resource.getrlimit(number)[1]) for number in LIFTED]
    assert observation.completed.stdout.decode() == f"{expected}\n", observation.completed.stderr


def test_trace_in_pieces_is_read_and_continued(rtrace: Rtrace, tmp_path: Path) -> None:
    """A trace that no file could hold is packed from its pieces, and is whole again with the next run."""
    (tmp_path / "input.txt").write_text("input\n")
    script = "i=0; while [ $i -lt 1000 ]; do i=$((i+1)); [ -e nothing-of-a-rather-long-name-$i ]; done; cat input.txt"
    command = [sys.executable, "-m", "rtrace", "trace", "-q", "sh", "-c", script]
    completed = subprocess.run(
        ["bash", "-c", 'ulimit -f 16 && exec "$@"', "bash", *command], cwd=tmp_path, capture_output=True, check=False
    )
    assert (completed.returncode, completed.stdout, completed.stderr) == (0, b"input\n", b"")
    pieces = sorted(path.name for path in (tmp_path / ".rtrace").glob("trace.sql.*"))
    assert len(pieces) > 1
    assert all((tmp_path / ".rtrace" / piece).stat().st_size <= 16 << 10 for piece in pieces)
    assert rtrace("pack").returncode == 0
    assert os.fsencode(tmp_path / "input.txt") in rtrace("list", "bundle.rpz").stdout
    done = rtrace("trace", "-q", "--continue", "true")
    assert done.returncode == 0, done.stderr
    assert list((tmp_path / ".rtrace").glob("trace.sql.*")) == []
    observation = Observation(done, tmp_path / ".rtrace")
    assert [row["id"] for row in observation.rows("SELECT id FROM runs")] == [1, 2]
    assert observation.uses()[bytes(tmp_path / "input.txt")] == Use.READ


def test_pack_under_a_limit_says_what_is_too_large(rtrace: Rtrace, tmp_path: Path) -> None:
    """A bundle that may not be written is one sentence, and nothing is left of it."""
    assert rtrace("trace", "-q", "true").returncode == 0
    command = [sys.executable, "-m", "rtrace", "pack"]
    completed = subprocess.run(
        ["bash", "-c", 'ulimit -f 16 && exec "$@"', "bash", *command], cwd=tmp_path, capture_output=True, check=False
    )
    assert completed.returncode == 125
    assert completed.stderr.count(b"\n") == 1, completed.stderr
    assert os.listdir(tmp_path) == [".rtrace"]


@pytest.mark.parametrize("seconds", [FAR, EARLY])
def test_files_of_far_dates(seconds: int, rtrace: Rtrace, tmp_path: Path) -> None:
    """Files dated beyond what can be kept are traced, packed and replayed; that the date is another is told once."""
    for name in ("input.txt", "changed.txt"):
        (tmp_path / name).write_text(f"{name}\n")
        os.utime(tmp_path / name, (seconds, seconds))
    if os.stat(tmp_path / "input.txt").st_mtime != seconds:
        pytest.skip("needs a file system that keeps such dates")
    script = f"cat input.txt changed.txt; echo more >> changed.txt; touch -d @{seconds} output.txt"
    traced = rtrace("trace", "-q", "sh", "-c", script)
    assert (traced.returncode, traced.stdout) == (0, b"input.txt\nchanged.txt\n")
    assert traced.stderr.count(b"\n") == 1
    assert b"is dated before 1677 or after 2262" in traced.stderr
    packed = rtrace("pack")
    assert (packed.returncode, packed.stderr.count(b"\n")) == (0, 2), packed.stderr
    verified = rtrace("verify", "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.fixture
def unmappable(tmp_path: Path) -> Iterator[Path]:
    """A folder on a file system whose files cannot be mapped into memory and shared."""
    if not Path("/dev/fuse").exists():
        pytest.skip("needs /dev/fuse")
    real, folder = tmp_path / "real", tmp_path / "mount"
    real.mkdir()
    folder.mkdir()
    subprocess.run(["bindfs", "-o", "direct_io", real, folder], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", "-l", folder], check=True)


@pytest.mark.requires("root", "bindfs")
@pytest.mark.parametrize("state", ["", "state"])
def test_trace_directory_without_shared_memory(
    state: str, unmappable: Path, rtrace: Rtrace, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On 9p, or FUSE with direct I/O, runs are traced, continued, packed and verified as anywhere."""
    if state:
        monkeypatch.setenv("XDG_STATE_HOME", str(unmappable / state))
    work = unmappable / "work"
    work.mkdir()
    (work / "input.txt").write_text("input\n")
    script = "cat input.txt; echo more >> input.txt; echo made > output.txt"
    assert rtrace("trace", "-q", "sh", "-c", script, cwd=work).stderr == b""
    assert rtrace("trace", "-q", "--continue", "cat", "output.txt", cwd=work).stderr == b""
    packed = rtrace("pack", cwd=work)
    assert packed.returncode == 0, packed.stderr
    verified = rtrace("verify", "bundle.rpz", cwd=work)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert not (work / ".rtrace/mapping.probe").exists()


@pytest.mark.requires("root", "bindfs")
def test_killed_tracer_without_shared_memory(unmappable: Path, rtrace: Rtrace, monkeypatch: pytest.MonkeyPatch) -> None:
    """What was committed before the tracer was killed is packed from there, too."""
    monkeypatch.setenv("XDG_STATE_HOME", str(unmappable / "state"))
    work = unmappable / "work"
    work.mkdir()
    (work / "input.txt").write_text("input\n")
    script = """cat input.txt
database=$(echo ../state/rtrace/traces/*/trace/trace.sqlite3)
until grep -q input.txt $database && [ ! -e $database-journal ]; do [ -e $database ] || exit 1; done
kill -KILL $PPID
sleep 60"""
    (work / "run.sh").write_text(script)  # on the command line it would be in the trace from the beginning
    assert rtrace("trace", "-q", "sh", "run.sh", cwd=work).returncode == -signal.SIGKILL
    packed = rtrace("pack", cwd=work)
    assert packed.returncode == 0, packed.stderr
    assert os.fsencode(work / "input.txt") in rtrace("list", "bundle.rpz", cwd=work).stdout
