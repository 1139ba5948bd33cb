"""What `import rtrace` gives to programs in Python, as far as that needs no tracing."""

from __future__ import annotations

import pickle
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import rtrace
from layers import ROOTS
from rtrace.errors import CaptureError, UsageError
from rtrace.inside import calls, runner
from rtrace.inside.calls import find_reference, make_folder, read_result, write_call
from rtrace.inside.capturing import Captured
from rtrace.inside.cell import make_parser, split_names, take_values
from rtrace.inside.child import is_own


@rtrace.capture
def double(number: int) -> int:
    """Return twice the number."""
    return 2 * number


def run_python(program: str) -> str:
    """Return what a fresh Python prints that finds this checkout."""
    found = f"import sys; sys.path[:0] = {[str(root) for root in ROOTS]!r}\n{program}"
    done = subprocess.run([sys.executable, "-c", found], check=True, capture_output=True, text=True)
    return done.stdout


def test_importing_rtrace_is_free() -> None:
    """`import rtrace` loads one module; the public API comes when it is used."""
    program = "before = set(sys.modules); import rtrace; print(sorted(set(sys.modules) - before - {'typing'}))"
    loaded = run_python(f"import typing\n{program}")
    assert loaded == "['rtrace']\n"


@pytest.mark.parametrize("first", ["", "import rtrace.capture.session", "import rtrace.trace.directory"])
def test_folders_are_functions(first: str) -> None:
    """`rtrace.trace` and `rtrace.capture` can be called, whether or not somebody imported from the folders before."""
    program = f"{first}\nimport rtrace\nprint(callable(rtrace.trace), callable(rtrace.capture), rtrace.runs.__name__)"
    assert run_python(program) == "True True runs\n"


def test_all_public_names_are_there() -> None:
    """Each name of `__all__` can be had, and `dir` shows them; another name is an error as usual."""
    assert all(getattr(rtrace, name) is not None for name in rtrace.__all__)
    assert dir(rtrace) == sorted(rtrace.__all__)
    with pytest.raises(AttributeError, match="has no attribute 'nothing'"):
        _ = rtrace.nothing


def test_a_captured_function_is_still_itself() -> None:
    """Name, docstring and module are those of the function, and it has had no run yet."""
    assert isinstance(double, Captured)
    names = double.__dict__
    assert (names["__name__"], double.__doc__, double.last) == ("double", "Return twice the number.", None)


def test_what_is_traced_already_is_just_called(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Where the environment says that a run goes on, no second tracer is started, and no folder is made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RTRACE_CAPTURED", "1")
    assert double(21) == 42
    assert list(tmp_path.iterdir()) == []


def test_functions_without_a_result_are_refused() -> None:
    """A generator cannot come back from another process, which is said where it is decorated."""

    def count() -> Iterator[int]:
        yield 1

    with pytest.raises(TypeError, match="gives no result at once"):
        rtrace.capture(count)


def test_functions_of_modules_go_by_name() -> None:
    """The child imports the module and takes the function below its decorator; others go with their code."""
    function = double._function
    assert find_reference(function) == (__name__, "double") or __name__ not in sys.modules
    assert find_reference(lambda: 1) is None


def test_a_call_is_written_and_run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the child would do with the folder of a call: the result is there, and the source beside it."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = make_folder(tmp_path / "calls", "a/b c")
    assert folder.name.startswith("a-b-c-")
    assert folder.stat().st_mode & 0o777 == 0o700
    offset = 40

    def add(number: int, *, more: int) -> int:
        return number + more + offset

    write_call(folder, add, (1,), {"more": 1})
    assert runner.main(str(folder)) == 0
    assert read_result(folder, "add") == 42
    assert "number + more + offset" in (folder / calls.SOURCE).read_text()


def test_what_is_raised_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The exception is of the same class, and its cause has the traceback of the child."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = make_folder(tmp_path, "fail")

    def fail() -> None:
        raise KeyError("gone")

    write_call(folder, fail, (), {})
    assert runner.main(str(folder)) == 1
    with pytest.raises(KeyError, match="gone") as caught:
        read_result(folder, "fail")
    assert "in fail\nKeyError: 'gone'" in str(caught.value.__cause__)


def test_an_exception_that_cannot_be_handed_over_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What cannot be pickled becomes a CaptureError whose cause has the traceback."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    folder = make_folder(tmp_path, "fail")

    def fail() -> None:
        raise ValueError(sys._getframe())

    write_call(folder, fail, (), {})
    assert runner.main(str(folder)) == 1
    with pytest.raises(CaptureError, match="cannot be handed over: see the cause") as caught:
        read_result(folder, "fail")
    assert "ValueError" in str(caught.value.__cause__)


def test_what_cannot_be_handed_over_is_told(tmp_path: Path) -> None:
    """An argument that no pickle can hold is named with its function."""
    with pytest.raises(CaptureError, match=r"cannot hand .* and its arguments to another process"):
        write_call(tmp_path, lambda one: one, (sys._getframe(),), {})


@pytest.mark.parametrize("left", [None, b"", b"\x80\x05"])
def test_a_child_that_left_no_result_is_told(tmp_path: Path, left: bytes | None) -> None:
    """A child that was killed, before or while it wrote, leaves a trace: the sentence says where."""
    if left is not None:
        (tmp_path / runner.RESULT).write_bytes(left)
    with pytest.raises(CaptureError, match="ended without a result"):
        read_result(tmp_path, "function")


def test_without_cloudpickle_a_sentence_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A function of a script needs cloudpickle: how to get it, and how to do without."""
    monkeypatch.setitem(sys.modules, "cloudpickle", None)
    with pytest.raises(CaptureError, match=r"install `rtrace-repro\[python\]`, or move it into a module"):
        write_call(tmp_path, lambda: 1, (), {})


def test_the_line_of_a_cell_is_read() -> None:
    """The options of the magic are those of `rtrace trace`, and what goes in and comes out."""
    options = make_parser().parse_args(["--label", "fit", "-m", "why", "-t", "a", "-t", "b", "--in", "x, y", "--out=z"])
    assert (options.label, options.reason, options.tags) == ("fit", "why", ["a", "b"])
    assert (options.taken, options.given) == (("x", "y"), ("z",))


@pytest.mark.parametrize("line", [["--nothing"], ["--in", "a.b"], ["word"]])
def test_a_wrong_line_is_an_error(line: list[str]) -> None:
    """A mistake in the line is a UsageError, and does not end the notebook."""
    with pytest.raises(UsageError, match="%%rtrace: "):
        make_parser().parse_args(line)


def test_a_variable_that_is_missing_is_named() -> None:
    """A name after --in that the notebook does not have is told before anything runs."""
    assert split_names("a,b,") == ("a", "b")
    assert take_values({"a": 1, "b": 2}, ["a"]) == {"a": 1}
    with pytest.raises(CaptureError, match="--in c: the notebook has no variable"):
        take_values({"a": 1}, ["c"])


def test_what_a_cell_runs_comes_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A cell has the variables that were handed over and no others, and gives back those that are wanted."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    monkeypatch.setitem(sys.modules, "__main__", sys.modules["__main__"])
    calls.write_cell(tmp_path, "c = a + 1\nd = __name__\ne = 'b' in globals()\n", {"a": 1}, ("c", "d", "e"))
    assert runner.main(str(tmp_path)) == 0
    assert read_result(tmp_path, "the cell") == {"c": 2, "d": "__main__", "e": False}


def test_a_stream_of_a_notebook_is_not_inherited(capsys: pytest.CaptureFixture[str]) -> None:
    """What a child prints is passed on where standard output is no file of this process, as in a notebook."""
    assert not is_own(sys.stdout, 1)
    assert is_own(None, 1)
    assert capsys.readouterr().out == ""


def test_the_runner_needs_no_rtrace() -> None:
    """The child's program imports the standard library alone, so that a trace holds no tracer."""
    program = f"import runpy; runpy.run_path({runner.__file__!r}); print([m for m in sys.modules if 'rtrace' in m])"
    assert run_python(program) == "[]\n"


def test_captured_functions_can_be_handed_over() -> None:
    """A captured function among the arguments or variables of a call is pickled by its name."""
    if __name__ in sys.modules:
        assert pickle.loads(pickle.dumps(double)) is double  # noqa: S301
