"""The launchers: their machine code is what a compiler makes of their sources, and these have the kernel's numbers."""

import re
import shutil
import subprocess
from pathlib import Path

import pytest

import launchers
from rtrace_unpackers.engines.image.launcher import PARAMETERS
from rtrace_unpackers.isolation.planning.first_program import DATA
from rtrace_unpackers.launchers.elf import CODE_OFFSET
from rtrace_unpackers.launchers.machine_code import CODE

ALL = [(program, architecture) for program, names in launchers.PROGRAMS.items() for architecture in names]
SECTIONS = {"__x86_64__": "x86_64", "__i386__": "i386", "__aarch64__": "aarch64"}


@pytest.mark.parametrize("program, architecture", ALL)
def test_machine_code_is_what_the_sources_say(program: str, architecture: str, tmp_path: Path) -> None:
    """The committed bytes are what the compiler of Debian 12 makes of the sources; another one makes others."""
    missing = launchers.find_missing(architecture)
    if missing is not None:
        pytest.skip(f"needs {missing}")
    assert launchers.compile_launcher(program, architecture, tmp_path) == CODE[program, architecture]


@pytest.mark.skipif(shutil.which("gcc") is None, reason="needs the command gcc")
def test_launcher_with_data_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A program that has more than code does not become a launcher, for nothing else of it is kept."""
    sources = tmp_path / "sources"
    shutil.copytree(launchers.SOURCES, sources)
    text = (sources / "pause.c").read_text()
    changed = text.replace("int info[32];", "static volatile int counter = 5; int info[32]; counter++;")
    assert changed != text
    (sources / "pause.c").write_text(changed)
    monkeypatch.setattr(launchers, "SOURCES", sources)
    with pytest.raises(subprocess.CalledProcessError):
        launchers.compile_launcher("pause", "x86_64", tmp_path)


def test_code_ends_before_the_data() -> None:
    """The data of a program lie where its code looks for them, and not on the code."""
    assert all(CODE_OFFSET + len(CODE[key]) <= (DATA if key[0] == "namespaces" else PARAMETERS) for key in ALL)
    assert sorted(CODE) == sorted(ALL)


def test_numbers_in_the_sources_are_the_kernels(checkout: Path) -> None:
    """Every system call in calls.h has the number that the kernel's headers give it."""
    text = (launchers.SOURCES / "calls.h").read_text()
    blocks = re.findall(r"defined\((__\w+__)\)\nenum \{(.*?)\};", text, re.DOTALL)
    assert [SECTIONS[name] for name, _ in blocks] == ["x86_64", "i386", "aarch64"]
    found = {
        (SECTIONS[name], call.lower()): int(number)
        for name, block in blocks
        for call, number in re.findall(r"(\w+) = (\d+)", block)
    }
    known = {}
    for architecture in SECTIONS.values():
        for line in (checkout / f"fixtures/kernel-interfaces/{architecture}.tsv").read_text().splitlines():
            if line.startswith("call\t"):
                _, call, number, *_ = line.split("\t")
                known[architecture, call] = int(number)
    assert {key: known.get(key) for key in found} == found
