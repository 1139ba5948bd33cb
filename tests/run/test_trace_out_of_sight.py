"""A trace lies where its run does not see it as long as the run goes on, and in its place afterwards."""

from __future__ import annotations

import os
import re
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from observing import run_rtrace
from plain_user import PlainUser

LIST = "find . -mindepth 1 | sort; ls -A .. | sort"


@pytest.fixture
def work(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory, with a folder for state elsewhere."""
    folder = tmp_path / "place" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "home").mkdir()
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.delenv("XDG_STATE_HOME", raising=False)
    return folder


def list_modes(folder: Path) -> dict[str, int]:
    """Return the modes of a folder, as ``.``, and of all in it."""
    below = {str(path.relative_to(folder)): path for path in folder.rglob("*")}
    return {name: stat.S_IMODE(path.lstat().st_mode) for name, path in {".": folder, **below}.items()}


def list_left(home: Path) -> list[Path]:
    """Return what traces left in the folder for state, where the history is as well."""
    state = home / ".local/state/rtrace"
    kept = (state / "history", state / "harmless", state / "own-runs")
    return [path for path in home.rglob("*") if path.is_file() and not any(map(path.is_relative_to, kept))]


@pytest.mark.parametrize("options", [(), ("-d", "trace"), ("-d", "../trace")])
@pytest.mark.parametrize("way", [(), ("--continue",), ("--overwrite",)])
def test_run_sees_nothing_new(way: tuple[str, ...], options: tuple[str, ...], work: Path, tmp_path: Path) -> None:
    """Neither the folder that the run works in nor the one above holds anything of rtrace's, whatever was there."""
    (work / "file").touch()
    if way:
        assert run_rtrace("trace", "-q", *options, "true", cwd=work).returncode == 0
    done = run_rtrace("trace", "-q", *options, *way, "sh", "-c", LIST, cwd=work)
    assert done.stdout == b"./file\nwork\n"
    assert done.stderr == b""
    directory = work / (options[1] if options else ".rtrace")
    assert (directory / "manifest.yml").exists()
    assert list_left(tmp_path / "home") == []
    packed = run_rtrace("pack", *options, tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    verified = run_rtrace("verify", tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_folder_keeps_its_date(work: Path) -> None:
    """That a trace leaves the folder and comes back does not count as a change of it, for a run and afterwards."""
    os.utime(work, ns=(0, 1_000_000_007))
    for way in ((), ("--continue",), ("--overwrite",)):
        done = run_rtrace("trace", "-q", *way, "stat", "-c", "%.Y", ".", cwd=work)
        assert (done.stdout, work.stat().st_mtime_ns) == (b"1.000000007\n", 1_000_000_007)


def test_advice_fits_why_no_trace_can_be_made(work: Path) -> None:
    """Free space is asked for where there is none, and not where a folder is missing."""
    done = run_rtrace("trace", "-d", "missing/trace", "true", cwd=work)
    words = b"cannot make missing/trace: No such file or directory; make the folder above it, or use -d to"
    assert words in done.stderr
    assert done.returncode == 125


@pytest.mark.usefixtures("work")
def test_run_that_works_at_home_sees_nothing_new(tmp_path: Path) -> None:
    """Where the folder for state is in the run's sight, the trace lies elsewhere."""
    home = tmp_path / "home"
    done = run_rtrace("trace", "-q", "sh", "-c", "find . -mindepth 1", cwd=home)
    assert (done.stdout, done.stderr) == (b"", b"")
    assert sorted(os.listdir(home)) == [".local", ".rtrace"]
    assert os.listdir(home / ".local/state/rtrace") != []
    assert not (home / ".local/state/rtrace/traces").exists()


def test_trace_is_its_owners_alone(work: Path) -> None:
    """Nobody else may enter a trace or read what is in it, and git(1) takes nothing of it for work."""
    assert run_rtrace("trace", "-q", "sh", "-c", "echo said; echo more >> file", cwd=work, umask=0).returncode == 0
    modes = list_modes(work / ".rtrace")
    assert [name for name, mode in modes.items() if mode & 0o077] == []
    assert modes["."] == 0o700
    assert (work / ".rtrace/.gitignore").read_text() == "*\n"


def test_trace_of_an_earlier_version_is_closed(work: Path) -> None:
    """A trace directory that everybody may enter, as it was made before, is its owner's alone after a further run."""
    assert run_rtrace("trace", "-q", "true", cwd=work).returncode == 0
    (work / ".rtrace/.gitignore").unlink()
    (work / ".rtrace").chmod(0o755)
    assert run_rtrace("trace", "-q", "--continue", "true", cwd=work).returncode == 0
    assert list_modes(work / ".rtrace")["."] == 0o700
    assert (work / ".rtrace/.gitignore").exists()


@pytest.mark.requires("root", "unshare")
@pytest.mark.parametrize("way", ["new", "--continue", "--overwrite"])
def test_trace_gets_its_place_on_another_file_system(way: str, work: Path, tmp_path: Path) -> None:
    """Where nothing out of sight is on the file system of the work, the trace is copied into its place, whole."""
    script = (
        f"mount -t tmpfs none {work} && cd {work} && echo old > file\n"
        f'rtrace() {{ "{sys.executable}" -m rtrace "$@"; }}\n'
        "if [ $0 != new ]; then rtrace trace -q cat file; fi\n"
        "rtrace trace -q $([ $0 = new ] || echo $0) sh -c 'echo new > file; find . -mindepth 1' && ls -A && "
        f"rtrace pack {tmp_path}/bundle.rpz && rtrace verify {tmp_path}/bundle.rpz"
    )
    command = ["unshare", "--mount", "bash", "-c", script, way]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    seen = done.stdout.splitlines()
    assert seen[1 if way != "new" else 0 :][:3] == ["./file", ".rtrace", "file"]
    assert list_left(tmp_path / "home") == []


def test_taken_place_is_told(work: Path, tmp_path: Path) -> None:
    """A run that makes something of the trace's name costs nothing: the trace stays where it is and packs."""
    done = run_rtrace("trace", "sh", "-c", "mkdir .rtrace; exit 3", cwd=work)
    assert done.returncode == 3
    (line,) = [line for line in done.stderr.decode().splitlines() if "pack it with -d " in line]
    packed = run_rtrace("pack", "-d", line.rpartition("-d ")[2], tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    assert os.listdir(work / ".rtrace") == []


def test_run_that_removes_its_folder_has_its_status(work: Path, tmp_path: Path) -> None:
    """A run that removes the folder it works in ends as it does, and its trace stays where it is and packs."""
    done = run_rtrace("trace", "sh", "-c", f"rm -r {work.parent}; exit 3", cwd=work)
    assert done.returncode == 3
    (line,) = [line for line in done.stderr.decode().splitlines() if "pack it with -d " in line]
    packed = run_rtrace("pack", "-d", line.rpartition("-d ")[2], tmp_path / "bundle.rpz", cwd=tmp_path)
    assert packed.returncode == 0, packed.stderr


def test_folder_that_cannot_be_written_is_refused_before(plain_user: PlainUser) -> None:
    """That the trace will have no place is told before the run begins."""
    work = plain_user.home / "work"
    work.mkdir()
    plain_user.give(work)
    work.chmod(0o500)
    done = plain_user.run(plain_user.rtrace, "trace", "touch", "../ran", cwd=work)
    assert done.returncode == 125
    assert done.stderr.count(b"\n") == 1
    assert b"use -d to write elsewhere" in done.stderr
    assert not (plain_user.home / "ran").exists()


def test_home_that_cannot_be_written_is_no_hindrance(plain_user: PlainUser) -> None:
    """Without a home folder, or with one that is read-only, the trace lies in a folder for temporary files.

    One sentence tells that there is no history.
    """
    work = plain_user.home / "work"
    work.mkdir()
    plain_user.give(work)
    plain_user.home.chmod(0o555)
    for home in (str(plain_user.home), "/nonexistent", ""):
        done = plain_user.run(
            plain_user.rtrace, "trace", "-q", "--overwrite", "sh", "-c", LIST, cwd=work, env={"HOME": home}
        )
        assert (done.returncode, done.stdout) == (0, b"work\n")
        assert re.fullmatch(
            rb"rtrace: the record is not in the history \(.*\); add it with `rtrace import .*`\n", done.stderr
        )
        assert (work / ".rtrace/records/run1.json").exists()


@pytest.mark.requires("root")
def test_owner_of_a_trace_stays(plain_user: PlainUser) -> None:
    """What root adds to a trace of another user, as with sudo(8), belongs to that user."""
    assert plain_user.run(plain_user.rtrace, "trace", "-q", "true").returncode == 0
    assert run_rtrace("trace", "-q", "--continue", "echo", "said", cwd=plain_user.home).returncode == 0
    trace = plain_user.home / ".rtrace"
    assert {path.lstat().st_uid for path in (trace, *trace.rglob("*"))} == {plain_user.uid}
    packed = plain_user.run(plain_user.rtrace, "pack")
    assert packed.returncode == 0, packed.stderr


def test_symlink_to_a_trace_stays(work: Path, tmp_path: Path) -> None:
    """A trace directory that a symlink leads to is continued where it is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert run_rtrace("trace", "-q", "-d", elsewhere / "t", "true", cwd=work).returncode == 0
    (work / ".rtrace").symlink_to("../../elsewhere/t")
    assert run_rtrace("trace", "-q", "--continue", "true", cwd=work).returncode == 0
    assert (work / ".rtrace").is_symlink()
    assert (elsewhere / "t/manifest.yml").read_text().count("- id: run") == 2
