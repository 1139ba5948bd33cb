"""The launchers: their code leaves room for the data, and their sources have the kernel's numbers."""

import re
from pathlib import Path

import launchers
from rtrace_unpackers.engines.image.launcher import PARAMETERS
from rtrace_unpackers.isolation.planning.first_program import DATA
from rtrace_unpackers.launchers.elf import CODE_OFFSET
from rtrace_unpackers.launchers.machine_code import CODE

ALL = [(program, architecture) for program, names in launchers.PROGRAMS.items() for architecture in names]
SECTIONS = {"__x86_64__": "x86_64", "__i386__": "i386", "__aarch64__": "aarch64"}


def test_code_ends_before_the_data() -> None:
    """The data of a program lie where its code looks for them, and not on the code."""
    places = {
        "namespaces": DATA,
        "image": DATA,
        "container": PARAMETERS,
        "pause": PARAMETERS,
    }  # the others have no data
    with_data = [key for key in ALL if key[0] in places]
    assert all(CODE_OFFSET + len(CODE[key]) <= places[key[0]] for key in with_data)
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
