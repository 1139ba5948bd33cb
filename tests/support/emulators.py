"""Programs of other kinds of processors, which this machine may execute with an emulator."""

import os
import shutil

import pytest

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
