"""Scripts and notebooks that use `import rtrace`: real runs, with what they hand over and get back."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]
NOTEBOOK = CHECKOUT / ".bench/notebook/bin"
Command = Callable[..., "subprocess.CompletedProcess[bytes]"]
Python = Callable[[str], str]


@pytest.fixture
def python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Python:
    """Run a script in an empty folder with a history of its own; return what it prints."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))

    def run(program: str) -> str:
        (tmp_path / "script.py").write_text(textwrap.dedent(program))
        done = subprocess.run(
            [sys.executable, "script.py"], cwd=tmp_path, check=False, capture_output=True, text=True, timeout=240
        )
        assert done.returncode == 0, done.stderr
        return done.stdout

    return run


def read_records(folder: Path) -> list[dict[str, Any]]:
    """Return the records of a history, the oldest first."""
    documents = [json.loads(path.read_bytes()) for path in (folder / "history/records").rglob("*.json")]
    return sorted(documents, key=lambda record: str(record["id"]))


FIT = """\
    import rtrace

    SCALE = 2

    class Model:
        def __init__(self, value):
            self.value = value

    @rtrace.capture(label="fit", reason="try it", tags=["demo", "two"], project="study")
    def fit(path, *, factor):
        print("fitting")
        with open(path) as file, open("out.txt", "w") as out:
            number = int(file.read())
            out.write(str(number))
        return Model(number * factor * SCALE)

    if __name__ == "__main__":
        with open("in.txt", "w") as file:
            file.write("3")
        model = fit("in.txt", factor=7)
        assert type(model) is Model
        print(model.value, fit.last.status, fit.last.label)
"""


def test_a_function_of_a_script_is_captured(python: Python, tmp_path: Path) -> None:
    """Arguments, globals and classes go there and come back; what it prints and writes is in the record."""
    assert python(FIT) == "fitting\n42 succeeded fit\n"
    (record,) = read_records(tmp_path)
    assert (record["label"], record["reason"], record["tags"]) == ("fit", "try it", ["demo", "two"])
    assert record["project"]["name"] == "study"
    outputs = [os.path.basename(file["path"]) for file in record["outputs"]]
    assert outputs == ["out.txt", "result.pickle"]
    read = {os.path.basename(file["path"]) for file in [*record["inputs"], *record["scripts"]]}
    assert {"in.txt", "script.py", "call.pickle"} <= read
    assert record["stdout"]["text"] == "fitting\n"


@pytest.mark.requires("user-namespaces")
def test_a_captured_call_can_be_verified(python: Python, tmp_path: Path, rtrace: Command) -> None:
    """The bundle of a call replays it: the function gives the same result where nothing else of the script runs."""
    python(f'{FIT}        fit.last.pack("fit.rpz")\n')
    done = rtrace("verify", "--json", "fit.rpz", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert b"result.pickle" in done.stdout


def test_exceptions_come_back(python: Python, tmp_path: Path) -> None:
    """The exception is raised where the function was called, with the child's traceback; the run failed."""
    printed = python(
        """
        import rtrace

        class OwnError(Exception):
            pass

        @rtrace.capture
        def fail():
            raise OwnError("no")

        try:
            fail()
        except OwnError as error:
            print(error, "in fail" in str(error.__cause__), fail.last.status)
        """
    )
    assert printed == "no True failed\n"
    (record,) = read_records(tmp_path)
    assert record["stderr"]["text"] == "OwnError: no\n"


def test_a_killed_child_is_told(python: Python) -> None:
    """A function whose process is killed gives no result: a CaptureError says where its trace is."""
    printed = python(
        """
        import os, signal
        import rtrace

        @rtrace.capture
        def die():
            os.kill(os.getpid(), signal.SIGKILL)

        try:
            die()
        except rtrace.CaptureError as error:
            print("ended without a result" in str(error), die.last.status)
        """
    )
    assert printed == "True killed\n"


def test_functions_of_modules_and_methods(python: Python, tmp_path: Path) -> None:
    """A function of a module is imported in the child, needs no cloudpickle, and calls another one within its run."""
    (tmp_path / "tools.py").write_text(
        textwrap.dedent(
            """
            import rtrace

            @rtrace.capture
            def add(one, other):
                return one + other

            class Counter:
                def __init__(self, start):
                    self.start = start

                @rtrace.capture
                def count(self, steps):
                    return add(self.start, steps)
            """
        )
    )
    program = 'import sys\nsys.modules["cloudpickle"] = None\nimport tools\nprint(tools.Counter(40).count(2))'
    assert python(program) == "42\n"
    assert len(read_records(tmp_path)) == 1


def test_within_a_traced_run_nothing_is_traced_again(tmp_path: Path, python: Python, rtrace: Command) -> None:
    """A script that is traced as a whole calls its captured functions as they are: one run, one record."""
    python("")
    (tmp_path / "script.py").write_text(textwrap.dedent(FIT).replace(", fit.last.status, fit.last.label", ""))
    done = rtrace("trace", "-q", sys.executable, "script.py", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, b"fitting\n42\n"), done.stderr
    assert not (tmp_path / "rtrace-calls").exists()
    assert len(read_records(tmp_path)) == 1


def test_commands_are_traced(python: Python) -> None:
    """`rtrace.trace` gives a run however the command ended; a second one is added to the same trace directory."""
    printed = python(
        """
        import rtrace
        from datetime import datetime, timedelta

        first = rtrace.trace(["sh", "-c", "echo a > a.txt; exit 3"], label="first", tags=["x"])
        second = rtrace.trace(["sh", "-c", "kill -9 $$"], history=False)
        print(first.exit_code, first.status, second.exit_code, second.status, second.record["run_name"])
        print([run.label for run in rtrace.runs()], [run.id for run in rtrace.runs(tag="x")] == [first.id])
        print(len(rtrace.runs(file="a.txt")), len(rtrace.runs(since=datetime.now() + timedelta(hours=1))))
        bundle = first.pack("both.rpz", "--allow-missing")
        with rtrace.open_bundle(bundle) as opened:
            print([run.id for run in opened.manifest.runs])
        try:
            rtrace.trace(["./nowhere"])
        except rtrace.RtraceError as error:
            print(type(error).__name__, error)
        """
    )
    assert printed.splitlines() == [
        "3 failed None killed run2",
        "['first'] True",
        "1 0",
        "['run1', 'run2']",
        "CaptureError ./nowhere was not traced (exit status 127); standard error has the reason",
    ]


def test_an_interrupt_ends_the_run_and_keeps_its_trace(python: Python, tmp_path: Path) -> None:
    """Ctrl-C in a script ends the captured function too; its trace is kept, and the script sees KeyboardInterrupt."""
    python("")
    program = """
    import os, sys
    import rtrace

    @rtrace.capture
    def wait():
        print("ready", flush=True)
        while True:
            os.read(0, 1)
            import time; time.sleep(1)

    try:
        wait()
    except KeyboardInterrupt:
        print("interrupted")
    """
    (tmp_path / "script.py").write_text(textwrap.dedent(program))
    with subprocess.Popen([sys.executable, "script.py"], cwd=tmp_path, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.SIGINT)
        assert child.stdout.read() == "interrupted\n"
        assert child.wait(timeout=60) == 0
    (folder,) = (tmp_path / "rtrace-calls").iterdir()
    assert (folder / "trace/trace.sqlite3").exists()


TRACED_CELL = """\
%%rtrace --label cell -m 'a reason' -t nb --in base --out more
class More(type(base)):
    pass
more = More(base.value + 2)
print('in the cell')
with open('cell.txt', 'w') as out: out.write('x')
"""
CELLS = (
    "%load_ext rtrace.notebook\nimport rtrace",
    "class Base:\n    def __init__(self, value): self.value = value\nbase = Base(40)",
    TRACED_CELL,
    "print(more.value, isinstance(more, Base), rtrace.runs(tag='nb')[0].label)",
    "@rtrace.capture(label='function')\ndef give(number):\n    print('in the function')\n    return Base(number)",
    "result = give(7)\nprint(type(result) is Base, result.value, give.last.label)",
)


def write_notebook(path: Path, *cells: str) -> None:
    """Write a notebook of code cells."""
    one: dict[str, object] = {"cell_type": "code", "execution_count": None, "metadata": {}, "outputs": []}
    kernel = {"name": "python3", "display_name": "Python 3", "language": "python"}
    content = [{**one, "id": f"cell{number}", "source": cell} for number, cell in enumerate(cells)]
    notebook = {"cells": content, "metadata": {"kernelspec": kernel}, "nbformat": 4, "nbformat_minor": 5}
    path.write_text(json.dumps(notebook))


def read_outputs(path: Path) -> list[str]:
    """Return what the cells of a notebook printed."""
    return [
        "".join("".join(output["text"]) for output in cell["outputs"] if output["output_type"] == "stream")
        for cell in json.loads(path.read_text())["cells"]
    ]


@pytest.mark.requires("notebook")
def test_the_magic_and_the_decorator_in_a_notebook(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In a real kernel: a cell and a function run traced, with classes of the notebook, and print into the cell."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    write_notebook(tmp_path / "a.ipynb", *CELLS)
    argv = [str(NOTEBOOK / "jupyter-nbconvert"), "--to", "notebook", "--execute", "--output", "b.ipynb", "a.ipynb"]
    done = subprocess.run(argv, cwd=tmp_path, check=False, capture_output=True, text=True, timeout=300)
    assert done.returncode == 0, done.stderr
    printed = read_outputs(tmp_path / "b.ipynb")
    assert printed[2:4] == ["in the cell\n", "42 True cell\n"]
    assert printed[5] == "in the function\nTrue 7 function\n"
    cell, function = read_records(tmp_path)
    assert (cell["label"], cell["reason"], cell["tags"]) == ("cell", "a reason", ["nb"])
    assert "cell.txt" in {os.path.basename(file["path"]) for file in cell["outputs"]}
    assert [os.path.basename(script["path"]) for script in cell["scripts"]] == ["cell.py"]
    assert function["label"] == "function"


@pytest.mark.requires("notebook", "user-namespaces")
def test_a_notebook_is_traced_as_a_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, rtrace: Command) -> None:
    """`rtrace trace jupyter nbconvert --execute` sees the kernel's files, and the notebook verifies to the byte."""
    monkeypatch.setenv("RTRACE_HISTORY", str(tmp_path / "history"))
    monkeypatch.setenv("PATH", f"{NOTEBOOK}:{os.environ['PATH']}")
    (tmp_path / "in.txt").write_text("words")
    write_notebook(tmp_path / "a.ipynb", "text = open('in.txt').read()\nprint(text)\nopen('out.txt', 'w').write(text)")
    recipe = "jupyter nbconvert --execute --to notebook --ExecutePreprocessor.record_timing=False --output done a.ipynb"
    done = rtrace("trace", "-q", *recipe.split(), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert read_outputs(tmp_path / "done.ipynb") == ["words\n"]
    (record,) = read_records(tmp_path)
    assert {"out.txt", "done.ipynb"} <= {os.path.basename(file["path"]) for file in record["outputs"]}
    assert {"in.txt", "a.ipynb"} <= {os.path.basename(file["path"]) for file in [*record["inputs"], *record["scripts"]]}
    assert rtrace("pack", "-q", cwd=tmp_path).returncode == 0
    verified = rtrace("verify", "bundle.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
