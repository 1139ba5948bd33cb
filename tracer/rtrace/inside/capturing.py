"""``@rtrace.capture``: a function whose calls are traced runs."""

from __future__ import annotations

import functools
import inspect
import os
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, Generic, ParamSpec, TypeVar, overload

from rtrace.inside import runner
from rtrace.inside.calls import FOLDER, find_reference, make_folder, read_result, write_call
from rtrace.inside.run import Run
from rtrace.inside.tracing import CAPTURED, Said, trace_words

P = ParamSpec("P")
R = TypeVar("R")


class Captured(Generic[P, R]):
    """A function, each call of which runs in a traced child; ``last`` is the run of the last call here."""

    last: Run | None = None

    def __init__(self, function: Callable[P, R], said: Said, base: Path) -> None:
        """Know the function, what is said of its runs, and where their folders are made."""
        if inspect.iscoroutinefunction(function) or inspect.isgeneratorfunction(function):
            raise TypeError(f"{function.__qualname__} gives no result at once; capture a function that does")
        functools.update_wrapper(self, function)
        self._function = function
        self._said = said
        self._base = base

    def __call__(self, *arguments: P.args, **keywords: P.kwargs) -> R:
        """Call the function in a traced child; return what it returns, raise what it raises."""
        function = self._function
        if is_traced():  # the run around this one sees all that the function does
            return function(*arguments, **keywords)
        folder = make_folder(self._base, function.__name__)
        write_call(folder, function, arguments, keywords)
        command = [sys.executable, runner.__file__, os.fspath(folder)]
        self.last = trace_words([os.fsencode(word) for word in command], folder / "trace", self._said)
        result: R = read_result(folder, function.__qualname__)
        return result

    def __get__(self, instance: object, owner: type | None = None) -> Any:  # noqa: ANN401 -- as functions do
        """Bind a method to its object, which is handed to the child as the first argument."""
        function: Callable[..., R] = self
        return self if instance is None else functools.partial(function, instance)

    def __reduce__(self) -> str | tuple[Callable[..., object], tuple[object, ...]]:
        """Return how it is found or made again in the child, where it just calls the function."""
        if find_reference(self._function) is not None:
            return self._function.__qualname__
        return Captured, (self._function, self._said, self._base)


@overload
def capture(function: Callable[P, R], /) -> Captured[P, R]: ...


@overload
def capture(
    *,
    label: str | None = None,
    reason: str | None = None,
    tags: Iterable[str] = (),
    project: str | None = None,
    directory: str | os.PathLike[str] = FOLDER,
    history: bool = True,
) -> Callable[[Callable[P, R]], Captured[P, R]]: ...


def capture(
    function: Callable[..., Any] | None = None,
    /,
    *,
    label: str | None = None,
    reason: str | None = None,
    tags: Iterable[str] = (),
    project: str | None = None,
    directory: str | os.PathLike[str] = FOLDER,
    history: bool = True,
) -> Any:
    """Make each call of a function a traced run of its own: it runs in a child, and its result comes back.

    Arguments and result are pickled. A folder for each call in ``directory`` keeps them and the trace, which
    `rtrace pack -d FOLDER/trace` makes a bundle of. In a process that is traced already, the function is just called.
    """
    said = Said(label, reason, tuple(tags), project, history)

    def decorate(one: Callable[..., Any]) -> Captured[..., Any]:
        return Captured(one, said, Path(directory))

    return decorate if function is None else decorate(function)


def is_traced() -> bool:
    """Whether rtrace traces this process already; a debugger is somebody else. See TracerPid in proc(5).

    In a replay of such a process nobody does, and it is told by its environment.
    """
    if os.environ.get(CAPTURED):
        return True
    try:
        status = Path("/proc/self/status").read_text("ascii", "replace")
        tracer = status.partition("TracerPid:")[2].split(maxsplit=1)[0]
        return tracer != "0" and b"rtrace" in Path(f"/proc/{tracer}/cmdline").read_bytes()
    except (OSError, IndexError):
        return False
