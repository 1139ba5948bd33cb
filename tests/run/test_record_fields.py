"""One run of a real, git-versioned experiment fills every field of a record that other tools have too."""

import hashlib
import importlib
import importlib.metadata
import json
import os
import platform
import pwd
import re
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import pytest

from record_fields import list_paths, look_up
from repositories import run_git
from rtrace import __version__
from rtrace.record.document import Record

pytestmark = pytest.mark.requires("git")

ANALYSIS = """\
import csv, sys, warnings
import yaml
import helper

__version__ = "0.4"
settings = yaml.safe_load(open(sys.argv[1]))
rows = list(csv.DictReader(open("data.csv")))
total = helper.weigh(rows, settings["model"]["weight"])
with open("result.csv", "w") as file:
    file.write(f"total\\n{total}\\n")
print("total", total)
warnings.warn("all rows count the same")
"""
HELPER = """\
def weigh(rows, weight):
    return weight * sum(float(row["x"]) for row in rows)
"""
CHANGE = "\n# not committed\n"
Run = Callable[..., "subprocess.CompletedProcess[bytes]"]


@dataclass(frozen=True)
class Experiment:
    """The folder of an experiment, when it was run, its record, and that of its repetition."""

    folder: Path
    before: datetime
    after: datetime
    record: Record
    repetition: Record


def run_rtrace(folder: Path, *words: str, env: Mapping[str, str]) -> str:
    """Run rtrace; it must succeed."""
    done = subprocess.run(
        [sys.executable, "-m", "rtrace", *words],
        cwd=folder, env=env, capture_output=True, check=False, stdin=subprocess.DEVNULL, timeout=300,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr.decode()
    return done.stdout.decode()


def read_records(history: Path) -> list[Record]:
    """Return the records in a history, the oldest first."""
    records: list[Record] = [json.loads(path.read_bytes()) for path in history.rglob("records/*/*.json")]
    return sorted(records, key=lambda record: record["id"])


@pytest.fixture(scope="module")
def experiment(tmp_path_factory: pytest.TempPathFactory) -> Experiment:
    """An experiment under version control, with a change that is not committed, traced, annotated and repeated."""
    folder = tmp_path_factory.mktemp("fields") / "growth"
    folder.mkdir()
    run_git(folder, "init", "-q", "-b", "main")
    for name, content in {
        "analysis.py": ANALYSIS, "helper.py": HELPER, "data.csv": "x\n1\n2\n",
        "params.yaml": "model: {weight: 0.5}\nseed: 7\n", ".gitignore": "result.csv\n__pycache__\n.rtrace*\n",
    }.items():  # fmt: skip
        (folder / name).write_text(content)
    run_git(folder, "add", ".")
    run_git(folder, "commit", "-q", "-m", "first")
    run_git(folder, "remote", "add", "origin", "https://ada:secret@example.org/growth.git")
    (folder / "helper.py").write_text(HELPER + CHANGE)
    history = folder.parent / "history"
    env = {
        **os.environ, "RTRACE_HISTORY": str(history), "HOME": str(folder.parent), "OWN_SETTING": "seven",
        "PYTHONDONTWRITEBYTECODE": "1",
    }  # fmt: skip
    (folder.parent / ".gitconfig").write_text("[user]\n\tname = Ada Lovelace\n\temail = ada@example.org\n")
    before = datetime.now(timezone.utc)
    run_rtrace(
        folder, "trace", "--label", "half", "-m", "is half enough?", "-t", "draft", "--project", "growth of everything",
        "--", sys.executable, "analysis.py", "params.yaml", "--mode=fast", env=env,
    )  # fmt: skip
    after = datetime.now(timezone.utc)
    run_rtrace(folder, "annotate", "half", "--outcome", "it is", "-t", "final", env=env)
    run_rtrace(folder, "repeat", "half", env=env)
    first, *others = read_records(history)
    return Experiment(folder, before, after, first, others[-1])


def hash_file(path: Path) -> str:
    """Return the SHA-256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def write_modified(path: Path) -> str:
    """Return when a file was written, as a record has it."""
    moment = datetime.fromtimestamp(path.stat().st_mtime_ns // 1000 / 1e6, timezone.utc)
    return moment.isoformat(timespec="microseconds").replace("+00:00", "Z")


def is_within(experiment: Experiment) -> Callable[[Any], bool]:
    """Return what tells whether a time is one of the experiment."""
    return lambda time: experiment.before <= datetime.fromisoformat(time.replace("Z", "+00:00")) <= experiment.after


def list_expected(experiment: Experiment) -> dict[str, object]:
    """Return for each path a value that has to be there, or what tells whether one is right."""
    folder, record = experiment.folder, experiment.record
    names, user = os.uname(), pwd.getpwuid(os.getuid()).pw_name
    started, finished = (
        datetime.fromisoformat(str(time).replace("Z", "+00:00")) for time in (record["started"], record["finished"])
    )
    yaml = importlib.import_module("yaml")
    return {
        "annotations[].at": lambda time: datetime.fromisoformat(time.replace("Z", "+00:00")) >= experiment.after,
        "annotations[].outcome": "it is",
        "arguments": [sys.executable, "analysis.py", "params.yaml", "--mode=fast"],
        "created_by": f"rtrace {__version__}",
        "environment{}": lambda environ: environ["OWN_SETTING"] == "seven",
        "executables[].name": os.path.basename(os.path.realpath(sys.executable)),
        "executables[].path": os.path.realpath(sys.executable),
        "executables[].version": lambda version: str(version).startswith(platform.python_version()),
        "exit_code": 0,
        "finished": is_within(experiment),
        "id": lambda identifier: re.fullmatch(
            r"[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}", identifier
        ),
        "inputs[].media_type": "text/csv",
        "inputs[].modified": write_modified(folder / "data.csv"),
        "inputs[].path": str(folder / "data.csv"),
        "inputs[].sha256": hash_file(folder / "data.csv"),
        "inputs[].size": 6,
        "label": "half",
        "launch": "serial",
        "libraries[].language": "Python",
        "libraries[].name": "yaml",
        "libraries[].path": os.path.dirname(str(yaml.__file__)),
        "libraries[].version": importlib.metadata.version("PyYAML"),
        "machine.addresses": lambda addresses: all(isinstance(address, str) for address in addresses),
        "machine.architecture": names.machine,
        "machine.bits": 64,
        "machine.hostname": names.nodename,
        "machine.libc": " ".join(platform.libc_ver()),
        "machine.linkage": "ELF",
        "machine.processor": lambda name: name and name in Path("/proc/cpuinfo").read_text("utf-8"),
        "machine.release": names.release,
        "machine.settings{}": lambda settings: (
            settings["SC_PAGE_SIZE"] == str(os.sysconf("SC_PAGE_SIZE")) and settings["CS_PATH"] == os.confstr("CS_PATH")
        ),
        "machine.system": names.sysname,
        "machine.version": names.version,
        "main": str(folder / "analysis.py"),
        "outcome": "it is",
        "outputs[].media_type": "text/csv",
        "outputs[].modified": is_within(experiment),
        "outputs[].path": str(folder / "result.csv"),
        "outputs[].sha256": hashlib.sha256(b"total\n1.5\n").hexdigest(),
        "outputs[].size": len("total\n1.5\n"),
        "packages[].origin": lambda origin: origin,
        "parameters[].name": "model.weight",
        "parameters[].type": "yaml",
        "parameters[].value": 0.5,
        "parent": experiment.record["id"],
        "processes[].pid": lambda pid: pid > 1,
        "project.name": "growth of everything",
        "reason": "is half enough?",
        "repositories[].commit": run_git(folder, "rev-parse", "HEAD"),
        "repositories[].diff": run_git(folder, "diff", "HEAD") + "\n",
        "repositories[].dirty": True,
        "repositories[].path": str(folder),
        "repositories[].remote": "https://example.org/growth.git",
        "repositories[].type": "git",
        "scripts[].main": True,
        "scripts[].path": str(folder / "helper.py"),
        "scripts[].repository": 0,
        "scripts[].sha256": hash_file(folder / "analysis.py"),
        "scripts[].text": HELPER + CHANGE,
        "started": is_within(experiment),
        "status": "succeeded",
        "stderr.text": lambda text: "analysis.py:12: UserWarning: all rows count the same" in text,
        "stdout.text": "total 1.5\n",
        "tags": ["draft", "final"],
        "usage.wall": lambda wall: abs(wall - (finished - started).total_seconds()) < 0.001,
        "user.email": "ada@example.org",
        "user.full_name": "Ada Lovelace",
        "user.name": user,
        "workingdir": str(folder),
    }


@pytest.mark.parametrize("path", list_paths())
def test_the_record_has_it(experiment: Experiment, path: str) -> None:
    """Each path that the page on fields names leads to the right value in the record of the one run."""
    expected = list_expected(experiment)[path]
    record = experiment.repetition if path == "parent" else experiment.record
    found = look_up(record, path)
    if callable(expected):
        assert any(expected(value) for value in found if value is not None), found
    else:
        assert expected in found


def test_nothing_else_is_expected(experiment: Experiment) -> None:
    """What this test knows how to check is what the page names."""
    assert sorted(list_expected(experiment)) == list_paths()


def test_no_password_is_in_it(experiment: Experiment) -> None:
    """The password in the address of the repository is nowhere in the record."""
    assert "secret@" not in json.dumps(experiment.record)
