"""Where `rtrace.debugging` tells: standard error for --debug and RTRACE_LOG=1, or the file that RTRACE_LOG names."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path

import rtrace
from rtrace import debugging
from rtrace.cli.terminal import speaking
from rtrace.cli.terminal.manner import VARIABLE
from rtrace.errors import UsageError
from rtrace.printable import printable_text


def begin_debugging(*, asked: bool = False) -> None:
    """Switch debugging on where RTRACE_LOG or the command line asks for it. Raises UsageError."""
    setting = os.environ.get(VARIABLE, "")
    if not asked and setting in {"", "0"}:
        return
    items = [item for item in setting.split(",") if item not in {"", "0", "1"}]
    files = [item for item in items if "/" in item]
    topics = [item for item in items if "/" not in item]
    for topic in topics:
        refuse_unknown(topic)
    debugging.switch_on(_open_log(files[-1]) if files else _tell, topics)
    python, system = sys.version.split()[0], " ".join(os.uname()[::2]) if hasattr(os, "uname") else sys.platform
    debugging.debug(__name__, "rtrace %s in %s, Python %s, %s", rtrace.__version__, rtrace.__path__[0], python, system)


def refuse_unknown(topic: str) -> None:
    """Raise UsageError for a topic that is no part of rtrace."""
    package, _, rest = topic.partition(".")
    first = rest.partition(".")[0] if package in debugging.PACKAGES else package
    if first and not any((folder / name).exists() for folder in _list_roots() for name in (first, f"{first}.py")):
        raise UsageError(
            f"{VARIABLE} names {topic!r}, which is no part of rtrace; write 1, a file with a slash in its name "
            "(./rtrace.log), or parts such as capture,packages"
        )


def _list_roots() -> list[Path]:
    """Return the folders that hold the modules of rtrace, and of its unpackers where these are installed."""
    from importlib.util import find_spec

    unpackers = find_spec("rtrace_unpackers")
    places = [*rtrace.__path__, *((unpackers and unpackers.submodule_search_locations) or ())]
    return list(map(Path, places))


class _Log:
    """The file that messages are written to, behind what is in it."""

    def __init__(self, name: str) -> None:
        try:
            self._descriptor = os.open(name, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
        except OSError as error:
            raise UsageError(f"{VARIABLE}: cannot write to {name}: {error.strerror}; name another file") from None

    def write(self, text: str) -> None:
        """Write a message at once; a full disk must not end what is looked into."""
        with contextlib.suppress(OSError):
            os.write(self._descriptor, f"{printable_text(text)}\n".encode("utf-8", "backslashreplace"))


def _open_log(name: str) -> debugging.Write:
    return _Log(name).write


def _tell(text: str) -> None:
    speaking.tell([f"{speaking.PREFIX} {text}"])
