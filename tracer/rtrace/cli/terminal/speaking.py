"""The one place that writes to standard output and error, and nothing raw: what a terminal would obey is escaped.

What rtrace tells may hold what a stranger wrote: names, hosts and reasons out of a bundle, the words of a server. So a
line for people is escaped as a whole, whoever made it. Data that was asked for goes out byte for byte.
"""

from __future__ import annotations

import contextlib
import os
import re
import sys
from typing import TYPE_CHECKING, TextIO, cast

from rtrace.cli.terminal.manner import Color, is_quiet, is_verbose, paint
from rtrace.errors import RtraceError
from rtrace.printable import printable_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

_BREAKS = re.compile("([\n\t])")
_NOT_ASCII = re.compile("[^\x00-\x7e]")


class NobodyReadsError(RtraceError):
    """Standard output is closed, or was by who read it, as in `rtrace list ... | head`."""

    exit_status = 141


class _Output:
    """What is known of standard output and of the terminal: the error that came first, and the bar that is drawn."""

    failure: OSError | None = None
    bar = ""


_output = _Output()


PREFIX = "rtrace:"


def show(line: str, *, verdict: str = "", color: Color | None = None) -> None:
    """Write a line of what was asked for to standard output, escaped. Raises NobodyReadsError.

    ``verdict`` is what the line begins with and is coloured on a terminal.
    """
    painted = paint(printable_text(verdict), color, sys.stdout)
    give(_encode(f"{painted}{printable_text(line)}\n", sys.stdout))


def show_fields(words: Iterable[str]) -> None:
    """Write words to standard output, each escaped, with a tab between two. Raises NobodyReadsError."""
    give(_encode("\t".join(map(printable_text, words)) + "\n", sys.stdout))


def say(message: str) -> None:
    """Say on standard error what was done and what comes next; with --quiet, say nothing."""
    if not is_quiet():
        tell([f"{PREFIX} {message}"])


def say_more(message: str) -> None:
    """Say what only --verbose asks for."""
    if is_verbose():
        tell([f"{PREFIX} {message}"])


def warn(message: str) -> None:
    """Say what is not as it should be, also with --quiet."""
    tell([f" {message}"], PREFIX, "yellow")


def fail(message: str) -> None:
    """Say why a command failed."""
    tell([f" {message}"], PREFIX, "red")


def tell(lines: Iterable[str], prefix: str = "", color: Color | None = None) -> None:
    """Write lines to standard error, each escaped. If nobody hears it, what is done goes on nevertheless."""
    painted = paint(prefix, color, sys.stderr)
    with contextlib.suppress(NobodyReadsError, OSError):  # `flush` will raise it again
        flush()
    if sys.stderr is None:
        return
    _clear_bar()
    with contextlib.suppress(OSError, ValueError):  # the terminal is gone, or the disk of a log is full
        sys.stderr.flush()
        sys.stderr.buffer.write(b"".join(_encode(f"{painted}{printable_text(line)}\n", sys.stderr) for line in lines))
        sys.stderr.buffer.flush()


def tell_text(text: str) -> None:
    """Write text to standard error, escaped but for the ends of lines and tabs between words."""
    _clear_bar()
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.write(text)
        sys.stderr.flush()


def can_show(text: str) -> bool:
    """Whether the encoding of standard output has all characters of a text."""
    try:
        text.encode(sys.stdout.encoding)
    except (AttributeError, UnicodeEncodeError, LookupError):
        return False
    return True


def give(data: bytes) -> None:
    """Write requested data to standard output, byte for byte. Raises NobodyReadsError."""
    if sys.stdout is None:
        raise NobodyReadsError("standard output is closed")
    try:
        sys.stdout.buffer.write(data)
    except OSError as error:
        _output.failure = error
        give_up_output()
    if _output.failure is not None or sys.stdout.isatty():
        flush()


def give_json(answer: Mapping[str, object]) -> None:
    """Write an answer as JSON, in ASCII alone, with the number of its format first."""
    import json

    from rtrace.answers.schema import FORMAT

    give_json_line(json.dumps({"format": FORMAT, **answer}, indent=2) + "\n")


def tell_json(answer: Mapping[str, object]) -> None:
    """Write an answer as one line on standard error, where standard output belongs to a program."""
    import json

    from rtrace.answers.schema import FORMAT

    tell([json.dumps({"format": FORMAT, **answer})])


def give_json_line(text: str) -> None:
    """Write JSON that is text already: the same, with escapes for what is not ASCII, which stands in strings alone."""
    give(_NOT_ASCII.sub(_escape, text).encode("ascii"))


def flush() -> None:
    """Flush standard output. Raises NobodyReadsError and OSError, now and at every later call."""
    try:
        if sys.stdout is not None and _output.failure is None:
            sys.stdout.flush()
    except OSError as error:
        _output.failure = error
        give_up_output()
    if isinstance(_output.failure, BrokenPipeError):
        raise NobodyReadsError("nobody reads standard output any more")
    if _output.failure is not None:
        raise _output.failure


def give_up_output() -> None:
    """Forget what could not be written, which Python would try again at its end."""
    with contextlib.suppress(OSError, ValueError):
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def draw_bar(text: str) -> None:
    """Draw a line on standard error over the one drawn before; it is gone when something is told."""
    shown = printable_text(text)
    with contextlib.suppress(OSError, ValueError):
        sys.stderr.buffer.write(_encode(f"\r{shown.ljust(len(_output.bar))}", sys.stderr))
        sys.stderr.buffer.flush()
    _output.bar = shown


def leave_bar() -> None:
    """Let the line that was drawn stand, and go on below it."""
    if _output.bar:
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.buffer.write(b"\n")
            sys.stderr.buffer.flush()
    _output.bar = ""


def _clear_bar() -> None:
    if _output.bar:
        draw_bar("")
        with contextlib.suppress(OSError, ValueError):
            sys.stderr.buffer.write(b"\r")


class _Escaped:
    """Standard error for those who do not know this module: tracebacks, warnings, threads. Lines stay lines."""

    def __init__(self, stream: TextIO) -> None:
        self._stream = stream

    def write(self, text: str) -> int:
        """Write text, escaped but for the ends of lines and tabs between words."""
        escaped = "".join(part if part in "\n\t" else printable_text(part) for part in _BREAKS.split(text))
        self._stream.write(_encode(escaped, self._stream).decode(self._stream.encoding))
        return len(text)

    def writelines(self, lines: Iterable[str]) -> None:
        """Write several pieces of text."""
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> object:
        return getattr(self._stream, name)


def escape_errors() -> None:
    """Escape all that is written to standard error as text in this process, whoever writes it."""
    if sys.stderr is not None and not isinstance(sys.stderr, _Escaped):
        sys.stderr = cast("TextIO", _Escaped(sys.stderr))


def _encode(text: str, stream: TextIO | None) -> bytes:
    """Encode what was escaped already; what a stream's encoding does not know is written as an escape, too."""
    return text.encode(stream.encoding if stream is not None else "ascii", "backslashreplace")


def _escape(match: re.Match[str]) -> str:
    code = ord(match[0])
    if code > 0xFFFF:  # noqa: PLR2004 -- JSON has such a character as two surrogates
        code -= 0x10000
        return f"\\u{0xD800 | code >> 10:04x}\\u{0xDC00 | code & 0x3FF:04x}"
    return f"\\u{code:04x}"
