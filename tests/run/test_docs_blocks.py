"""What README and tutorials tell people to type works, as it stands there, in a shell."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from rtrace.opening import open_bundle

CHECKOUT = next(folder for folder in Path(__file__).resolve().parents if (folder / "pyproject.toml").exists())

BLOCK = re.compile(r"^```sh\n(.*?)^```$", re.MULTILINE | re.DOTALL)
SHOWN = re.compile(r"^```text\n(.*?)^```$", re.MULTILINE | re.DOTALL)
INDENTED = re.compile(r"(?:^    .*\n)+", re.MULTILINE)

Shell = Callable[[str], subprocess.CompletedProcess[str]]


def read_page(name: str) -> str:
    """Return a page of docs/."""
    return (CHECKOUT / "docs" / name).read_text("utf-8")


def read_blocks(name: str) -> str:
    """Return the blocks of a page of docs/ that are for a shell, one after the other."""
    return "".join(BLOCK.findall(read_page(name)))


def simplify(line: str) -> str:
    """Return a line that was printed without what differs each time: digests and numbers; `...` ends it."""
    return re.sub(r"\d+", "N", re.sub(r"[0-9a-f]{64}", "DIGEST", line.partition("...")[0]))


def read_readme_blocks() -> list[str]:
    """Return the blocks of the README in which every line is a call of rtrace."""
    blocks = INDENTED.findall((CHECKOUT / "README.md").read_text("utf-8"))
    return [block for block in blocks if all(line.strip().startswith("rtrace ") for line in block.splitlines())]


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """Run a script with bash in `tmp_path`; the first command that fails ends it."""
    programs = tmp_path / ".programs"
    programs.mkdir()
    launcher = programs / "rtrace"
    launcher.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m rtrace "$@"\n')
    launcher.chmod(0o755)

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-euo", "pipefail", "-c", script],
            cwd=tmp_path,
            env={**os.environ, "PATH": f"{programs}:{os.environ['PATH']}"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
            timeout=600,
            text=True,
        )

    return run


@pytest.mark.requires("user-namespaces")
def test_tutorial_works_as_it_is_typed(shell: Shell, tmp_path: Path) -> None:
    """Each block of the tutorial does what the text around it says: one replay is identical, one differs."""
    done = shell(read_blocks("tutorial.md"))
    assert done.returncode == 0, done.stdout
    assert (tmp_path / "study.rpz").exists()
    printed = [simplify(line.replace(str(tmp_path), "/home/ada")) for line in done.stdout.splitlines()]
    shown = [line for block in SHOWN.findall(read_page("tutorial.md")) for line in block.splitlines()]
    assert [line for line in shown if not any(same.startswith(simplify(line)) for same in printed)] == []
    assert "verify exits with 1" in shown


@pytest.mark.requires("docker")
def test_page_for_docker_works_as_it_is_typed(shell: Shell, tmp_path: Path) -> None:
    """An image of a bundle is loaded, verified and started by the engine alone, and has the results."""
    made = shell("mkdir study; cd study; rtrace trace sh -c 'expr 40 + 2 > when.txt'; rtrace pack ../study.rpz")
    assert made.returncode == 0, made.stdout
    (tmp_path / "study" / "when.txt").unlink()
    try:
        done = shell(read_blocks("docker-only.md"))
        assert done.returncode == 0, done.stdout
        assert [path.read_text().strip().isdecimal() for path in tmp_path.glob("replayed/**/study/when.txt")] == [True]
    finally:
        with open_bundle(tmp_path / "study.rpz") as bundle:
            shell(f"docker rm --force replay; docker image rm --force rtrace-bundle:{bundle.identity[:12]}")


@pytest.mark.requires("user-namespaces")
@pytest.mark.requires("docker")
def test_readme_works_as_it_is_typed(shell: Shell, tmp_path: Path) -> None:
    """The README's lines for authors, reviewers and people with Docker work on a sample experiment."""
    shutil.copytree(CHECKOUT / "fixtures/experiments/text-pipeline", tmp_path, dirs_exist_ok=True)
    shutil.rmtree(tmp_path / "expected")
    blocks = read_readme_blocks()
    assert len(blocks) == 4
    assert "rtrace log" in blocks.pop(1)  # of files and runs that a reader has: test_sumatra_tutorial.py does the like
    done = shell(blocks[0] + "cp bundle.rpz paper.rpz\n" + "".join(blocks[1:]))
    assert done.returncode == 0, done.stdout
