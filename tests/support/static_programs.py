"""Programs of fixtures/programs that need nothing else: what a bundle is given to execute."""

import subprocess
from pathlib import Path


def build_static(checkout: Path, name: str, folder: Path) -> bytes:
    """Compile a program of the fixtures, without libraries, in a folder; return it."""
    built = folder / name
    source = checkout / f"fixtures/programs/{name}.c"
    subprocess.run(["gcc", "-static", "-O1", "-w", "-o", built, source], check=True)
    return built.read_bytes()
