"""`rtrace run --sweep`: real programs with one thing changed, at the same time, and whatever happens to them."""

from __future__ import annotations

import csv
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from rtrace.answers.schema import make_schema
from waiting import wait_until

pytestmark = pytest.mark.requires("user-namespaces")

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]
FIT = """\
import argparse, json, os, sys
parser = argparse.ArgumentParser()
parser.add_argument("--alpha", type=float)
alpha = parser.parse_args().alpha
total = sum(map(float, open("data.txt")))
print("accuracy:", total * alpha)
json.dump({"seed": int(os.environ["SEED"]), "score": total * alpha}, open("result.json", "w"))
"""
ENDS = """\
#!/bin/sh
sleep 0
case $1 in
fail) exit 3 ;;
crash) kill -SEGV $$ ;;
hang) exec sleep 1000 ;;
forget) exit 0 ;;
esac
echo "$1" > out.txt
echo "value: 5"
"""
MEET = """\
import socket, sys, time
role, place = sys.argv[1], ("127.0.0.1", 41783)
if role == "serve":
    server = socket.socket()
    server.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    server.bind(place)
    server.listen()
    peer, _ = server.accept()
while role == "call":
    peer = socket.socket()
    if peer.connect_ex(place) == 0:
        break
    time.sleep(0.02)
if role != "alone":
    peer.sendall(b"met")
    assert peer.recv(3) == b"met"
open("met.txt", "w").write(role)
"""


@pytest.fixture
def pack(rtrace: Rtrace, tmp_path: Path) -> Callable[..., Path]:
    """Trace a command in a folder of its own, and pack it; the originals stay there."""

    def trace(name: str, files: dict[str, str], *command: str, env: dict[str, str] | None = None) -> Path:
        work = tmp_path / name
        work.mkdir()
        for file, text in files.items():
            (work / file).write_text(text)
            (work / file).chmod(0o755)
        done = rtrace("trace", "-q", "--no-history", *command, cwd=work, env=env)
        assert done.returncode == 0, done.stderr.decode()
        done = rtrace("pack", "-q", f"{name}.rpz", cwd=work)
        assert done.returncode == 0, done.stderr.decode()
        return work / f"{name}.rpz"

    return trace


@pytest.fixture
def fit(pack: Callable[..., Path]) -> Path:
    """A bundle of a Python script with an option, a variable and an input."""
    return pack("fit", {"fit.py": FIT, "data.txt": "1\n2\n"}, "python3", "fit.py", "--alpha", "0.5", env={"SEED": "1"})


def read_table(folder: Path) -> list[dict[str, str]]:
    """Return the rows of a table by their columns."""
    with (folder / "table.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def answer(done: subprocess.CompletedProcess[bytes]) -> dict[str, Any]:
    """Return what a sweep answered with --json; it fits the schema."""
    told = json.loads(done.stderr.splitlines()[-1])
    jsonschema.validate(told, make_schema("replay"))
    sweep: dict[str, Any] = told["sweep"]
    return sweep


def find_processes(folder: Path) -> list[str]:
    """Return the command lines of the processes that have a folder in theirs."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            line = Path(f"/proc/{name}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line and int(name) != os.getpid():
            found.append(line)
    return found


def test_a_parameter_a_variable_and_an_input_are_swept(rtrace: Rtrace, fit: Path, tmp_path: Path) -> None:
    """All combinations, each with its outputs in a folder, their digests, and the numbers that they tell."""
    (tmp_path / "more.txt").write_text("10\n")
    same = tmp_path / "fit/data.txt"
    sweeps = ("--sweep", "alpha=0.5,2", "--sweep", "SEED=1,7", "--sweep", f"input:data.txt={same},more.txt")
    options = ("--into", "out", "--csv", "copy.csv", "--json", "--jobs", "3")
    done = rtrace("run", "--no-history", *sweeps, *options, str(fit))
    assert done.returncode == 0, done.stderr.decode()
    rows = read_table(tmp_path / "out")
    assert [(row["alpha"], row["SEED"], float(row["accuracy"]), row["seed"], row["state"]) for row in rows] == [
        (alpha, seed, float(alpha) * total, seed, "done")
        for alpha in ("0.5", "2")
        for seed in ("1", "7")
        for total in (3.0, 10.0)
    ]
    assert (tmp_path / "copy.csv").read_bytes() == (tmp_path / "out/table.csv").read_bytes()
    assert len({row["result.json sha256"] for row in rows}) == len(rows)
    for row in rows:
        result = json.loads((tmp_path / "out" / row["folder"] / "result.json").read_text())
        assert (result["seed"], result["score"]) == (int(row["SEED"]), float(row["score"]))
        assert float((tmp_path / "out/rows" / row["folder"] / "stdout").read_text().split()[1]) == result["score"]
        assert float(row["seconds"]) > 0
        assert int(row["memory"]) > 1 << 20
    told = answer(done)
    assert [one["folder"] for one in told["combinations"]] == [row["folder"] for row in rows]
    assert (told["interrupted"], told["replayed_before"]) == (False, 0)
    before = (tmp_path / "out" / rows[0]["folder"] / "result.json").stat()
    again = rtrace("run", "--no-history", *sweeps[:2], "--sweep", "SEED=1,8", *sweeps[4:], *options, str(fit))
    assert again.returncode == 0, again.stderr.decode()
    assert answer(again)["replayed_before"] == len(rows) // 2
    assert (tmp_path / "out" / rows[0]["folder"] / "result.json").stat().st_ino == before.st_ino
    assert {row["SEED"] for row in read_table(tmp_path / "out")} == {"1", "8"}
    (tmp_path / "more.txt").write_text("20\n")
    (tmp_path / "out" / rows[0]["folder"] / "result.json").unlink()
    changed = rtrace("run", "--no-history", *sweeps, *options, str(fit))
    assert answer(changed)["replayed_before"] == len(rows) // 2 - 1, changed.stderr.decode()
    assert {float(row["accuracy"]) for row in read_table(tmp_path / "out")} == {1.5, 10.0, 6.0, 40.0}


def test_how_each_ends_is_a_row(rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path) -> None:
    """A failure, a crash, a time-out, a missing output: the rest goes on, and the sweep fails in the end."""
    bundle = pack("ends", {"ends.sh": ENDS}, "./ends.sh", "fine")
    values = "fail,crash,hang,forget,fine"
    done = rtrace("run", "--no-history", "--timeout", "8", "--sweep", f"arg:1={values}", "--jobs", "3", str(bundle))
    assert done.returncode == 1, done.stderr.decode()
    rows = read_table(tmp_path / "ends-sweep")
    assert [(row["arg1"], row["state"], row["exit status"], row["value"]) for row in rows] == [
        ("fail", "failed", "3", ""),
        ("crash", "killed", "139", ""),
        ("hang", "limit", "124", ""),
        ("forget", "incomplete", "0", ""),
        ("fine", "done", "0", "5"),
    ]
    assert rows[3]["notes"] == f"the target has no out.txt ({tmp_path}/ends/out.txt): replay a run that makes it"
    assert b"failed: 1 combination, such as arg1=fail" in done.stderr


def test_replays_go_on_at_the_same_time(rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path) -> None:
    """Two replays meet at a port of this machine's network: one alone would wait for ever."""
    bundle = pack("meet", {"meet.py": MEET}, "python3", "meet.py", "alone")
    options = ("--network", "--timeout", "60", "--jobs", "2", "--json")
    done = rtrace("run", "--no-history", *options, "--sweep", "arg:2=serve,call", str(bundle))
    assert done.returncode == 0, done.stderr.decode()
    one, other = answer(done)["combinations"]
    assert max(one["started"], other["started"]) < min(one["finished"], other["finished"])
    assert (tmp_path / "meet-sweep/arg2=serve/met.txt").read_text() == "serve"


HOSTILE = ("$(touch pwned)", "../../x", "=cmd|' /C calc'!A0", "a\nb", "-rf", "\udcff", "'; touch pwned #", "<b>")


def test_hostile_values_stay_values(rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path) -> None:
    """They reach the program as they are, and no folder, cell, shell or line takes them for anything else."""
    script = 'printf %s "$1" > out.txt; printf "%s: 1\\n" "=x$1"\n'
    bundle = pack("hostile", {"say.sh": f"#!/bin/sh\n{script}"}, "./say.sh", "x")
    before = {path.name for path in tmp_path.iterdir()}
    values = ",".join(value.replace(",", "\\,") for value in HOSTILE)
    done = rtrace("run", "--no-history", "--sweep", f"arg:1={values}", "--into", "a 'b'$(c)", str(bundle))
    assert done.returncode == 0, done.stderr.decode()
    folder = tmp_path / "a 'b'$(c)"
    assert {path.name for path in tmp_path.iterdir()} - before == {folder.name}
    rows = read_table(folder)
    found = [(folder / row["folder"] / "out.txt").read_bytes() for row in rows]
    assert found == [os.fsencode(value) for value in HOSTILE]
    assert len(list(folder.iterdir())) == len(HOSTILE) + 3
    for row in rows:
        assert not any(cell.startswith(("=", "@", "-", "+")) or "\n" in cell for cell in (*row, *row.values()))


def start_sweep(bundle: Path, folder: Path, temporary: Path, *options: str) -> subprocess.Popen[bytes]:
    """Start a sweep in a session of its own, of which some replays end at once and others never."""
    temporary.mkdir()
    command = [sys.executable, "-m", "rtrace", "run", "--no-history", "--jobs", "3", *options]
    command += ["--sweep", "arg:1=fine,hang,hang2,other", "--into", str(folder), str(bundle)]
    env = {**os.environ, "TMPDIR": str(temporary)}
    return subprocess.Popen(
        command,
        env=env,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        start_new_session=True,
    )


def is_under_way(folder: Path) -> bool:
    """Whether the two that end are done, and the two others have begun."""
    rows = folder / "rows"
    return {one.name for one in rows.glob("*")} == {"arg1=fine", "arg1=other"} and len(
        [one for one in folder.glob("*.incomplete-*/record/stdout") if one.stat().st_size]
    ) == 2


HANG = """\
#!/bin/sh
sleep 0
echo begun
case $1 in hang*) trap '' TERM INT HUP; while :; do sleep 1000; done ;; esac
echo "$1" > out.txt
"""


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_sweep_keeps_what_is_done(
    rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path, number: signal.Signals
) -> None:
    """Programs that ignore signals end as well; nothing is left behind, and the table has the rows that are done."""
    bundle = pack("plain", {"hang.sh": HANG}, "./hang.sh", "fine")
    folder, temporary = tmp_path / "out", tmp_path / "temporary"
    with start_sweep(bundle, folder, temporary) as sweep:
        wait_until(lambda: is_under_way(folder))
        sweep.send_signal(number)
        _, said = sweep.communicate(timeout=120)
    assert sweep.returncode == 128 + number, said.decode()
    assert b"no replay goes on; 2 of 4 are done and in" in said
    assert find_processes(bundle) == []
    assert list(temporary.iterdir()) == []
    assert {path.name for path in folder.iterdir()} == {"arg1=fine", "arg1=other", "rows", "sweep.json", "table.csv"}
    assert [row["state"] for row in read_table(folder)] == ["done", "interrupted", "interrupted", "done"]
    again = rtrace("run", "--no-history", "--json", "--sweep", "arg:1=fine,other", "--into", str(folder), str(bundle))
    assert answer(again)["replayed_before"] == 2, again.stderr.decode()


def test_a_killed_sweep_leaves_no_replay(rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path) -> None:
    """Its replays end with it, clean up, and the same command goes on with the rest."""
    bundle = pack("plain", {"hang.sh": HANG}, "./hang.sh", "fine")
    folder, temporary = tmp_path / "out", tmp_path / "temporary"
    with start_sweep(bundle, folder, temporary) as sweep:
        wait_until(lambda: is_under_way(folder))
        sweep.kill()
        sweep.communicate(timeout=60)
    wait_until(lambda: not find_processes(bundle))
    assert list(temporary.iterdir()) == []
    assert list(folder.glob("*.incomplete-*")) == []
    again = rtrace("run", "--no-history", "--json", "--sweep", "arg:1=fine,other", "--into", str(folder), str(bundle))
    assert again.returncode == 0, again.stderr.decode()
    assert answer(again)["replayed_before"] == 2


def test_a_replay_that_is_killed_is_a_row(rtrace: Rtrace, pack: Callable[..., Path], tmp_path: Path) -> None:
    """The rest goes on, what it left is removed, and the next call tries it again."""
    bundle = pack("plain", {"hang.sh": HANG}, "./hang.sh", "fine")
    folder, temporary = tmp_path / "out", tmp_path / "temporary"
    with start_sweep(bundle, folder, temporary) as sweep:
        wait_until(lambda: is_under_way(folder))
        for process in Path(f"/proc/{sweep.pid}/task/{sweep.pid}/children").read_text().split():
            os.kill(int(process), signal.SIGKILL)
        _, said = sweep.communicate(timeout=120)
    assert sweep.returncode == 1, said.decode()
    rows = read_table(folder)
    assert [row["state"] for row in rows] == ["done", "lost", "lost", "done"]
    assert rows[1]["notes"] == "the process of rtrace that replayed it was ended by SIGKILL"
    assert list(temporary.iterdir()) == []
    assert list(folder.glob("*.incomplete-*")) == []
    done = rtrace(
        "run", "--no-history", "--json", "--timeout", "3", "--sweep", "arg:1=fine,hang", "--into", "out", str(bundle)
    )
    assert [one["state"] for one in answer(done)["combinations"]] == ["done", "limit"]


def test_what_cannot_be_is_told_before_anything(rtrace: Rtrace, fit: Path, tmp_path: Path) -> None:
    """In a sentence, with status 2, and without a folder."""
    (tmp_path / "full").mkdir()
    (tmp_path / "full/precious").write_text("precious")
    before = sorted(tmp_path.rglob("*"))
    for options, sentence in (
        (("--sweep", "alhpa=1"), "did you mean alpha?"),
        (("--sweep", "data.txt=missing"), "cannot read missing, which is to be the input data.txt"),
        (("--sweep", "alpha=1", "--into", "full"), "exists and holds no sweep"),
        (("--sweep", "alpha=1", "--csv", "full/precious"), "full/precious exists already"),
        (("--sweep", "alpha=1", "--csv", "nowhere/x.csv"), "there is no folder nowhere"),
        (("--sweep", "alpha=1", "--html", "full"), "full exists already"),
        (("--sweep", "alpha=1", "-o", "all=x"), "leave out -o"),
        (("--sweep", "alpha=1", "-i", "data.txt=-"), "standard input cannot be an input of many replays"),
        (("--sweep", "data.txt=full/precious", "-i", "data.txt=full/precious"), "leave out one of them"),
        (("--sweep", "alpha=1", "--keep"), "leave out --keep"),
        (("--sweep", "alpha=1", "--port", "8080"), "--port leads to one replay"),
        (("--jobs", "2"), "--jobs is for a sweep"),
        (("--sweep", "alpha=1", "--sbatch", "-p x"), "add --on slurm"),
        (("--sweep", "env:A=1,2,3", "--sweep", "env:B=1,2,3", "--most-combinations", "8"), "9 combinations"),
    ):
        done = rtrace("run", "--no-history", *options, str(fit))
        assert (done.returncode, sentence in done.stderr.decode()) == (2, True), done.stderr.decode()
    assert sorted(tmp_path.rglob("*")) == before


def test_a_sweep_of_a_target_replays_its_bundle(rtrace: Rtrace, fit: Path, tmp_path: Path) -> None:
    """The target itself stays as it is; one whose input was replaced is refused, as each replay is made anew."""
    assert rtrace("unpack", "-q", "chroot", str(fit), "target").returncode == 0
    done = rtrace("run", "--no-history", "--sweep", "--alpha=3", "target")
    assert done.returncode == 0, done.stderr.decode()
    assert [row["accuracy"] for row in read_table(tmp_path / "target-sweep")] == ["9.0"]
    (tmp_path / "new.txt").write_text("5\n")
    assert rtrace("upload", "-q", "target", "new.txt:data.txt").returncode == 0
    done = rtrace("run", "--no-history", "--sweep", "--alpha=3", "target")
    assert (done.returncode, b"inputs of the target were replaced (data.txt)" in done.stderr) == (2, True)
    other = rtrace("run", "--no-history", "--sweep", "SEED=3", "--into", "target-sweep", str(fit))
    assert (other.returncode, b"holds a sweep of other parameters" in other.stderr) == (2, True)


def test_each_replay_of_a_sweep_is_in_the_history(rtrace: Rtrace, fit: Path, tmp_path: Path) -> None:
    """With the option that makes it again; two runs that each have the option are told apart."""
    env = {"RTRACE_HISTORY": str(tmp_path / "history")}
    done = rtrace("run", "--sweep", "alpha=1,2", str(fit), env=env)
    assert done.returncode == 0, done.stderr.decode()
    log = json.loads(rtrace("log", "--json", env=env).stdout)
    words = sorted(" ".join(one["arguments"][:-1]) for one in log["runs"])
    assert words == ["rtrace replay --sweep arg:run1:3=1", "rtrace replay --sweep arg:run1:3=2"]
