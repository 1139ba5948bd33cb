"""The launchers: their machine code is what a compiler makes of their sources."""

import shutil
import subprocess
from pathlib import Path

import pytest

import launchers
from rtrace_unpackers.launchers.machine_code import CODE

ALL = [(program, architecture) for program, names in launchers.PROGRAMS.items() for architecture in names]


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
