"""Small programs print what they touch, and the trace must contain exactly that."""

from __future__ import annotations

import functools
import operator
import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from observing import observe
from rtrace.trace.schema import Use

SOURCES = sorted((Path(__file__).parents[2] / "fixtures" / "programs" / "battery").glob("*.c"))
CASES = [case for source in SOURCES for case in re.findall(r"^CASE\((\w+)\)", source.read_text(), re.MULTILINE)]


COMPILERS = {
    "x86_64": {"x86_64": ["gcc", "-m64"], "i386": ["gcc", "-m32"]},
    "aarch64": {"aarch64": ["gcc"], "arm": ["arm-linux-gnueabihf-gcc", "-static"]},
}[os.uname().machine]
"""By interface, what compiles for it on this machine."""


@pytest.fixture(scope="session", params=COMPILERS)
def battery(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The battery's program, compiled for each interface that programs of this machine may use."""
    program = tmp_path_factory.mktemp("battery") / "battery"
    command = [*COMPILERS[request.param], "-O0", "-Wall", "-Werror", "-o", str(program), *map(str, SOURCES)]
    subprocess.run([*command, "-lpthread"], check=True)
    return program


def prepare(folder: Path) -> None:
    """Make the files that the cases expect to find."""
    for path in ("dir/sub", "empty"):
        (folder / path).mkdir(parents=True)
    for path in ("input.txt", "other.txt", "dir/one", "dir/two"):
        (folder / path).write_text(f"{path}\n")
    for odd in (b"new\nline", b"quote\"'s: \xff\xfe"):
        (folder / os.fsdecode(odd)).write_text("odd\n")
    links = {"link": "input.txt", "chain": "link", "dangling": "nowhere", "dirlink": "dir", "deeplink": "dir/sub"}
    links["loop"] = "loop"
    for name, target in links.items():
        (folder / name).symlink_to(target)
    (folder / "dir/up").symlink_to("../input.txt")
    shutil.copy(shutil.which("true") or "/bin/true", folder / "true")
    (folder / "interpreter").symlink_to(shutil.which("true") or "/bin/true")
    for script, interpreter in {"script": "interpreter", "outer": "script", "broken": "absent"}.items():
        (folder / script).write_text(f"#!{folder}/{interpreter}\n")
        (folder / script).chmod(0o755)


def parse_expectations(output: bytes) -> dict[bytes, Use]:
    """Read what a case printed: a path with escapes, a tab, and uses with bars between them."""
    lines = [line.split(b"\t") for line in output.splitlines()]
    return {
        path.decode("ascii").encode().decode("unicode_escape").encode("latin-1"): functools.reduce(
            operator.or_, (Use[name] for name in uses.decode().split("|"))
        )
        for path, uses in lines
    }


def test_case_list_is_complete(battery: Path) -> None:
    """Every case that the program knows is run by a test."""
    listed = subprocess.run([battery, "--list"], check=True, capture_output=True, text=True).stdout.split()
    assert sorted(listed) == sorted(CASES)
    assert len(set(CASES)) == len(CASES) > 200


@pytest.mark.parametrize("case", CASES)
def test_trace_contains_exactly_what_the_program_touched(case: str, battery: Path, tmp_path: Path) -> None:
    """The uses in the trace are those that the program printed: none is missing, and none is too many."""
    folder = tmp_path / "work"
    prepare(folder)
    observation = observe(tmp_path / "trace", battery, case, cwd=folder)
    assert observation.completed.returncode == 0, observation.completed.stderr.decode()
    expected = parse_expectations(observation.completed.stdout)
    assert expected == observation.uses_below(folder)
