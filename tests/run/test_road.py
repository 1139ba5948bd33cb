"""The whole road, from a trace to a replay with the originals gone: what it must bring through unharmed."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from observing import Observation, run_rtrace
from rtrace.opening import open_bundle

ODD_NAMES = (b"new\nline", b"quote'\" and : colon", b"-dash", b"caf\xc3\xa9", b"latin \xe9\xff", b"#!{x}: &y *z %20")
ODD_PROGRAM = """
import os, sys
for name in sorted(os.listdir(b".")):
    with open(name, "rb") as file:
        content = file.read()
    with open(b"../out/" + name + b".out", "wb") as file:
        file.write(content[::-1] + os.environb.get(b"ODD", b"") + b"|".join(map(os.fsencode, sys.argv[1:])))
"""
CHANGING = """
cat changed appended renamed deleted > before
printf new | dd of=changed conv=notrunc status=none
echo more >> appended
mv renamed elsewhere
rm deleted
cat changed appended elsewhere > after
"""
REPLAYS = [
    pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
    pytest.param("docker", marks=pytest.mark.requires("docker")),
]


def pack(folder: Path, bundle: Path) -> None:
    """Pack the trace in a folder, and remove the folder."""
    packed = run_rtrace("pack", bundle, cwd=folder)
    assert packed.returncode == 0, packed.stderr
    shutil.rmtree(folder)


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_odd_bytes_survive_everything(unpacker: str, tmp_path: Path) -> None:
    """Names, arguments and environment that are not UTF-8, or full of YAML, replay to the same bytes."""
    work = tmp_path / os.fsdecode(b"w\xf6rk \n:") / "in"
    work.mkdir(parents=True)
    (work.parent / "out").mkdir()
    for name in ODD_NAMES:
        (work / os.fsdecode(name)).write_bytes(b"content of " + name)
    environ = {
        b"PATH": b"/usr/bin:/bin",
        b"ODD": b"\xff\xfe\n'\": {",
        b"NOT A NAME": b"",
        b"BIG": b"x" * 120_000,
        b"BIGGER": b"y" * 120_000,
    }
    command = (sys.executable, "-S", "-c", ODD_PROGRAM, b"\xe9 argument", "", "#")
    traced = run_rtrace("trace", "-d", tmp_path / "trace", "--", *command, cwd=work, env=environ)
    assert traced.returncode == 0, traced.stderr
    outputs = {path.name: path.read_bytes() for path in (work.parent / "out").iterdir()}
    assert len(outputs) == len(ODD_NAMES)
    packed = run_rtrace("pack", "-d", tmp_path / "trace", tmp_path / "bundle.rpz")
    assert packed.returncode == 0, packed.stderr
    shutil.rmtree(work.parent)
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count(b"/out/") == len(ODD_NAMES)


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_replay_starts_from_the_state_before_the_run(unpacker: str, tmp_path: Path) -> None:
    """A change in place, an append, a rename and a deletion replay from what was there before them."""
    work = tmp_path / "work"
    work.mkdir()
    for name in ("changed", "appended", "renamed", "deleted"):
        (work / name).write_text(f"{name}, as it was\n")
    assert run_rtrace("trace", "sh", "-c", CHANGING, cwd=work).returncode == 0
    assert not (work / "deleted").exists()
    pack(work, tmp_path / "bundle.rpz")
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for name in ("before", "after", "changed", "appended", "renamed", "elsewhere", "deleted"):
        assert f"same       {work}/{name}\n".encode() in verified.stdout


TREATED = {
    "read": "read",
    "appended": "appended to",
    "rewritten": "partly rewritten",
    "replaced": "replaced from nothing",
    "emptied": "replaced from nothing",
    "removed": "removed",
    "renamed": "renamed or linked",
    "touched": "changed",
    "seen": "looked up",
}
TREATING = """
cat read; echo more >> appended; printf new | dd of=rewritten conv=notrunc status=none; echo new > replaced; : > emptied
rm removed; mv renamed other; chmod 600 touched; test -s seen; echo temporary > made; rm made; python3 -c '
import os; os.listdir("listed")'
"""


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_content_comes_along_where_it_is_needed(unpacker: str, tmp_path: Path) -> None:
    """`rtrace list` says what the run did with each file; what it did not need comes by name, size and times alone."""
    work = tmp_path / "work"
    (work / "listed").mkdir(parents=True)
    for name in (*TREATED, "listed/file"):
        (work / name).write_text(f"{name}, as it was\n")
    assert run_rtrace("trace", "sh", "-c", TREATING, cwd=work).returncode == 0
    pack(work, tmp_path / "bundle.rpz")
    listed = run_rtrace("list", tmp_path / "bundle.rpz").stdout.decode()
    found = {}
    for line in listed.splitlines():
        if str(work) in line and not line.startswith("directory"):
            kind, _, size, _, reason, path = line.split("\t")
            found[path.partition(f"{work}/")[2]] = (kind, int(size), reason)
    without = {"replaced", "emptied", "removed", "seen"}
    assert found == {
        **{
            name: ("placeholder" if name in without else "file", len(f"{name}, as it was\n"), reason)
            for name, reason in TREATED.items()
        },
        "listed/file": ("placeholder", len("listed/file, as it was\n"), "listed"),
    }
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


def test_included_files_come_with_their_content(tmp_path: Path) -> None:
    """What a person names under `include:` comes with the content of before the run, if that is to be had.

    What the run replaced or removed unread is not, unless it was put back; what the run wrote is never taken for it.
    """
    work = tmp_path / "work"
    work.mkdir()
    names = ("replaced", "removed", "put back", "read and replaced", "listed")
    for name in names:
        (work / name).write_text(f"{name}, as it was\n")
    times = (work / "put back").stat()
    script = 'rm removed "put back"; echo new > replaced; cat read*; echo new > "read and replaced"; ls -U > /dev/null'
    assert run_rtrace("trace", "sh", "-c", script, cwd=work).returncode == 0
    (work / "put back").write_text("put back, as it was\n")
    os.utime(work / "put back", ns=(times.st_atime_ns, times.st_mtime_ns))
    manifest = work / ".rtrace/manifest.yml"
    manifest.write_text(manifest.read_text().replace("include: []", f'include: ["{work}/*"]'))
    told = run_rtrace("pack", tmp_path / "bundle.rpz", cwd=work)
    assert told.returncode == 0
    lost = [name for name in names if f"{work}/{name} is included by name and size only".encode() in told.stderr]
    assert lost == ["replaced", "removed"]
    with open_bundle(tmp_path / "bundle.rpz") as bundle:
        held = {name: b"".join(bundle.read_file(bytes(work / name))) for name in names if name not in lost}
        outlines = {entry.path for entry in bundle.entries if entry.placeholder}
    assert held == {name: f"{name}, as it was\n".encode() for name in names if name not in lost}
    assert {bytes(work / name) for name in lost} <= outlines


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_listing_is_the_same_in_a_replay(unpacker: str, tmp_path: Path) -> None:
    """`ls -l` and `find` show the same names, types, modes, sizes and times in a replay, of what nobody opened, too."""
    folder = tmp_path / "work/folder"
    (folder / "inner/empty").mkdir(parents=True)
    for name, size in (("small", 5), ("large", 3_000_000), ("nothing", 0), ("inner/deep", 77)):
        (folder / name).write_bytes(b"x" * size)
    (folder / "large").chmod(0o751)
    (folder / "inner").chmod(0o2755)
    (folder / "link").symlink_to("nowhere at all")
    os.mkfifo(folder / "fifo", 0o640)
    for path in (*folder.rglob("*"), folder):
        # An image of Docker has whole seconds.
        time_ns = 1_234_567_890_000_000_000 + (123_456_789 if unpacker == "chroot" else 0)
        os.utime(path, ns=(1, time_ns), follow_symlinks=False)
    script = (
        "cd folder; ls -lnR --time-style=full-iso | grep -v ^total > ../listing;"
        " find . -printf '%P %y %m %s %n %T@ %l\\n' | sort > ../found; stat -c '%n %s %f' * > ../stated"
    )
    assert run_rtrace("trace", "sh", "-c", script, cwd=folder.parent).returncode == 0
    assert b"3000000" in (folder.parent / "listing").read_bytes()
    pack(folder.parent, tmp_path / "bundle.rpz")
    assert (tmp_path / "bundle.rpz").stat().st_size < 20 << 20
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for name in ("listing", "found", "stated"):
        assert f"same       {folder.parent}/{name}\n".encode() in verified.stdout


def test_two_runs_hand_over(tmp_path: Path) -> None:
    """What one run wrote and the next one read is made again by the replay, not packed."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "start").write_text("3 1 2\n")
    assert run_rtrace("trace", "sh", "-c", "tr ' ' '\\n' < start > middle", cwd=work).returncode == 0
    assert run_rtrace("trace", "--continue", "sort", "-o", "end", "middle", cwd=work).returncode == 0
    pack(work, tmp_path / "bundle.rpz")
    listed = run_rtrace("list", tmp_path / "bundle.rpz").stdout
    assert f"\t{work}/start\n".encode() in listed
    assert f"\t{work}/middle\n".encode() not in listed
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert verified.stdout.count(b"exit status of run") == 2


@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGKILL])
def test_trace_of_a_killed_tracer_packs(how: signal.Signals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """After SIGTERM and after SIGKILL of the tracer in mid-run, what was traced until then packs."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    work = tmp_path / "work"
    work.mkdir()
    (work / "one").write_text("one")
    script = "cat one > /dev/null; while :; do echo turn; sleep 0.1; done"
    command = [sys.executable, "-m", "rtrace", "trace", "--", "sh", "-c", script]
    with subprocess.Popen(command, stdout=subprocess.PIPE, cwd=work) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"turn\n"
        assert os.listdir(work) == ["one"]
        (private,) = (tmp_path / "state").glob("rtrace/traces/*/trace")
        observation = Observation(subprocess.CompletedProcess([], 0), private)
        deadline = time.monotonic() + 30
        while os.fsencode(work / "one") not in observation.uses():
            assert time.monotonic() < deadline
        tracer.send_signal(how)
        tracer.communicate()
    packed = run_rtrace("pack", tmp_path / "bundle.rpz", cwd=work)
    assert packed.returncode == 0, packed.stderr
    assert (b"brought .rtrace into its place" in packed.stderr) == (how == signal.SIGKILL)
    assert b"/one\n" in run_rtrace("list", tmp_path / "bundle.rpz").stdout
    info = run_rtrace("info", tmp_path / "bundle.rpz").stdout
    assert (b"end not seen" if how == signal.SIGKILL else b"exit status 143") in info


def test_bundle_that_exists_is_not_touched(tmp_path: Path) -> None:
    """Packing over a file that exists is refused in one sentence, and the file is as it was."""
    (tmp_path / "bundle.rpz").write_text("precious")
    run_rtrace("trace", "true", cwd=tmp_path)
    packed = run_rtrace("pack", cwd=tmp_path)
    assert packed.returncode == 125
    assert packed.stderr.count(b"\n") == 1
    assert b"bundle.rpz exists already" in packed.stderr
    assert (tmp_path / "bundle.rpz").read_text() == "precious"
    assert sorted(os.listdir(tmp_path)) == [".rtrace", "bundle.rpz"]


def test_pack_without_a_trace_says_what_to_do(tmp_path: Path) -> None:
    """Packing where nothing was traced names the directory that is missing and the command that makes it."""
    packed = run_rtrace("pack", cwd=tmp_path)
    assert packed.returncode == 125
    assert (
        packed.stderr == b"rtrace: .rtrace does not exist; run `rtrace trace COMMAND` first, or name another with -d\n"
    )


@pytest.mark.parametrize("command", ["info", "list", "verify", "run"])
def test_what_is_no_bundle_is_refused_in_one_sentence(command: str, tmp_path: Path) -> None:
    """A bundle that is cut off, and a file that is none, give status 125 and one sentence with the file's name."""
    run_rtrace("trace", "true", cwd=tmp_path)
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    whole = (tmp_path / "bundle.rpz").read_bytes()
    (tmp_path / "cut.rpz").write_bytes(whole[: len(whole) // 2])
    (tmp_path / "none.rpz").write_bytes(b"not a bundle")
    for name in ("cut.rpz", "none.rpz", "absent.rpz"):
        refused = run_rtrace(command, tmp_path / name)
        assert refused.returncode == 125, refused.stdout
        assert refused.stderr.count(b"\n") == 1, refused.stderr
        assert name.encode() in refused.stderr
