"""Comparing contents in a process of its own, with limits: what a replay wrote may be made to break whoever reads it.

The process reads lines of JSON: first the module search path, then what to compare; it answers each with a line. One
that takes too long is ended, and another one begins with the next content.
"""

from __future__ import annotations

import json
import re
import select
import subprocess
import sys
from contextlib import ExitStack, suppress
from time import monotonic
from typing import IO, TYPE_CHECKING, Any

from rtrace.debugging import debug
from rtrace.verify.exhibits.model import Exhibit, read_exhibit, write_exhibit
from rtrace.verify.kinds.model import Judgement, Rule

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path
    from types import TracebackType

MEMORY = 4 << 30
"""Bytes of memory that may be mapped: libraries map far more than they use."""
SECONDS = 120.0
"""Wall time that one comparison may take, and processor time, too."""
PATIENCE = 600.0
"""Seconds that all comparisons together may take which come to no end: afterwards each of them has a few."""
_LEAST = 5.0
SHOWN_SECONDS = 20.0
"""Wall time that drawing what is shown of a difference may take."""
_LONGEST_ANSWER = 4 << 20
_ENDED = ": the process that did so was ended, perhaps for want of memory or time"
_START = (
    "import json, sys; lines = sys.stdin.buffer; sys.path[:] = json.loads(lines.readline());"
    " from rtrace.verify.judging.apart import serve; serve(lines, open(1, 'wb', 0))"
)


class Apart:
    """Compares files in another process, which begins with the first one."""

    def __init__(self, seconds: float = SECONDS, memory: int = MEMORY) -> None:
        self._seconds = seconds
        self._patience = PATIENCE
        self._memory = memory
        self._process: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> Apart:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def judge(self, expected: Path, found: Path, rule: Rule, name: bytes) -> Judgement:
        """Compare two files whose bytes differ; ``name`` is the last part of the path of both."""
        question = {
            "expected": str(expected),
            "found": str(found),
            "name": name.decode("utf-8", "surrogateescape"),
            "tolerance": rule.tolerance,
            "absolute": rule.absolute,
            "ignore": [pattern.pattern for pattern in rule.ignore],
            "unordered": rule.unordered,
        }
        began = monotonic()
        answer = self._ask(question, min(self._seconds, max(_LEAST, self._patience)))
        with suppress(TypeError, KeyError):
            if isinstance(answer, dict):
                return Judgement(**{**answer, "ignored": tuple(answer["ignored"])})
        self._patience -= monotonic() - began
        self._end()
        why = answer if isinstance(answer, str) else _ENDED
        return Judgement("unknown", "content", note=f"it could not be compared{why}")

    def show(self, expected: Path | None, found: Path | None, judgement: Judgement | None, room: int) -> Exhibit | None:
        """Return what a person is shown of two files, or of one where the other side has none; None where that fails.

        ``room`` is the number of bytes that pictures in it may have.
        """
        question = {
            "expected": None if expected is None else str(expected),
            "found": None if found is None else str(found),
            "kind": "" if judgement is None else judgement.kind,
            "place": "" if judgement is None else judgement.place,
            "alike": judgement is not None and judgement.likeness in {"equal", "close"},
            "room": room,
        }
        answer = self._ask(question, min(self._seconds, SHOWN_SECONDS))
        try:
            return read_exhibit(answer)
        except ValueError as error:
            debug(__name__, "nothing is shown of %s and %s: %s", expected, found, error)
            self._end()
            return None

    def _ask(self, question: dict[str, Any], seconds: float) -> object:
        """Return what the process answers, or the end of a sentence that says why it does not."""
        process = self._begin()
        if process.stdin is None or process.stdout is None:
            return ": its process has no pipes"
        try:
            process.stdin.write(json.dumps(question).encode() + b"\n")
            process.stdin.flush()
            if not select.select([process.stdout], [], [], seconds)[0]:
                return f" within {seconds:g} s"
            line = process.stdout.readline(_LONGEST_ANSWER)
        except OSError:
            line = b""
        try:
            answer: object = json.loads(line)
            return answer
        except ValueError:
            with suppress(subprocess.TimeoutExpired):
                process.wait(1)
            debug(__name__, "the process that compares ended with %s", process.returncode)
            return _ENDED

    def _begin(self) -> subprocess.Popen[bytes]:
        if self._process is None:
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
            )
            start = [sys.path, self._memory, int(self._seconds) + 1]
            with suppress(OSError):
                self._process.stdin.write(b"".join(json.dumps(one).encode() + b"\n" for one in start))  # type: ignore[union-attr]
        return self._process

    def _end(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            for stream in (process.stdin, process.stdout):
                with suppress(OSError):
                    if stream is not None:
                        stream.close()
            process.wait()


def serve(lines: IO[bytes], answers: IO[bytes]) -> None:
    """Compare what the lines say, and answer each with a line."""
    memory, seconds = json.loads(lines.readline()), json.loads(lines.readline())
    _limit_memory(memory)
    from rtrace.verify.judging.judging import Judging

    for line in lines:
        _limit_time(seconds)
        question = json.loads(line)
        if "room" in question:
            answers.write(json.dumps(_draw(question)).encode() + b"\n")
            continue
        rule = Rule(
            question["tolerance"],
            question["absolute"],
            tuple(map(re.compile, question["ignore"])),
            unordered=question["unordered"],
        )
        name = question["name"].encode("utf-8", "surrogateescape")
        with open(question["expected"], "rb") as expected, open(question["found"], "rb") as found:
            judgement = Judging().judge(expected, found, rule, (name, name))
        answers.write(json.dumps(_as_json(judgement)).encode() + b"\n")


def _draw(question: dict[str, Any]) -> dict[str, object]:
    from rtrace.verify.exhibits.drawing import draw

    with ExitStack() as stack:
        expected, found = (
            None if question[side] is None else stack.enter_context(open(question[side], "rb"))
            for side in ("expected", "found")
        )
        drawn = draw(expected, found, question["kind"], question["place"], question["room"], alike=question["alike"])
        return write_exhibit(drawn)


def _as_json(judgement: Judgement) -> dict[str, object]:
    return {name: _plain(value) for name, value in judgement._asdict().items()}


def _plain(value: object) -> object:
    """Return a value that fits a line, whatever was read out of a file."""
    if isinstance(value, str):
        return value[:1000]
    if isinstance(value, tuple):
        return [_plain(one) for one in _first(value)]
    return value


def _first(values: Iterable[object]) -> list[object]:
    return list(values)[:20]


def _limit_memory(size: int) -> None:
    with suppress(ImportError, ValueError, OSError):
        import resource

        resource.setrlimit(resource.RLIMIT_AS, (size, size))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_time(seconds: int) -> None:
    """Allow so much processor time from now on."""
    with suppress(ImportError, ValueError, OSError):
        import resource

        used = resource.getrusage(resource.RUSAGE_SELF)
        limit = int(used.ru_utime + used.ru_stime) + seconds
        resource.setrlimit(resource.RLIMIT_CPU, (limit, resource.getrlimit(resource.RLIMIT_CPU)[1]))
