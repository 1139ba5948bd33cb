"""Show what packing and unpacking cost beside tar and zstd, and how little a look into a bundle reads of it.

`scripts/bench --packing`: every tool takes its turn in every round, on the same files, with warm caches; what the
turn before left to be written to the disk is written before the next one begins.
"""

import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from benchmark.tools import describe_status

SOURCE = Path("/usr")
SMALL = 16 << 10
"""Bytes of the largest small file."""
LOOK = 1 << 10
"""Bytes of the file that is fetched."""
FILES_A_FOLDER = 1000
_READ = re.compile(rb"(?:read|pread64|readv|preadv2?)\(.*= (\d+)$", re.MULTILINE)


@dataclass(frozen=True)
class Material:
    """One row: a way to make files in a folder, with a name for it."""

    name: str
    make: Callable[[Path, int], None]
    amount: int

    def scaled(self, divisor: int) -> "Material":
        """Return the same with less of it."""
        return Material(f"a {divisor}th of {self.name}", self.make, self.amount // divisor)


@dataclass(frozen=True)
class Turn:
    """What one command took: seconds, those of the processor, and the peak memory of its largest process in bytes."""

    seconds: float
    used: float
    peak: int


@dataclass
class Row:
    """What was measured of one material: turns by direction and tool, and what looking into the bundle read of it."""

    files: int
    size: int
    turns: dict[tuple[str, str], list[Turn]] = field(default_factory=dict)
    bundle: int = 0
    archive: int = 0
    listed: int = 0
    fetched: int = 0


def find_files() -> Iterator[tuple[Path, int]]:
    """Yield the regular files of this machine that are worth copying, with their sizes, in the order of their names."""
    for folder, folders, names in os.walk(SOURCE):
        folders.sort()
        for name in sorted(names):
            path = Path(folder, name)
            if not path.is_symlink() and path.is_file():
                yield path, path.stat().st_size


def make_mixed(folder: Path, amount: int) -> None:
    """Copy files of this machine until there are so many bytes of them: any of them, where the machine has more."""
    found = list(find_files())
    share = min(amount / sum(size for _, size in found), 1.0)
    for path, size in found:
        if zlib.crc32(os.fsencode(path)) < share * 2**32 and size <= amount // 8:
            copy = folder / path.relative_to(SOURCE)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(path, copy)


def make_small(folder: Path, amount: int) -> None:
    """Copy so many small files of this machine, a thousand a folder; each more than once where there are too few."""
    found = [path for path, size in find_files() if 0 < size <= SMALL]
    for number in range(amount):
        copy = folder / str(number // FILES_A_FOLDER) / str(number)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(found[number % len(found)], copy)


MATERIALS = (
    Material("2 GB of mixed files", make_mixed, 2_000_000_000),
    Material("100,000 small files", make_small, 100_000),
)


def take_turn(
    command: Sequence[str | Path],
    cwd: Path | None = None,
    env: Mapping[str, str] | None = None,
    stdout: int | None = None,
) -> Turn:
    """Run a command to its end. The peak is the highest of any of its processes (ru_maxrss of getrusage(2))."""
    os.sync()
    begin = time.perf_counter()
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdin=subprocess.DEVNULL, stdout=stdout, stderr=subprocess.PIPE
    ) as running:
        words = running.stderr.read() if running.stderr else b""
        _, status, usage = os.wait4(running.pid, 0)
        seconds = time.perf_counter() - begin
        running.returncode = os.waitstatus_to_exitcode(status)
    if running.returncode:
        sys.exit(f"scripts/bench: {describe_status(running.returncode)} of {command}: {words.decode(errors='replace')}")
    return Turn(seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss * 1024)


def count_read(command: Sequence[str | Path], path: Path, log: Path) -> int:
    """Run a command under strace, and count the bytes that it read of one file."""
    traced: list[str | Path] = [
        "strace",
        "-f",
        "-qq",
        "-o",
        log,
        "-P",
        path,
        "-e",
        "trace=read,pread64,readv,preadv,preadv2,mmap",
    ]
    done = subprocess.run([*traced, *command], stdin=subprocess.DEVNULL, capture_output=True, check=False)
    if done.returncode:
        sys.exit(f"scripts/bench: {describe_status(done.returncode)} of {command}: {done.stderr.decode()}")
    lines = log.read_bytes()
    if b"mmap(" in lines:
        sys.exit(f"scripts/bench: {command} maps the bundle: what it reads cannot be counted")
    return sum(map(int, _READ.findall(lines)))


def measure(material: Material, rtrace: Path, folder: Path, rounds: int) -> Row:
    """Measure one row in a folder of its own."""
    tree, trace, bundle, archive = (folder / name for name in ("tree", "trace", "bundle.rpz", "tree.tar.zst"))
    ours, theirs = folder / "target", folder / "untarred"
    tree.mkdir()
    material.make(tree, material.amount)
    files = [path for path in tree.rglob("*") if path.is_file()]
    row = Row(len(files), sum(path.stat().st_size for path in files))
    script = 'find "$1" -type f -print0 | xargs -0 cat >/dev/null'
    take_turn([rtrace, "trace", "-q", "-d", trace, "--", "sh", "-c", script, "sh", tree])
    pack = f"tar -cf - -C {folder} tree | zstd -q -T0 -3 -o {archive}"
    unpack = f"mkdir {theirs} && zstd -q -dc {archive} | tar -xf - -C {theirs}"
    steps: dict[tuple[str, str], tuple[Path, list[str | Path]]] = {
        ("pack", "rtrace"): (bundle, [rtrace, "pack", "-d", trace, bundle]),
        ("pack", "tar"): (archive, ["bash", "-o", "pipefail", "-c", pack]),
        ("unpack", "rtrace"): (ours, [rtrace, "unpack", "chroot", bundle, ours]),
        ("unpack", "tar"): (theirs, ["bash", "-o", "pipefail", "-c", unpack]),
    }
    for turn in range(rounds):
        keys = list(steps)
        if turn % 2:  # the other tool first, in either direction
            keys = [keys[place] for place in (1, 0, 3, 2)]
        for key in keys:
            made, command = steps[key]
            remove(made)
            taken = take_turn(command)
            row.turns.setdefault(key, []).append(taken)
            print(
                f"{material.name}, round {turn + 1}, {' '.join(key)}: {taken.seconds:.2f} s",
                file=sys.stderr,
                flush=True,
            )
    remove(ours)
    remove(theirs)
    row.bundle, row.archive = bundle.stat().st_size, archive.stat().st_size
    log = folder / "calls"
    row.listed = count_read([rtrace, "list", bundle], bundle, log)
    wanted = min(files, key=lambda path: (abs(path.stat().st_size - LOOK), path))
    row.fetched = count_read([rtrace, "extract", bundle, wanted], bundle, log)
    return row


def remove(path: Path) -> None:
    """Remove what a turn before made."""
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)


def run_packing(rtrace: Path, materials: Sequence[Material], scratch: Path, rounds: int) -> list[Row]:
    """Measure every row, each in a folder of its own that is removed afterwards."""
    rows = []
    for material in materials:
        with tempfile.TemporaryDirectory(prefix="packing-", dir=scratch) as name:
            print(f"{material.name}: making them, and tracing a run that reads them ...", file=sys.stderr, flush=True)
            rows.append(measure(material, rtrace, Path(name), rounds))
    return rows


def format_packing(materials: Sequence[Material], rows: Sequence[Row]) -> str:
    """Lay out medians, their ratios, the largest peak of rtrace, and what looking into a bundle reads of it."""
    lines = [
        "| files | direction | tar and zstd | rtrace | peak memory | bundle / tar.zst |",
        "|---|---|---|---|---|---|",
    ]
    for material, row in zip(materials, rows, strict=True):
        for direction in ("pack", "unpack"):
            theirs, ours = (
                statistics.median(turn.seconds for turn in row.turns[direction, tool]) for tool in ("tar", "rtrace")
            )
            peak = max(turn.peak for turn in row.turns[direction, "rtrace"])
            lines.append(
                f"| {material.name} ({row.files:,} files, {row.size / 1e6:,.0f} MB) | {direction} | {theirs:.2f} s | "
                f"{ours:.2f} s (x {ours / theirs:.2f}) | {peak / 2**20:.0f} MiB | {row.bundle / row.archive:.2f} |"
            )
    lines += ["", "| bundle | size | `rtrace list` reads | fetching a file of about 1 KiB reads |", "|---|---|---|---|"]
    for material, row in zip(materials, rows, strict=True):
        read = (f"{part / 1e6:.1f} MB ({100 * part / row.bundle:.2f} %)" for part in (row.listed, row.fetched))
        lines.append(f"| {material.name} | {row.bundle / 1e6:,.0f} MB | {' | '.join(read)} |")
    return "\n".join(lines)
