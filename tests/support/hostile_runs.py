"""Run rtrace on what means harm, with limits that stop it, and tell what it took."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

MEMORY = 300 << 20
DISK = 64 << 20
SECONDS = 30


@dataclass(frozen=True)
class Done:
    """How a command ended: its exit status, what it said, and the most memory that it had, in bytes."""

    status: int
    said: str
    memory: int


LAUNCH = """
import resource, subprocess, sys
size, disk, seconds = map(int, sys.argv[1:4])
resource.setrlimit(resource.RLIMIT_AS, (size, size))
resource.setrlimit(resource.RLIMIT_FSIZE, (disk, disk))
resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds))
status = subprocess.run(sys.argv[5:], stdin=subprocess.DEVNULL).returncode
with open(sys.argv[4], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss))
sys.exit(status)
"""
"""A small process between, for a child begins with what its parent has in memory, and here that may be much."""


def run_bounded(arguments: tuple[str, ...], folder: Path) -> Done:
    """Run rtrace in a folder, with limits that stop it; the memory is measured below that."""
    used = folder.with_name(f"{folder.name}.used")
    limits = (str(4 << 30), str(DISK), str(SECONDS))
    argv = [sys.executable, "-c", LAUNCH, *limits, str(used), sys.executable, "-m", "rtrace", *arguments]
    done = subprocess.run(argv, cwd=folder, check=False, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=300)
    memory = int(used.read_text()) << 10
    used.unlink()
    return Done(done.returncode, done.stdout.decode(), memory)
