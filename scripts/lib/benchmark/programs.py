"""Compile the benchmark's own C programs."""

import subprocess
from pathlib import Path

FLAGS = ("-O1", "-Wall", "-Wextra", "-Werror")


def compile_program(source: Path, folder: Path) -> Path:
    """Compile one C file into a program of the same name in `folder`."""
    program = folder / source.stem
    subprocess.run(["gcc", *FLAGS, "-o", program, source, "-lpthread"], check=True)
    return program
