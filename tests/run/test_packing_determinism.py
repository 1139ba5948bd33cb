"""Two packs of one trace are equal byte for byte, whatever machine they are made on."""

import hashlib
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Rtrace = Callable[..., CompletedProcess[bytes]]
SCRIPT = """\
cat h\u00e9llo b\udcffytes* one > result
grep -c x folder/* > counts || true
ls folder > /dev/null
mkdir made; cp one made/copy; rm three
"""
PYTHON = "import email, json, zoneinfo; print(zoneinfo.ZoneInfo('Asia/Kathmandu'))"


@dataclass(frozen=True)
class Machine:
    """What another machine has otherwise: variables, umask, processors, and the folder where it is used."""

    name: str
    variables: Mapping[str, str] = field(default_factory=dict)
    umask: int = 0o022
    before: tuple[str, ...] = ()


ASCII = {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"}
MACHINES = (
    Machine("east", {"TZ": "Asia/Kathmandu", "LC_ALL": "C.UTF-8", "PYTHONHASHSEED": "1"}),
    Machine("west", {"TZ": "America/St_Johns", "LANG": "tr_TR.UTF-8", "PYTHONHASHSEED": "2"}, 0o077),
    Machine("ascii", {**ASCII, "PYTHONHASHSEED": "3"}, 0o002),
    Machine("one processor", {"PYTHONHASHSEED": "4"}, 0o000, ("taskset", "-c", str(min(os.sched_getaffinity(0))))),
    Machine("another version's switches", {"PYTHONOPTIMIZE": "2", "PYTHONDONTWRITEBYTECODE": "1"}),
)


@pytest.fixture
def home(tmp_path: Path, rtrace: Rtrace) -> Path:
    """A traced experiment: files of odd names, hard links, folders that were listed, outputs, what loads lazily."""
    folder = tmp_path / "home"
    (folder / "folder").mkdir(parents=True)
    (folder / "more").mkdir()
    for number in range(200):
        (folder / "folder" / f"{number}x").write_text(f"{number}\n" * number)
        (folder / "more" / f"{number * 7919 % 1000}").write_text(f"more {number}\n")
    for name in ("h\u00e9llo", "b\udcffytes", "one", "three"):
        (folder / name).write_text(ascii(name) * 2000)
    (folder / "two").hardlink_to(folder / "one")
    os.mkfifo(folder / "more/fifo")
    done = rtrace("trace", "-d", folder / ".rtrace", "--", "sh", "-c", SCRIPT, cwd=folder)
    assert done.returncode == 0, done.stderr
    done = rtrace("trace", "-d", folder / ".rtrace", "--continue", "--", sys.executable, "-c", PYTHON, cwd=folder)
    assert done.returncode == 0, done.stderr
    return folder


def pack(home: Path, target: Path, machine: Machine, *, prefix: Sequence[str | Path] = ()) -> str:
    """Pack a trace on a machine; give the SHA-256 of the bundle."""
    temporary = target.with_suffix(".tmp")
    temporary.mkdir()
    done = subprocess.run(
        [
            *prefix, *machine.before, sys.executable, "-m", "rtrace", "pack", "-d", home / ".rtrace",
            "--include", home / "more", target,
        ],
        cwd=temporary,
        env={**os.environ, "TMPDIR": str(temporary), "HOME": str(temporary), "COLUMNS": "40", **machine.variables},
        umask=machine.umask,
        capture_output=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    return hashlib.sha256(target.read_bytes()).hexdigest()


def test_time_zone_locale_umask_processors_and_hash_seed_do_not_matter(home: Path, tmp_path: Path) -> None:
    """None of what differs between two people's machines gets into a bundle."""
    found = {machine.name: pack(home, tmp_path / f"{number}.rpz", machine) for number, machine in enumerate(MACHINES)}
    assert found == dict.fromkeys(found, found["east"])


@pytest.mark.requires("root", "unshare", "mount")
def test_order_of_a_file_system_does_not_matter(home: Path, tmp_path: Path) -> None:
    """The same files on a file system that lists them in another order give the same bundle."""
    first = pack(home, tmp_path / "1.rpz", MACHINES[0])
    copy = tmp_path / "copy"
    shutil.copytree(home / "more", copy, copy_function=shutil.copy2, ignore=shutil.ignore_patterns("fifo"))
    script = (
        'mount -t tmpfs tmpfs "$1"; cp -a "$2"/. "$1"; mkfifo "$1"/fifo; chmod --reference="$3" "$1"/fifo;'
        ' touch -r "$3" "$1"/fifo; touch -r "$4" "$1"; chmod --reference="$4" "$1";'
        ' ls -U "$1" >"$5"; shift 5; exec "$@"'
    )
    listed = tmp_path / "listed"
    kept = tmp_path / "kept"
    kept.mkdir()
    os.mkfifo(kept / "fifo")
    shutil.copystat(home / "more/fifo", kept / "fifo")
    shutil.copystat(home / "more", kept)
    prefix = (
        "unshare", "--mount", "sh", "-ec", script, "sh", home / "more", copy, kept / "fifo", kept, listed,
    )  # fmt: skip
    second = pack(home, tmp_path / "2.rpz", MACHINES[0], prefix=prefix)
    assert listed.read_text().split() != os.listdir(home / "more")
    assert sorted(listed.read_text().split()) == sorted(os.listdir(home / "more"))
    assert second == first
