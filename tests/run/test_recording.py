"""`rtrace trace` takes a record of each run: what real programs did, in a real git-versioned experiment."""

import hashlib
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rtrace.opening import open_bundle
from rtrace.record.document import Record
from rtrace.record.history.opening import open_history
from rtrace.record.reading import read_record

Rtrace = Callable[..., subprocess.CompletedProcess[bytes]]

SIMULATION = """\
import csv
import sys

import steps

__version__ = "2.1"

parameters = dict(line.split(": ") for line in open("parameters.yaml").read().splitlines())
rows = list(csv.reader(open("data.csv")))
values = [steps.step(float(row[0]), float(parameters["rate"])) for row in rows[1:]]
with open("results/values.csv", "w") as file:
    csv.writer(file).writerows([value] for value in values)
with open("results/plot.svg", "w") as file:
    file.write('<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L1 1"/></svg>')
print("mean", sum(values) / len(values))
print("warning: few values", file=sys.stderr)
"""


def git(folder: Path, *arguments: str) -> None:
    """Run git as somebody whose configuration is known."""
    who = ("-c", "user.name=Ada Lovelace", "-c", "user.email=ada@example.org")
    subprocess.run(["git", *who, *arguments], cwd=folder, check=True, capture_output=True)


@pytest.fixture
def experiment(tmp_path: Path) -> Path:
    """A script with a module, data and parameters, under version control, with a change that is not committed."""
    folder = tmp_path / "growth"
    (folder / "results").mkdir(parents=True)
    (folder / "simulate.py").write_text(SIMULATION)
    (folder / "steps.py").write_text("def step(value, rate):\n    return value * rate\n")
    (folder / "parameters.yaml").write_text("rate: 1.5\nname: first try\n")
    (folder / "data.csv").write_text("value\n1\n2\n3\n")
    (folder / ".gitignore").write_text(".rtrace\nresults/*\n__pycache__\n")
    git(folder, "init", "--quiet")
    git(folder, "add", "--all")
    git(folder, "commit", "--quiet", "--message", "First version")
    git(folder, "remote", "add", "origin", "https://ada:s3cretPassw0rd@example.org/growth.git")
    (folder / "steps.py").write_text("def step(value, rate):\n    return value * rate + 1\n")
    return folder


@pytest.fixture
def history(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A history of this test alone."""
    place = tmp_path / "history"
    monkeypatch.setenv("RTRACE_HISTORY", str(place))
    return place


def read(folder: Path, run: str = "run1", trace: str = ".rtrace") -> Record:
    """Read the record of a run out of a trace directory."""
    path = folder / trace / "records" / f"{run}.json"
    return read_record(path.read_bytes(), str(path))


def read_history(place: Path) -> list[Record]:
    """Read all records of a history, the oldest first."""
    history = open_history(str(place))
    return [history.read(identifier) for identifier in sorted(history.identifiers())]


def digest(path: Path) -> str:
    """Return a SHA-256 as records have it."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def trace(rtrace: Rtrace, folder: Path, *words: str, status: int = 0) -> Record:
    """Trace a command in a folder; return its record."""
    done = rtrace("trace", *words, cwd=folder)
    assert done.returncode == status, done.stderr
    return read(folder)


@pytest.mark.requires("git")
def test_a_run_of_a_versioned_experiment_is_recorded_whole(rtrace: Rtrace, experiment: Path, history: Path) -> None:
    """Code, inputs, parameters, outputs, output, machine, time: each part of the record says what was so."""
    script = (sys.executable, "simulate.py", "--seed", "7")
    record = trace(rtrace, experiment, "--label", "first", "-m", "Does it grow?", "-t", "growth", "-t", "test", *script)
    (kept,) = read_history(history)
    assert kept == record
    assert (record["label"], record["reason"], record["tags"]) == ("first", "Does it grow?", ["growth", "test"])
    assert (record["status"], record["exit_code"], record["signal"]) == ("succeeded", 0, None)
    assert record["arguments"] == list(script)
    assert record["main"] == str(experiment / "simulate.py")
    assert record["project"] == {"name": "growth", "description": None, "url": None}
    assert record["trace"] == str(experiment / ".rtrace")
    assert record["run_name"] == "run1"

    (repository,) = record["repositories"]
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=experiment, check=True, capture_output=True, text=True)
    assert repository["commit"] == head.stdout.strip()
    assert repository["remote"] == "https://example.org/growth.git"
    assert repository["dirty"]
    assert "+    return value * rate + 1" in (repository["diff"] or "")

    scripts = {Path(one["path"]).name: one for one in record["scripts"]}
    assert scripts.keys() == {"simulate.py", "steps.py"}
    main = scripts["simulate.py"]
    assert (main["main"], main["version"], main["repository"]) == (True, "2.1", 0)
    assert main["sha256"] == digest(experiment / "simulate.py")
    assert main["text"] == SIMULATION
    assert not scripts["steps.py"]["main"]

    inputs = {Path(one["path"]).name: one for one in record["inputs"]}
    assert inputs.keys() == {"data.csv", "parameters.yaml"}
    assert inputs["data.csv"]["sha256"] == digest(experiment / "data.csv")
    assert inputs["data.csv"]["media_type"] == "text/csv"
    outputs = {Path(one["path"]).name: one for one in record["outputs"]}
    assert outputs.keys() == {"values.csv", "plot.svg"}
    plot = experiment / "results/plot.svg"
    assert outputs["plot.svg"]["sha256"] == digest(plot)
    assert outputs["plot.svg"]["md5"] == hashlib.md5(plot.read_bytes(), usedforsecurity=False).hexdigest()
    assert outputs["plot.svg"]["media_type"] == "image/svg+xml"

    values = {(one["source"], one["name"]): one["value"] for one in record["parameters"]}
    parameters = str(experiment / "parameters.yaml")
    assert values["command line", "seed"] == 7
    assert values[parameters, "rate"] == 1.5
    assert values[parameters, "name"] == "first try"

    assert record["stdout"] is not None
    assert record["stdout"]["text"] == "mean 4.0\n"
    assert record["stderr"] is not None
    assert record["stderr"]["text"] == "warning: few values\n"
    usage = record["usage"]
    assert usage["user"] is not None
    assert usage["user"] > 0
    assert usage["peak_memory"] is not None
    assert 1 << 20 < usage["peak_memory"] < 1 << 30
    assert usage["bytes_written"] is not None
    assert usage["bytes_written"] >= plot.stat().st_size
    assert record["machine"]["hostname"] == os.uname().nodename
    assert record["user"]["uid"] == os.getuid()
    assert any(one["name"] == "csv" and one["language"] == "Python" for one in record["libraries"])
    assert any(one["executions"] == 1 for one in record["executables"])


@pytest.mark.requires("gcc")
def test_a_compiled_program_is_told_with_its_compiler(rtrace: Rtrace, tmp_path: Path, history: Path) -> None:
    """Its build id, compiler and options come from its file, and it is what the run is about."""
    (tmp_path / "count.c").write_text(
        '#include <stdio.h>\nint main(int n, char **a) { FILE *f = fopen(a[1], "r"), *g = fopen(a[2], "w");'
        ' int c, k = 0; while ((c = getc(f)) != EOF) k++; fprintf(g, "%d\\n", k); return 3; }\n'
    )
    subprocess.run(["gcc", "-O2", "-g", "-o", "count", "count.c"], cwd=tmp_path, check=True)
    (tmp_path / "in.txt").write_text("four")
    record = trace(rtrace, tmp_path, "./count", "in.txt", "out.txt", status=3)
    (program,) = record["executables"]
    assert program["path"] == str(tmp_path / "count") == record["main"]
    assert program["sha256"] == digest(tmp_path / "count")
    assert (program["compiler"] or "").startswith("GCC")
    assert "-O2" in (program["compiler_flags"] or "")
    assert (record["status"], record["exit_code"]) == ("failed", 3)
    assert [Path(one["path"]).name for one in record["inputs"]] == ["in.txt"]
    assert [Path(one["path"]).name for one in record["outputs"]] == ["out.txt"]
    assert any(one["name"].startswith("libc.so") and one["version"] for one in record["libraries"])
    assert read_history(history) == [record]


@pytest.mark.usefixtures("history")
def test_a_shell_script_and_its_helpers_are_told_apart(rtrace: Rtrace, tmp_path: Path) -> None:
    """The script that was named is the main one; what it calls is a script of the run as well, and no program is."""
    (tmp_path / "run.sh").write_text("#!/bin/sh\n./helper.sh > helped\ncat helped\nsort helped > sorted\n")
    (tmp_path / "helper.sh").write_text("#!/bin/sh\necho b\necho a\n")
    for name in ("run.sh", "helper.sh"):
        (tmp_path / name).chmod(0o755)
    record = trace(rtrace, tmp_path, "./run.sh")
    scripts = {Path(one["path"]).name: one["main"] for one in record["scripts"]}
    assert scripts == {"run.sh": True, "helper.sh": False}
    assert {"sort", "cat"} <= {one["name"] for one in record["executables"]}
    assert {Path(one["path"]).name for one in record["outputs"]} == {"helped", "sorted"}
    assert record["inputs"] == []
    assert len(record["processes"]) >= 4
    assert record["processes"][0]["parent"] is None


@pytest.mark.usefixtures("history")
def test_inputs_are_told_as_they_were_before_the_run(rtrace: Rtrace, tmp_path: Path) -> None:
    """A file that the run reads and then changes is an input with its former digest, and an output with its new one."""
    (tmp_path / "state").write_text("before")
    before = digest(tmp_path / "state")
    record = trace(rtrace, tmp_path, "sh", "-c", "read line < state; echo after > state")
    (found,), (left,) = record["inputs"], record["outputs"]
    assert found["sha256"] == before
    assert left["sha256"] == digest(tmp_path / "state")


def test_each_run_of_a_trace_directory_has_a_record(rtrace: Rtrace, tmp_path: Path, history: Path) -> None:
    """What one run wrote is the input of the next one; --overwrite leaves one record there, and the history has all."""
    (tmp_path / "in").write_text("1")
    trace(rtrace, tmp_path, "cp", "in", "middle")
    done = rtrace("trace", "--continue", "cp", "middle", "out", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    second = read(tmp_path, "run2")
    assert [Path(one["path"]).name for one in second["inputs"]] == ["middle"]
    assert [Path(one["path"]).name for one in second["outputs"]] == ["out"]
    trace(rtrace, tmp_path, "--overwrite", "true")
    assert os.listdir(tmp_path / ".rtrace/records") == ["run1.json"]
    assert len(read_history(history)) == 3


@pytest.mark.usefixtures("history")
def test_a_signal_is_told_as_the_end(rtrace: Rtrace, tmp_path: Path) -> None:
    """A run that a signal ended was killed by it."""
    record = trace(rtrace, tmp_path, "sh", "-c", "kill -TERM $$", status=128 + signal.SIGTERM)
    assert (record["status"], record["exit_code"], record["signal"]) == ("killed", None, signal.SIGTERM)


def test_without_history_the_record_stays_in_the_trace(rtrace: Rtrace, tmp_path: Path, history: Path) -> None:
    """--no-history writes nothing into the history."""
    record = trace(rtrace, tmp_path, "--no-history", "true")
    assert record["status"] == "succeeded"
    assert read_history(history) == []


@pytest.mark.parametrize("obstacle", ["a file", "a folder that may not be written to"])
def test_a_history_that_cannot_be_written_costs_a_sentence(rtrace: Rtrace, tmp_path: Path, obstacle: str) -> None:
    """The run keeps its exit status and its trace; the record is in the trace directory, to be added later."""
    place = tmp_path / "history"
    if obstacle == "a file":
        place.write_text("mine")
    else:
        place = Path("/proc/1/history")
    done = rtrace("trace", "sh", "-c", "exit 7", env={"RTRACE_HISTORY": str(place)})
    assert done.returncode == 7
    (warning,) = (line for line in done.stderr.splitlines() if b"history" in line)
    assert b"rtrace import" in warning
    assert b"Traceback" not in done.stderr
    assert read(tmp_path)["exit_code"] == 7


REDACTED = "redacted"
SECRETS = {
    "variable": "ghp_x9Kq2LmZ0pW7vT4rB8nY1cD5fG6hJ3sAe2uQ",
    "argument": "Zk39sLq0Pw81mXz7",
    "printed": "AKIAQ3EGPLQ7ZK5VJX2D",
    "written": "glpat-x7Kz9QwLmP2vT4rB8nY1",
    "parameter": "hT7vQ2xL9pW4zK8m",
    "diff": "ghp_M4nB7vC2xZ9lK5jH8gF1dS6aP3oI0uYtRe9w",
    "remote": "s3cretPassw0rd",
}


@pytest.mark.requires("git")
def test_secrets_are_not_written_down(rtrace: Rtrace, experiment: Path, history: Path) -> None:
    """What stands in a variable, an argument, output, parameters, a script, a diff or a remote is in no document."""
    (experiment / "steps.py").write_text(f"TOKEN = '{SECRETS['diff']}'\n\ndef step(value, rate):\n    return value\n")
    with (experiment / "parameters.yaml").open("a") as file:
        file.write(f"password: {SECRETS['parameter']}\n")
    with (experiment / "simulate.py").open("a") as file:
        file.write(f"key = '{SECRETS['written']}'\nimport os\nprint(os.environ['API_TOKEN'], '{SECRETS['printed']}')\n")
    words = (sys.executable, "simulate.py", f"--api-key={SECRETS['argument']}")
    done = rtrace("trace", *words, cwd=experiment, env={"API_TOKEN": SECRETS["variable"]})
    assert done.returncode == 0, done.stderr
    assert SECRETS["variable"].encode() in done.stdout
    documents = [path.read_text() for path in (experiment / ".rtrace/records").iterdir()]
    documents += [path.read_text() for path in history.rglob("*.json")]
    assert len(documents) >= 2
    found = {name for name, value in SECRETS.items() for document in documents if value in document}
    assert found == set()
    record = read(experiment)
    assert record["environment"]["API_TOKEN"] == REDACTED
    assert any(place.startswith("variable API_TOKEN: ") for place in record["redacted"])
    assert any(place.startswith("the text of stdout: ") for place in record["redacted"])
    assert all(value not in "\n".join(record["redacted"]) for value in SECRETS.values())


def test_what_was_harmless_is_remembered_and_secrets_are_not(rtrace: Rtrace, tmp_path: Path) -> None:
    """A second run finds the secret again: the file of what was searched before has nothing of it."""
    environ = {"XDG_STATE_HOME": str(tmp_path / "state"), "API_TOKEN": SECRETS["variable"]}
    for name in ("one", "two"):
        done = rtrace("trace", "-d", name, "sh", "-c", "echo $API_TOKEN", env=environ)
        assert done.returncode == 0, done.stderr
        record = read(tmp_path, trace=name)
        assert record["environment"]["API_TOKEN"] == REDACTED
        assert record["stdout"] is not None
        assert record["stdout"]["text"] == "redacted\n"
    assert (tmp_path / "state/rtrace/harmless").stat().st_mode & 0o777 == 0o600


@pytest.mark.requires("git")
def test_the_record_travels_in_the_bundle(rtrace: Rtrace, experiment: Path, history: Path) -> None:
    """Packing twice gives the same bytes, `rtrace info` shows what it says, and the history knows the bundle."""
    record = trace(rtrace, experiment, "-m", "Does it grow?", sys.executable, "simulate.py")
    for name in ("a.rpz", "b.rpz"):
        done = rtrace("pack", name, cwd=experiment)
        assert done.returncode == 0, done.stderr
    assert digest(experiment / "a.rpz") == digest(experiment / "b.rpz")
    told = json.loads(rtrace("info", "--json", "a.rpz", cwd=experiment).stdout)
    summary = told["runs"][0]["record"]
    assert (summary["id"], summary["reason"]) == (record["id"], "Does it grow?")
    assert summary["repositories"][0]["commit"] == record["repositories"][0]["commit"]
    assert b"why       Does it grow?" in rtrace("info", "a.rpz", cwd=experiment).stdout
    (kept,) = read_history(history)
    assert {one["path"] for one in kept["bundles"]} == {str(experiment / "a.rpz"), str(experiment / "b.rpz")}
    assert kept["bundles"][0]["identity"] == told["identity"]


@pytest.mark.requires("git")
@pytest.mark.usefixtures("history")
def test_an_anonymous_record_leads_to_nobody(rtrace: Rtrace, experiment: Path) -> None:
    """No name, host, address, remote or commit is in it, nor the name that git's configuration has in a text."""
    with (experiment / "steps.py").open("a") as file:
        file.write("# by Ada Lovelace\n")
    home = experiment.parent / "quillfeather"
    home.mkdir()
    (home / ".gitconfig").write_text("[user]\nname = Ada Lovelace\nemail = ada@example.org\n")
    environ = {"HOME": str(home), "USER": "quillfeather", "LOGNAME": "quillfeather"}
    done = rtrace("trace", sys.executable, "simulate.py", cwd=experiment, env=environ)
    assert done.returncode == 0, done.stderr
    record = read(experiment)
    assert record["user"]["full_name"] == "Ada Lovelace"
    done = rtrace("pack", "--anonymous", "a.rpz", cwd=experiment, env=environ)
    assert done.returncode == 0, done.stderr
    with open_bundle(experiment / "a.rpz") as bundle:
        (document,) = bundle.read_records()
    text = document.decode()
    commit = record["repositories"][0]["commit"]
    assert commit
    for name in ("Lovelace", "ada@example", "quillfeather", "example.org", commit, *record["machine"]["addresses"]):
        assert name not in text
    hidden = json.loads(document)
    assert hidden["user"]["email"] is None
    assert hidden["repositories"][0]["remote"] is None
    assert hidden["outputs"] != []


@pytest.mark.usefixtures("history")
def test_combined_traces_keep_their_records(rtrace: Rtrace, tmp_path: Path) -> None:
    """Each record goes along under the name that its run has in the combined trace."""
    for name in ("one", "two"):
        assert rtrace("trace", "-d", name, "-m", name, "true").returncode == 0
    done = rtrace("combine", "-d", "all", "two", "one")
    assert done.returncode == 0, done.stderr
    records = [read(tmp_path, run, "all") for run in ("run1", "run2")]
    assert [(record["reason"], record["run_name"]) for record in records] == [("one", "run1"), ("two", "run2")]


def test_a_run_whose_tracer_was_killed_is_recorded_later(rtrace: Rtrace, tmp_path: Path, history: Path) -> None:
    """`rtrace import` takes the record that nobody could take, and says in it that it was late."""
    command = [sys.executable, "-m", "rtrace", "trace", "sh", "-c", "echo begun; sleep 600"]
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"begun\n"
        tracer.kill()
    assert read_history(history) == []
    done = rtrace("import", ".rtrace")
    assert done.returncode == 0, done.stderr
    assert b"imported 1 record\n" in done.stderr
    (record,) = read_history(history)
    assert (record["status"], record["exit_code"], record["finished"]) == ("crashed", None, None)
    assert record["arguments"] == command[-3:]
    assert "late" in {notice["kind"] for notice in record["notices"]}
    assert read(tmp_path) == record
    assert b"imported 0 records; 1 was there already" in rtrace("import", ".rtrace").stderr


def test_a_record_that_was_lost_is_taken_from_the_trace(rtrace: Rtrace, tmp_path: Path, history: Path) -> None:
    """Of a trace without records, as one of an earlier rtrace, the runs are recorded when it is imported."""
    assert rtrace("trace", "--no-history", "sh", "-c", "echo x > made").returncode == 0
    (tmp_path / ".rtrace/records/run1.json").unlink()
    assert rtrace("import", ".rtrace").returncode == 0
    (record,) = read_history(history)
    assert [file["path"] for file in record["outputs"]] == [str(tmp_path / "made")]
    assert record["status"] == "succeeded"


@pytest.mark.usefixtures("history")
def test_files_of_parameters_that_are_left_out_are_told(rtrace: Rtrace, tmp_path: Path) -> None:
    """A record takes parameters of so many files, and says when there were more; it takes those that it can."""
    for number in range(203):
        (tmp_path / f"{number:03}.json").write_text(f'{{"n": {number}}}')
    assert rtrace("trace", "sh", "-c", "cat *.json").returncode == 0
    record = read(tmp_path)
    assert 0 < sum(fact["source"] != "command line" for fact in record["parameters"]) <= 200
    (told,) = (one["what"] for one in record["notices"] if one["what"].startswith("not all parameters"))
    assert told.startswith(f"not all parameters of {tmp_path}/")
    assert told.endswith("are in the record")
