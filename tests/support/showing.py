"""What no output may hold, hostile text that holds all of it, and a way to run a great many commands quickly."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
import unicodedata
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

FAKE = "FAKE: all is well"
"""A line that a hostile text would begin."""
CONTROLS = "".join(map(chr, [*range(1, 0x20), 0x7F, *range(0x80, 0xA0)]))
FORMATS = (
    "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"
    "\u200b\u200c\u200d\u200e\u200f\u2060\ufeff\xad\u061c\u2028\u2029"
)
HIDDEN = "\u115f\u3164\uffa0\u2800\ufe0f\U000e0041\U000e0100\u034f"
SEQUENCES = "\x1b[31m\x1b]52;c;YQ==\x07\x1b]8;;https://evil.example/\x1b\\\x9b2J\r"
HOSTILE = f"x{SEQUENCES}\n{FAKE}\n{CONTROLS}{FORMATS}{HIDDEN}y"
SURROGATES = "x\udc80\udcff\ud800\udfffy"
EVERY_BYTE = bytes(byte for byte in range(1, 256) if byte != ord("/")) + f"\n{FAKE}".encode()

LOCALES = {
    "utf-8": {"LC_ALL": "C.UTF-8"},
    "c": {"LC_ALL": "C"},
    "ascii": {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"},
    "strict": {"PYTHONIOENCODING": "ascii:strict"},
}

_SERVER = """\
import json, os, sys
import rtrace.cli.frame.ending
from rtrace.cli import main
from rtrace.cli.frame.commands import COMMANDS
for name in COMMANDS:
    __import__(f"rtrace.cli.{name}")
for line in sys.stdin:
    argv, folder, places = json.loads(line)
    argv = [os.fsdecode(bytes.fromhex(word)) for word in argv]
    child = os.fork()
    if child == 0:
        try:
            for number, place in enumerate(places, 1):
                os.dup2(os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
            os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
            os.chdir(bytes.fromhex(folder))
            sys.argv = ["rtrace", *argv]
            main()
        except SystemExit as end:
            sys.stdout and sys.stdout.flush()
            os._exit(end.code if isinstance(end.code, int) else bool(end.code))
        finally:
            os._exit(99)
    print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=sys.__stdout__, flush=True)
"""


FIELDS = {"list": 6, "pack": 4}
"""How many fields a line of a list has, by the command."""


@dataclass(frozen=True)
class Shown:
    """What a command wrote, and how it ended."""

    argv: tuple[str, ...]
    status: int
    stdout: bytes
    stderr: bytes

    @property
    def raw(self) -> list[str]:
        """What should have been escaped, or is no sentence of ours at all."""
        return [*find_raw(self._without_separators()), *find_raw(self.stderr)]

    def _without_separators(self) -> bytes:
        """Return standard output with a blank for each tab between the fields of a list: as many as there should be."""
        fields = FIELDS.get(self.argv[0], 1) if self.argv and "--json" not in self.argv else 1
        lines = self.stdout.split(b"\n")
        return b"\n".join(line.replace(b"\t", b" ") if line.count(b"\t") == fields - 1 else line for line in lines)


def find_raw(output: bytes) -> list[str]:
    """Return what a terminal would obey or nobody would see, and lines that a hostile text made."""
    try:
        text = output.decode()
    except UnicodeDecodeError:
        return [f"not UTF-8: {output!r}"]
    wrong = {f"U+{ord(char):04X}" for char in text if char != "\n" and is_raw(char)}
    wrong |= {line for line in text.split("\n") if line.startswith((FAKE, "Traceback"))}
    return sorted(wrong)


def is_raw(char: str) -> bool:
    """Whether a terminal would obey a character, or nobody would see it."""
    return unicodedata.category(char) in {"Cc", "Cf", "Cs", "Zl", "Zp"} or char in HIDDEN


class CommandLine:
    """Runs rtrace's command line, each time in a process of its own that has its modules already."""

    def __init__(self, folder: Path, environment: Mapping[str, str]) -> None:
        self._places = [str(folder / "stdout"), str(folder / "stderr")]
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("LC_", "LANG", "PYTHONIO"))}
        self._server = subprocess.Popen(
            [sys.executable, "-c", _SERVER],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**kept, "TMPDIR": str(folder), **environment},  # no word of what others left in /tmp
            text=True,
        )

    def __call__(self, *argv: str | Path, cwd: Path) -> Shown:
        """Run one command."""
        assert self._server.stdin is not None
        assert self._server.stdout is not None
        words = tuple(map(str, argv))
        self._server.stdin.write(
            json.dumps([[os.fsencode(word).hex() for word in words], os.fsencode(cwd).hex(), self._places]) + "\n"
        )
        self._server.stdin.flush()
        status = int(self._server.stdout.readline())
        stdout, stderr = (Path(place).read_bytes() for place in self._places)
        return Shown(words, status, stdout, stderr)

    def close(self) -> None:
        """End the process that the others are forked from."""
        self._server.communicate("")


@contextlib.contextmanager
def command_line(environment: Mapping[str, str] = LOCALES["utf-8"]) -> Iterator[CommandLine]:
    """Yield a command line in a locale."""
    with tempfile.TemporaryDirectory() as folder:
        line = CommandLine(Path(folder), environment)
        try:
            yield line
        finally:
            line.close()
