"""What counts as a crash: any error but rtrace's own, writing outside of a scratch folder, too much memory or time."""

import contextlib
import os
import re
import resource
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

from rtrace.errors import RtraceError

MEMORY = 256 << 20
"""Bytes that one input may add to the largest size of the process so far."""
SECONDS = 20
"""Of processor time, for one input."""
_WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC
_CHANGING = {
    "os.chmod": (0,),
    "os.chown": (0,),
    "os.link": (0, 1),
    "os.mkdir": (0,),
    "os.remove": (0,),
    "os.rename": (0, 1),
    "os.rmdir": (0,),
    "os.symlink": (1,),
    "os.truncate": (0,),
    "os.utime": (0,),
}
_guarded: list[bytes] = []
_MAPS = re.compile(rb"/proc/[0-9]+/[ug]id_map\Z")
"""What unpacking writes as root, to see whether a mount can show other owners: the maps of a child of its own."""


class Crash(BaseException):
    """What an input must not bring about."""


def _watch(event: str, arguments: tuple[object, ...]) -> None:
    """Refuse, while a folder is guarded, to touch anything outside of it; an audit hook, see sys.addaudithook."""
    if not _guarded:
        return
    if event == "open":
        flags = arguments[2]
        if isinstance(flags, int) and flags & _WRITING:
            _refuse_outside(event, arguments[0])
    elif event == "os.mkfifo" or event in _CHANGING:
        for place in _CHANGING.get(event, (0,)):
            _refuse_outside(event, arguments[place])


def _refuse_outside(event: str, name: object) -> None:
    """Let through names without a slash, which are in a folder that is open, and paths below the guarded folder."""
    if not isinstance(name, (str, bytes, os.PathLike)):
        return
    path = os.fsencode(name)
    if _MAPS.match(path):
        return
    if path in {b"..", b""} or (b"/" in path and not os.path.abspath(path).startswith(_guarded[-1] + b"/")):
        raise Crash(f"{event} outside of the scratch folder: {path!r}")


sys.addaudithook(_watch)


def _too_slow(_signal: int, _frame: object) -> None:
    raise Crash(f"more than {SECONDS} s of processor time")


@contextlib.contextmanager
def judged(folder: Path) -> Iterator[None]:
    """Raise Crash for what an input brings about meanwhile; ``folder`` is the only place to write to."""
    Path("/proc/self/clear_refs").write_text("5")  # else what was used before hides what is used now; see proc(5)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    previous = signal.signal(signal.SIGPROF, _too_slow)
    signal.setitimer(signal.ITIMER_PROF, SECONDS)
    _guarded.append(os.fsencode(folder))
    try:
        yield
    finally:
        _guarded.pop()
        signal.setitimer(signal.ITIMER_PROF, 0)
        signal.signal(signal.SIGPROF, previous)
    grown = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) << 10
    if grown > MEMORY:
        raise Crash(f"{grown >> 20} MiB of memory")


def judge_error(error: RtraceError) -> str:
    """Return the sentence of an error. Raises Crash for one that is not a sentence fit for a terminal."""
    sentence = str(error)
    if not sentence or not sentence.isprintable() or len(sentence) > 20_000:  # noqa: PLR2004 -- some quote a path
        raise Crash(f"not a sentence: {sentence[:500]!r}")
    return sentence
