"""What an emulator executes: programs of other kinds of processors, and whole machines."""

import os
import shutil

import pytest

from rtrace_unpackers.vm.kernel import find_problem

EMULATORS: dict[str, tuple[str, ...]] = {"x86_64": (), "i386": (), "aarch64": ("qemu-aarch64-static",)}
"""What stands before a program's name, by its architecture."""


def need_emulator(architecture: str) -> str:
    """Return the architecture, and skip the test where this machine cannot execute its programs."""
    if os.uname().machine != "x86_64":
        pytest.skip("needs an x86-64 machine")
    for emulator in EMULATORS[architecture]:
        if shutil.which(emulator) is None:
            pytest.skip(f"needs the command {emulator}, an emulator that few have")
    return architecture


def need_machine_kernel() -> None:
    """Skip the test where no kernel is installed that an emulated machine could start; fail where all was promised."""
    problem = find_problem()
    if problem is not None and os.environ.get("RTRACE_REQUIRE_ALL") == "1":
        pytest.fail(problem)
    if problem is not None:
        pytest.skip(problem)
