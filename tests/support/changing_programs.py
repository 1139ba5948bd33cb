"""Programs that leave something else in a replay: traced, packed, and what they wrote taken away."""

from __future__ import annotations

import os
from pathlib import Path

from observing import run_rtrace


def pack_program(folder: Path, program: str) -> Path:
    """Trace a program of Python in a new folder, pack it, and take its files away; the bundle is beside the folder."""
    folder.mkdir()
    (folder / "run.py").write_text(program)
    traced = run_rtrace("trace", "-q", "--no-history", "/usr/bin/python3", "-I", "run.py", cwd=folder)
    assert traced.returncode == 0, traced.stderr
    assert run_rtrace("pack", "-q", folder.parent / "bundle.rpz", cwd=folder).returncode == 0
    for name in os.listdir(folder):
        if name != ".rtrace":
            (folder / name).unlink()
    return folder.parent / "bundle.rpz"
