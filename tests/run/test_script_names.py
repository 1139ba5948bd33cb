"""A program is called in a replay by the name that it was called by: a script prints it, and finds itself by it."""

from __future__ import annotations

from pathlib import Path

import pytest

from observing import run_rtrace
from plain_user import PlainUser
from rtrace.manifest.reading.load import load

SHELL = '#!/bin/bash\necho "usage: $0 FILE"\nnosuchcommand\necho "${BASH_SOURCE[0]} $(dirname "$0")"\n'
PYTHON = "#!/usr/bin/python3 -S\nimport sys\nprint(sys.argv[0])\nraise SystemExit(sys.argv[0] + ': bad input')\n"
ENV = "#!/usr/bin/env -S bash -e\necho $0\n"
CALLS = {
    "./run.sh": b"./run.sh",
    "bin/tool": b"bin/tool",
    "./start": b"./start",
    "./p.py": b"./p.py",
    "./with-env": b"./with-env",
    "bin/../run.sh": b"bin/../run.sh",
    "../work/run.sh": b"../work/run.sh",
    ".//run.sh": b".//run.sh",
    "found": b"bin/found",
    "/bin/bash ./run.sh": b"/bin/bash",
}


def make_scripts(work: Path) -> None:
    """Make scripts in a folder, one of them under other names as well, one to be found by PATH."""
    (work / "bin").mkdir(parents=True)
    for name, text in {"run.sh": SHELL, "bin/tool": SHELL, "p.py": PYTHON, "with-env": ENV, "bin/found": SHELL}.items():
        (work / name).write_text(text)
        (work / name).chmod(0o755)
    (work / "start").symlink_to("run.sh")


@pytest.mark.parametrize("call", CALLS)
def test_program_is_replayed_by_its_name(call: str, tmp_path: Path) -> None:
    """The file is given to execve(2) as it was, relative or not, through folders and symlinks, and found by PATH."""
    work = tmp_path / "work"
    make_scripts(work)
    environment = {"PATH": "bin:/usr/bin:/bin"}
    traced = run_rtrace("trace", "-q", *call.split(), cwd=work, env=environment)
    assert load(work / ".rtrace/manifest.yml").runs[0].binary == CALLS[call]
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    replayed = run_rtrace("run", "bundle.rpz", cwd=tmp_path)
    assert (replayed.returncode, replayed.stdout) == (traced.returncode, traced.stdout)
    errors = [line for line in traced.stderr.splitlines() if line.startswith((b"./", b"bin", b".."))]
    assert [line for line in replayed.stderr.splitlines() if line.startswith((b"./", b"bin", b".."))] == errors


def test_plain_user_replays_by_the_name(plain_user: PlainUser) -> None:
    """A replay of somebody without privileges has the name as well."""
    make_scripts(plain_user.home / "work")
    plain_user.give(plain_user.home / "work")
    work = plain_user.home / "work"
    assert plain_user.run(plain_user.rtrace, "trace", "-q", "./start", cwd=work).stdout.startswith(b"usage: ./start ")
    assert plain_user.run(plain_user.rtrace, "pack", "bundle.rpz", cwd=work).returncode == 0
    verified = plain_user.run(plain_user.rtrace, "verify", "bundle.rpz", cwd=work)
    assert verified.returncode == 0, verified.stdout


@pytest.mark.requires("docker")
def test_container_replays_by_the_name(tmp_path: Path) -> None:
    """A replay in a container has the name as well."""
    work = tmp_path / "work"
    make_scripts(work)
    traced = run_rtrace("trace", "-q", "bin/../run.sh", cwd=work)
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    replayed = run_rtrace("run", "--unpacker", "docker", "bundle.rpz", cwd=tmp_path)
    assert replayed.stdout == traced.stdout


def test_bundle_without_a_relative_name_is_replayed_as_before(tmp_path: Path) -> None:
    """A manifest that has the absolute path, as all had before, or one that a person has edited, is obeyed."""
    work = tmp_path / "work"
    make_scripts(work)
    assert run_rtrace("trace", "-q", "./p.py", cwd=work).returncode == 1
    manifest = work / ".rtrace/manifest.yml"
    text = manifest.read_text()
    assert "    binary: ./p.py\n" in text
    manifest.write_text(text.replace("    binary: ./p.py\n", f"    binary: {work}/./p.py\n"))
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    assert run_rtrace("run", "bundle.rpz", cwd=tmp_path).stdout == f"{work}/./p.py\n".encode()
