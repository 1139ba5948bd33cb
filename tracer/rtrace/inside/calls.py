"""The folder of a call: the function and its arguments on their way to the traced child, and what comes back.

Pickles are read here that this very program had written by its own child, in a folder that is the user's alone.
"""

from __future__ import annotations

import inspect
import os
import pickle
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

from rtrace.errors import CaptureError
from rtrace.inside import runner

FOLDER = "rtrace-calls"
SOURCE, CELL = "function.py", "cell.py"


class TracebackOfChildError(Exception):
    """What an exception says of itself in the child: the cause of the same one here."""

    def __str__(self) -> str:
        return f"\n{self.args[0]}"


def make_folder(base: Path, name: str) -> Path:
    """Make a folder for a call, named after the function and the time. Raises CaptureError."""
    safe = "".join(char if char.isalnum() or char in "._-" else "-" for char in name).lstrip(".")[:60]
    try:
        base.mkdir(parents=True, exist_ok=True)
        return Path(tempfile.mkdtemp(prefix=f"{safe}-{time.strftime('%Y%m%d-%H%M%S')}-", dir=base)).absolute()
    except OSError as error:
        raise CaptureError(f"cannot make a folder in {base}: {error.strerror}; name another with directory=") from None


def write_call(
    folder: Path, function: Callable[..., object], arguments: Sequence[object], keywords: Mapping[str, object]
) -> None:
    """Write what is to be called. Raises CaptureError for what cannot be handed over."""
    reference = find_reference(function)
    sources: list[str] = []
    dumps: Callable[[Any], bytes] = pickle.dumps
    if reference is None:
        dumps = load_cloudpickle(function.__qualname__)
        sources = write_source(folder, function)
    call = {"function": reference or function, "arguments": tuple(arguments), "keywords": dict(keywords)}
    _write(folder, call, sources, dumps, f"{function.__qualname__} and its arguments")


def write_cell(folder: Path, text: str, values: Mapping[str, object], wanted: Sequence[str]) -> None:
    """Write a cell that is to be run with some variables. Raises CaptureError for what cannot be handed over."""
    source = folder / CELL
    source.write_text(text, encoding="utf-8", errors="surrogateescape")
    call = {"function": "cell", "arguments": (os.fspath(source), dict(values), tuple(wanted)), "keywords": {}}
    dumps = load_cloudpickle("a variable or class of the notebook") if values or wanted else pickle.dumps
    _write(folder, call, [], dumps, ", ".join(values))


def _write(
    folder: Path, call: Mapping[str, object], sources: Sequence[str], dumps: Callable[[Any], bytes], what: str
) -> None:
    head = {
        "path": [os.path.abspath(path) for path in sys.path],
        "sources": sources,
        "by_value": dumps is not pickle.dumps,
    }
    try:
        data = dumps(call)
    except Exception as error:  # noqa: BLE001 -- a class may raise anything when it is pickled
        raise CaptureError(f"cannot hand {what} to another process: {error}; give it plain data") from None
    with (folder / runner.CALL).open("xb") as file:
        pickle.dump(head, file)
        file.write(data)


def read_result(folder: Path, name: str) -> Any:  # noqa: ANN401 -- whatever the function returned
    """Return what the function returned; raise what it raised, and CaptureError when the child left nothing."""
    try:
        with (folder / runner.RESULT).open("rb") as file:
            answer = pickle.load(file)  # noqa: S301 -- see above
    except (OSError, EOFError, pickle.UnpicklingError):
        raise CaptureError(
            f"{name} ended without a result; standard error has the reason, and {folder / 'trace'} its trace"
        ) from None
    cause = TracebackOfChildError(answer["traceback"])
    if answer["succeeded"]:
        return pickle.loads(answer["value"])  # noqa: S301
    if answer["value"] is None:
        raise CaptureError(f"{name} raised an exception that cannot be handed over: see the cause") from cause
    error: BaseException = pickle.loads(answer["value"])  # noqa: S301
    raise error from cause


def find_reference(function: Callable[..., object]) -> tuple[str, str] | None:
    """Return the module and name by which another process finds a decorated function; None where it cannot."""
    module, name = function.__module__, function.__qualname__
    if module == "__main__" or "<" in name:
        return None
    found: object = sys.modules.get(module)
    for part in name.split("."):
        found = getattr(found, part, None)
    return (module, name) if getattr(found, "__wrapped__", None) is function else None


def load_cloudpickle(what: str) -> Callable[[Any], bytes]:
    """Return what pickles functions by their code. Raises CaptureError where it is not installed."""
    try:
        dumps: Callable[[Any], bytes] = import_module("cloudpickle").dumps
    except ImportError:
        raise CaptureError(
            f"handing over what a script or notebook defines ({what}) needs cloudpickle; "
            "install `rtrace-repro[python]`, or move it into a module"
        ) from None
    return dumps


def write_source(folder: Path, function: Callable[..., object]) -> list[str]:
    """Write the text of a function beside its pickle, for people; return the files that its text is in."""
    sources = []
    file = inspect.getsourcefile(function)
    if file is not None and os.path.isfile(file):
        sources.append(os.path.abspath(file))
    try:
        text = inspect.getsource(function)
    except (OSError, TypeError):  # of what was typed at a prompt nobody has the text
        return sources
    (folder / SOURCE).write_text(text, encoding="utf-8", errors="surrogateescape")
    return [*sources, os.fspath(folder / SOURCE)]
