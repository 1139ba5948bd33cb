"""Completion: what loads lazily goes in although the run did not touch it, each thing with a switch of its own."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from observing import run_rtrace
from rtrace.describe.completion import complete
from rtrace.describe.work_trees import read_index
from sites import make_site


@pytest.mark.requires("user-namespaces")
def test_a_replay_can_import_what_the_run_did_not(tmp_path: Path) -> None:
    """The manifest shows what completes the run; it is packed, and switched off it is not."""
    site = make_site(tmp_path)
    script = "import sys; sys.path.insert(0, sys.argv[1]); import lazy"
    traced = run_rtrace("trace", "--", "/usr/bin/python3", "-c", script, site, cwd=tmp_path)
    assert traced.returncode == 0, traced.stderr
    manifest = tmp_path / ".rtrace/manifest.yml"
    line = next(line for line in manifest.read_text().splitlines() if "lazy 1.0" in line)
    assert "pack: true" in line
    assert run_rtrace("pack", "with.rpz", cwd=tmp_path).returncode == 0
    manifest.write_text(manifest.read_text().replace(line, line.replace("pack: true", "pack: false")))
    assert run_rtrace("pack", "without.rpz", cwd=tmp_path).returncode == 0
    listed = {name: run_rtrace("list", f"{name}.rpz", cwd=tmp_path).stdout for name in ("with", "without")}
    assert b"lazy/later.py" in listed["with"]
    assert b"lazy/later.py" not in listed["without"]
    (tmp_path / "without.rpz").unlink()
    shutil.rmtree(site)
    verified = run_rtrace("verify", "with.rpz", cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout


def git(folder: Path, *arguments: str) -> None:
    """Run git(1) with nothing of the tester's own."""
    nobody = {f"GIT_{who}_{what}": "a@b.org" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    environ = {"PATH": os.environ["PATH"], "GIT_CONFIG_GLOBAL": "/dev/null", "GIT_CONFIG_NOSYSTEM": "1", **nobody}
    subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, env=environ)


def make_repository(folder: Path) -> Path:
    """Make a repository with names of many lengths, one of them without content yet."""
    folder.mkdir()
    git(folder, "init", "-q")
    for number in range(1, 24):
        (folder / ("n" * number)).write_text(f"{number}\n")
    (folder / "deep").mkdir()
    (folder / "deep/.gitattributes").write_text("*.txt text\n")
    git(folder, "add", ".")
    git(folder, "commit", "-qm", "all")
    (folder / "late").write_text("late")
    git(folder, "add", "-N", "late")
    return folder


@pytest.mark.requires("git")
@pytest.mark.parametrize("version", ["2", "3", "4"])
def test_the_index_of_git_is_read(tmp_path: Path, version: str) -> None:
    """All names are found in each version of the index, with longer entries, too; none in a torn one."""
    work = make_repository(tmp_path / "work")
    git(work, "update-index", "--index-version", version)
    index = work / ".git/index"
    names = subprocess.run(["git", "-C", work, "ls-files", "-z"], check=True, capture_output=True).stdout.split(b"\0")
    assert read_index(bytes(index)) == names[:-1]
    index.write_bytes(index.read_bytes()[:200])
    assert read_index(bytes(index)) == []


@pytest.mark.requires("git")
def test_what_git_watches_in_each_kind_of_work_tree(tmp_path: Path) -> None:
    """The files that an index names are found where they are: beside it, in a linked work tree, in a submodule."""
    work = make_repository(tmp_path / "work")
    git(work, "worktree", "add", "-q", str(tmp_path / "linked"))
    git(work, "-c", "protocol.file.allow=always", "submodule", "add", "-q", str(work), "part")
    places = {
        ".git/index": work,
        ".git/worktrees/linked/index": tmp_path / "linked",
        ".git/modules/part/index": work / "part",
    }
    for name, top in places.items():
        looked = {bytes(top / "nnn"): 2, bytes(top / "untracked"): 9, bytes(tmp_path / "nnn"): 3}
        index = bytes(work / name)
        (addition,) = complete([index], {index}, looked=looked)
        assert (addition.rule, addition.name) == ("git", str(top))
        expected = {top / "nnn", top / "deep/.gitattributes"}
        assert set(addition.paths) - {bytes((work / name).parent / "info/attributes")} == set(map(bytes, expected))


@pytest.mark.requires("git", "user-namespaces")
def test_a_replay_finds_a_work_tree_as_clean_as_it_was(tmp_path: Path) -> None:
    """Git looks at the times of files, and reads in a replay what it did not need to read in the run."""
    work = make_repository(tmp_path / "work")
    (work / "nn").write_text("changed\n")
    script = "git status --porcelain; git diff --stat; git describe --always --dirty"
    run_rtrace("trace", "-q", "sh", "-c", script, cwd=work)
    bundle = tmp_path / "bundle.rpz"
    run_rtrace("pack", bundle, cwd=work)
    work.rename(tmp_path / "hidden")
    verified = run_rtrace("verify", bundle, cwd=tmp_path)
    assert verified.returncode == 0, verified.stdout
    assert b" M nn\n" in verified.stderr
