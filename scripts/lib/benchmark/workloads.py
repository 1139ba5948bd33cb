"""The rows of the benchmark: what is run, as data, and the files that each needs."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

OPENS = """\
import os, sys
paths = [f"opened/{number}" for number in range(100)]
for _ in range(int(sys.argv[1]) // len(paths)):
    for path in paths:
        os.close(os.open(path, os.O_RDONLY))
"""

READS_AND_WRITES = """\
import os, sys
source = os.open("source", os.O_RDONLY)
target = os.open("target", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o644)
block = bytes(64)
for number in range(int(sys.argv[1]) // 2):
    offset = number % 1000 * 64
    os.pread(source, 64, offset)
    os.pwrite(target, block, offset)
"""

ARITHMETIC = """\
import sys
total = 0
for number in range(int(sys.argv[1])):
    total = (total * 31 + number) % 1000003
print(total)
"""

C_FILE = """\
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
int function_{number}(int argument) {{ return (int)strlen("x") + argument * {number}; }}
"""

MAKEFILE = """\
all: $(patsubst %.c,%.o,$(wildcard *.c))
%.o: %.c
\tgcc -c -O0 -o $@ $<
"""


@dataclass(frozen=True)
class Workload:
    """One row: a command, whose {size} and {python} are filled in, and what prepares the folder it runs in.

    Before every run the folder `out` in it is emptied. `kind` is the class of the published suite that it belongs to.
    """

    name: str
    title: str
    command: tuple[str, ...]
    size: int
    prepare: Callable[[Path, int], None]
    group: str = "own"
    kind: str = ""
    heavy: bool = False

    def scaled(self, divisor: int) -> "Workload":
        """Return the same row with less to do."""
        return replace(self, size=max(self.size // divisor, 1))

    def describe(self) -> str:
        """Return the title with the size in it."""
        return self.title.format(size=f"{self.size:,}")

    def argv(self, python: str) -> list[str]:
        """Return the command as it is run, with the interpreter that has the libraries."""
        return [word.replace("{size}", str(self.size)).replace("{python}", python) for word in self.command]


def prepare_nothing(_folder: Path, _size: int) -> None:
    """Leave the folder empty."""


def prepare_sources(folder: Path, size: int) -> None:
    """Write C files and the Makefile that compiles them."""
    for number in range(size):
        (folder / f"file{number}.c").write_text(C_FILE.format(number=number))
    (folder / "Makefile").write_text(MAKEFILE)


def prepare_opened(folder: Path, _size: int) -> None:
    """Write the hundred files that are opened."""
    (folder / "opened").mkdir()
    for number in range(100):
        (folder / "opened" / str(number)).write_text("x")


def prepare_source(folder: Path, _size: int) -> None:
    """Write the file that is read."""
    (folder / "source").write_bytes(bytes(64_000))


PROCESSES = "for ((i = 0; i < {size}; i++)); do /bin/true || exit; done"
IMPORTS = "import numpy, pandas, sklearn, matplotlib"

WORKLOADS = (
    Workload("imports", IMPORTS, ("{python}", "-c", IMPORTS), 1, prepare_nothing),
    Workload("processes", "{size} x /bin/true from bash", ("bash", "-c", PROCESSES), 2_000, prepare_nothing),
    Workload("compile", "{size} x gcc -c, two at a time", ("make", "-s", "-B", "-j2"), 100, prepare_sources),
    Workload("opens", "{size} open+close", ("{python}", "-c", OPENS, "{size}"), 500_000, prepare_opened),
    Workload(
        "reads", "{size} reads and writes", ("{python}", "-c", READS_AND_WRITES, "{size}"), 2_000_000, prepare_source
    ),
    Workload("cpu", "arithmetic only", ("{python}", "-c", ARITHMETIC, "{size}"), 20_000_000, prepare_nothing),
)
