"""The few inputs of a corpus that reach all that the whole corpus reaches, the shortest first."""

import hashlib
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from types import FrameType
from typing import Any

from fuzz.judging import Crash

_OURS = ("tracer/rtrace/", "unpackers/rtrace_unpackers/")
Arc = tuple[str, int, int]
TraceFunction = Callable[[FrameType, str, Any], Any]


def minimise(inputs: Iterable[bytes], use: Callable[[bytes], object], most: int) -> list[bytes]:
    """Keep an input when it takes a way between two lines of rtrace that no shorter one took.

    ``most`` is how many bytes all of them may have; those that would go beyond it are left out.
    """
    seen: set[Arc] = set()
    kept: list[bytes] = []
    room = most
    for content in sorted(set(inputs), key=lambda content: (len(content), content)):
        if len(content) > room:
            continue
        arcs = record_arcs(lambda content=content: use(content))  # type: ignore[misc]
        if not arcs <= seen:
            seen |= arcs
            kept.append(content)
            room -= len(content)
    return kept


def record_arcs(use: Callable[[], object]) -> set[Arc]:
    """Run something; give which line of rtrace came after which."""
    arcs: set[Arc] = set()
    last: dict[FrameType, int] = {}

    def trace(frame: FrameType, event: str, _argument: object) -> TraceFunction | None:
        name = frame.f_code.co_filename
        if not any(ours in name for ours in _OURS):
            return None
        if event == "return":
            last.pop(frame, None)
        else:
            arcs.add((name, last.get(frame, 0), frame.f_lineno))
            last[frame] = frame.f_lineno
        return trace

    previous = sys.gettrace()
    sys.settrace(trace)
    try:
        use()
    except Crash:
        pass
    finally:
        sys.settrace(previous)
    return arcs


def write_corpus(folder: Path, inputs: Iterable[bytes]) -> None:
    """Make a folder hold exactly these inputs, each named by its digest."""
    folder.mkdir(parents=True, exist_ok=True)
    wanted = {hashlib.sha256(content).hexdigest()[:16]: content for content in inputs}
    for file in folder.iterdir():
        if file.name not in wanted:
            file.unlink()
    for name, content in wanted.items():
        (folder / name).write_bytes(content)
