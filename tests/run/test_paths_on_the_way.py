"""What a path only passes through is in the bundle: folders left by ``..``, chains and loops of symlinks."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from observing import run_rtrace

SETUP = """
mkdir -p real/deep other; echo x > real/x; echo y > other/y; ln -s real/deep link; ln -s link again
ln -s loop loop
ln -s ring2 ring1; ln -s ring1 ring2; ln -s nowhere dangling; ln -s real/x file
echo end > c0; for i in $(seq 1 42); do ln -s c$((i-1)) c$i; done
ln -s /dev/fd/0 in; ln -s /dev/stdout out; ln -s /proc/self/status status
mkdir full plain empty; echo z > full/z; echo f > plain/f
"""
PATHS = (
    "link/../x",
    "$PWD/link/../x",
    "again/../../other/y",
    "real/deep/../../other/../c0",
    "/proc/self/cwd/link/../x",
    "loop",
    "ring1",
    "loop/x",
    "c40",
    "c41",
    "dangling",
    "dangling/x",
    "file/x",
    "file/",
    "file/../c0",
    "c0/..",
    "in; echo piped | cat in",
    "x; echo printed | tee out | cat; echo more | (cat > out) | cat",
    "x; grep -c ^Pid status",
    "x; cd /proc/self/cwd/link/.. && cat x",
    "x; cd again && cat ../x",
)
FAILURES = (
    "rmdir full",
    "mv -T empty full",
    "mv -T c0 full",
    "mkdir full",
    "ln real/x c0",
    "ln -s real/x c0",
    "set -C; echo > c0",
    "unlink full",
    "mv --no-copy --update=none-fail c0 c1",
    "rmdir real/deep/..",
    "echo > loop",
    "mkdir loop",
    "mkdir dangling",
    "mv -T full plain",
    "rm -d full",
    "rm -r c0/",
    "ls loop/",
    "cd file",
    "stat ring1/",
    "touch loop",
)


def replays_alike(work: Path, script: str) -> None:
    """Trace a script, and see a replay print the same."""
    work.joinpath("script").write_text(script)
    traced = run_rtrace("trace", "-q", "sh", "script", cwd=work)
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    replayed = run_rtrace("run", "../bundle.rpz", cwd=work)
    assert replayed.stdout.decode() == traced.stdout.decode()
    verified = run_rtrace("verify", "../bundle.rpz", cwd=work)
    assert verified.returncode == 0, verified.stdout.decode()


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """A folder to work in."""
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


def make_worlds(work: Path, number: int) -> None:
    """Make what the scripts look at, once for each of them: what one of them needs shall not help another one."""
    for name in map(str, range(number)):
        inner = work / "s" / name
        inner.mkdir(parents=True)
        subprocess.run(["sh", "-ec", SETUP], cwd=inner, check=True)


def test_paths_lead_where_they_led(work: Path) -> None:
    """Each path alone gives the same content or the same error in a replay, whatever it leads through."""
    make_worlds(work, len(PATHS))
    lines = [f"(cd s/{number}; cat {path} 2>&1; echo $?)" for number, path in enumerate(PATHS)]
    replays_alike(work, "\n".join(lines))


def test_calls_fail_as_they_failed(work: Path) -> None:
    """What is refused as something is there, or is no folder, or no file, or a loop, is refused in a replay as well."""
    make_worlds(work, len(FAILURES))
    lines = [f"(cd s/{number}; {{ {command}; }} 2>&1; echo $?)" for number, command in enumerate(FAILURES)]
    replays_alike(work, "\n".join(lines))
