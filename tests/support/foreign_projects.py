"""Projects of Sumatra, recipy and noWorkflow, made by those tools themselves."""

import json
import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from requirements import CHECKOUT

MAIN = """\
import sys
import ours
import yaml
from pathlib import Path

text = Path(sys.argv[1]).read_text()
print("got", len(text), flush=True)
print("careful", file=sys.stderr)
Path("Data").mkdir(exist_ok=True)
Path("Data/out.txt").write_text(text.upper() + ours.NAME)
Path(f"Data/{len(text)}.txt").write_text(text)
if "fail" in text:
    sys.exit(3)
"""
FILES = {
    "main.py": MAIN,
    "ours/__init__.py": 'NAME = "ours"\n__version__ = "1.2"\n',
    "default.param": 'a = 1\nb = "two"\nc = 3.5\n',
    "p.yaml": "n: 3\nnested: {x: [1, 2], y: true}\n",
    "p.json": '{"n": 3, "deep": {"q": null}}\n',
    "p.cfg": "[part]\nn = 3\nname = été\n",
    "in.txt": "data",
    "failing.txt": "fail",
    ".gitignore": "Data\n.smt\n__pycache__\n",
}


@dataclass(frozen=True)
class Tool:
    """The programs of a tool, each in an environment of its own, and a home for what it keeps there."""

    name: str
    home: Path

    def run(self, *argv: str | Path, cwd: Path, status: int | None = 0) -> str:
        """Run a program and return what it said on standard output."""
        self.home.mkdir(exist_ok=True)
        tools = self.home / "tools"  # Sumatra gives names of programs to a shell: a checkout's blank is in the way
        if not tools.is_symlink():
            tools.symlink_to(CHECKOUT / ".bench" / self.name)
        kept = {name: os.environ[name] for name in ("LANG", "TZ") if name in os.environ}
        environ = {**kept, "HOME": str(self.home), "PATH": f"{tools}/bin:/usr/bin:/bin", "PYTHONIOENCODING": "utf-8"}
        done = subprocess.run(argv, cwd=cwd, env=environ, capture_output=True, text=True, check=False, timeout=120)
        assert status is None or done.returncode == status, (argv, done.stdout, done.stderr)
        return done.stdout


def make_repository(tool: Tool, folder: Path, files: dict[str, str]) -> None:
    """Make a git repository of some files."""
    folder.mkdir(parents=True)
    tool.home.mkdir(exist_ok=True)
    for name, text in files.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    tool.run("git", "config", "--global", "user.name", "Ada Lovelace", cwd=folder)
    tool.run("git", "config", "--global", "user.email", "ada@example.org", cwd=folder)
    for words in (["init", "-q"], ["add", "."], ["commit", "-qm", "first"]):
        tool.run("git", *words, cwd=folder)


def make_sumatra(tool: Tool, folder: Path) -> list[dict[str, Any]]:
    """Make a project with `smt`: runs of every kind, told about afterwards; return what `smt export` says of it."""
    make_repository(tool, folder, FILES)

    def smt(*words: str, status: int | None = 0) -> None:
        tool.run("smt", *words, cwd=folder, status=status)

    smt("init", "-d", "Data", "-i", ".", "Project-of-ours")
    smt("configure", "-e", "python", "-m", "main.py", "-c", "store-diff")
    smt("run", "-r", "to see what a does", "-l", "one", "-t", "blue", "default.param", "a=2")
    smt("run", "-l", "two", "p.yaml", "n=4")
    smt("run", "-l", "three", "p.json")
    smt("run", "-l", "four", "p.cfg")
    smt("run", "-l", "bad", "failing.txt", status=None)
    (folder / "ours/__init__.py").write_text('NAME = "changed"\n')
    smt("run", "-l", "dirty", "in.txt")
    tool.run("git", "checkout", "-q", "ours/__init__.py", cwd=folder)
    smt("comment", "one", "it worked")
    smt("comment", "two", "a line")
    smt("comment", "two", "and another üñí")
    smt("tag", "green", "one", "two")
    smt("repeat", "one")
    smt("export")
    exported: list[dict[str, Any]] = json.loads((folder / ".smt/records_export.json").read_text())
    return exported


RECIPY_SCRIPT = """\
import recipy
import numpy

data = numpy.loadtxt("in.txt")
numpy.savetxt("out.txt", data * 2)
"""


def make_recipy(tool: Tool, folder: Path) -> list[dict[str, Any]]:
    """Run scripts under recipy; return its runs as `recipy search --json` says them."""
    files = {
        "good.py": RECIPY_SCRIPT,
        "bad.py": f"{RECIPY_SCRIPT}raise ValueError('no, n\u00e9ver')\n",
        "in.txt": "1 2 3\n",
    }
    make_repository(tool, folder, files)
    tool.run("git", "remote", "add", "origin", "https://ada:hunter2secret@example.org/ours.git", cwd=folder)
    (folder / "good.py").write_text(f"{RECIPY_SCRIPT}# changed\n")
    tool.run("python", "good.py", "x", "--y=3", cwd=folder)
    tool.run("python", "bad.py", cwd=folder, status=1)
    return [
        json.loads(tool.run("recipy", "search", "--json", "--id", identifier, cwd=folder))[0]
        for identifier in _list_runs(tool.home / ".recipy/recipyDB.json")
    ]


def _list_runs(log: Path) -> Iterator[str]:
    for run in json.loads(log.read_text())["_default"].values():
        yield run["unique_id"]


NOWORKFLOW_SCRIPT = """\
import sys, helping
with open("in.txt") as file:
    text = file.read()
def double(number, factor=2):
    return number * factor
result = double(int(text))
with open("out.txt", "w") as file:
    file.write(str(result))
with open("log.txt", "a") as file:
    file.write("x")
if len(sys.argv) > 2:
    raise ValueError("no")
"""


def make_noworkflow(tool: Tool, folder: Path) -> str:
    """Run a script under noWorkflow, once well and once not; return what `now show` says of the first trial."""
    tool.home.mkdir()
    folder.mkdir(parents=True)
    (folder / "study.py").write_text(NOWORKFLOW_SCRIPT)
    (folder / "helping.py").write_text('VALUE = 1\n__version__ = "3"\n')
    (folder / "in.txt").write_text("21")
    tool.run("now", "run", "--message", "to see", "study.py", "5", cwd=folder)
    tool.run("now", "run", "study.py", "5", "6", cwd=folder, status=None)
    return tool.run("now", "show", "-m", "-d", "-e", "-f", "1", cwd=folder)
