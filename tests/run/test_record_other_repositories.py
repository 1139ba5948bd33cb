"""What a record says of working trees of Mercurial and Subversion."""

import os
import subprocess
from pathlib import Path

import pytest

from repositories import PATIENCE
from rtrace.record.document import RepositoryFact
from rtrace.record.facts.repositories import find_repositories, read_repository

MOMENT = "2020-01-02T03:04:05.000000Z"


def run(folder: Path, *words: str | Path) -> str:
    """Run a program of version control without anybody's settings; it must succeed."""
    environ = {**os.environ, "HGRCPATH": "", "HGPLAIN": "1", "HGUSER": "Ada"}
    done = subprocess.run(words, cwd=folder, env=environ, capture_output=True, check=False, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def changed(fact: RepositoryFact) -> dict[str, str]:
    """Return the states of the changed files by their paths."""
    return {file["path"]: file["state"] for file in fact["changed"]}


@pytest.fixture
def mercurial(tmp_path: Path) -> Path:
    """A repository of Mercurial with one commit of three files."""
    folder = tmp_path / "hg"
    folder.mkdir()
    run(folder, "hg", "init")
    for name in ("analysis.py", "data.csv", "gone"):
        (folder / name).write_text("one\n")
    run(folder, "hg", "add", "-q")
    run(folder, "hg", "commit", "-m", "first", "-d", "2020-01-02 03:04:05 +0000")
    return folder


@pytest.mark.requires("hg")
def test_mercurial(mercurial: Path) -> None:
    """Commit, branch, tag, time, remotes without their passwords, changed files and the diff."""
    run(mercurial, "hg", "tag", "--local", "v1.0")
    (mercurial / ".hg/hgrc").write_text(
        "[paths]\ndefault = https://ada:secret@example.org/hg\nupstream = /srv/theirs\n"
    )
    fact = read_repository(os.fsencode(mercurial), timeout=PATIENCE)
    assert (fact["dirty"], fact["diff"], fact["changed"]) == (False, "", [])
    (mercurial / "analysis.py").write_text("two\n")
    (mercurial / "gone").unlink()
    for name in ("new", "other"):
        (mercurial / name).write_text("x\n")
    run(mercurial, "hg", "add", "new")
    fact = read_repository(os.fsencode(mercurial), timeout=PATIENCE)
    assert (fact["type"], fact["branch"], fact["tag"], fact["committed"]) == ("hg", "default", "v1.0", MOMENT)
    assert fact["commit"] == run(mercurial, "hg", "log", "-r", ".", "-T", "{node}")
    assert (fact["remote"], fact["upstream"], fact["problem"]) == ("https://example.org/hg", "/srv/theirs", None)
    assert changed(fact) == {"analysis.py": "modified", "gone": "deleted", "new": "added", "other": "untracked"}
    assert "-one\n+two\n" in str(fact["diff"])


def look(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Return times and numbers of all that is below a folder."""
    return {
        str(path): (path.lstat().st_mtime_ns, path.lstat().st_ctime_ns, path.lstat().st_ino)
        for path in [folder, *folder.rglob("*")]
    }


@pytest.mark.requires("hg", "svn", "svnadmin")
def test_nothing_is_changed_by_asking(mercurial: Path, subversion: Path) -> None:
    """No file is written, touched or added, though Mercurial likes to remember what it has seen."""
    for folder in (mercurial, subversion):
        os.utime(folder / "data.csv", (1, 1))
        (folder / "analysis.py").write_text("two\n")
        before = look(folder)
        assert changed(read_repository(os.fsencode(folder), timeout=PATIENCE)) == {"analysis.py": "modified"}
        assert look(folder) == before
    run(mercurial, "hg", "status")
    assert look(mercurial) != before


@pytest.mark.requires("hg")
def test_a_hostile_mercurial(mercurial: Path) -> None:
    """Settings of a repository that start a program in Mercurial itself start none in what reads a record."""
    canary = mercurial.parent / "started"
    extension = mercurial / "evil.py"
    extension.write_text(f"open({str(canary)!r}, 'a').close()\n")
    (mercurial / ".hg/hgrc").write_text(
        f"[extensions]\nevil = {extension}\nextdiff =\n[hooks]\npre-status = touch {canary}\npre-log = touch {canary}\n"
        f"pre-diff = touch {canary}\n[alias]\nstatus = !touch {canary}\n[encode]\n** = pipe: touch {canary}; cat\n"
        f"[pager]\npager = touch {canary}\n[ui]\nssh = touch {canary}\n[defaults]\nlog = --config hooks.pre-log=x\n"
    )
    (mercurial / ".hgsub").write_text("sub = [git]ext::sh\n")
    run(mercurial, "hg", "status")
    assert canary.exists(), "the trick does not work on Mercurial itself"
    canary.unlink()
    (mercurial / "analysis.py").write_text("two\n")
    fact = read_repository(os.fsencode(mercurial), timeout=PATIENCE)
    assert not canary.exists()
    assert changed(fact)["analysis.py"] == "modified"


@pytest.fixture
def subversion(tmp_path: Path) -> Path:
    """A working copy of Subversion with one commit of three files on the trunk."""
    run(tmp_path, "svnadmin", "create", "store")
    url = f"file://{tmp_path}/store"
    run(tmp_path, "svn", "mkdir", "-q", "-m", "trunk", f"{url}/trunk")
    run(tmp_path, "svn", "checkout", "-q", f"{url}/trunk", "copy @1")
    folder = tmp_path / "copy @1"
    for name in ("analysis.py", "data.csv", "gone"):
        (folder / name).write_text("one\n")
        run(folder, "svn", "add", "-q", name)
    run(folder, "svn", "commit", "-q", "-m", "first")
    run(folder, "svn", "update", "-q")
    return folder


@pytest.mark.requires("svn", "svnadmin")
def test_subversion(subversion: Path) -> None:
    """Revision, branch, time, address, changed files and the diff."""
    fact = read_repository(os.fsencode(subversion), timeout=PATIENCE)
    assert (fact["dirty"], fact["diff"], fact["changed"], fact["problem"]) == (False, "", [], None)
    (subversion / "analysis.py").write_text("two\n")
    run(subversion, "svn", "delete", "-q", "gone")
    for name in ("new", "other"):
        (subversion / name).write_text("x\n")
    run(subversion, "svn", "add", "-q", "new")
    fact = read_repository(os.fsencode(subversion), timeout=PATIENCE)
    assert (fact["type"], fact["commit"], fact["branch"], fact["tag"]) == ("svn", "2", "trunk", None)
    assert str(fact["committed"]).endswith("Z")
    assert fact["remote"] == f"file://{subversion.parent}/store/trunk"
    assert changed(fact) == {"analysis.py": "modified", "gone": "deleted", "new": "added", "other": "untracked"}
    assert "-one\n+two\n" in str(fact["diff"])


@pytest.mark.requires("svn", "svnadmin")
def test_a_hostile_subversion(subversion: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of the user that name a program to compare with are not those of a record."""
    canary = subversion.parent / "started"
    program = subversion.parent / "evil"
    program.write_text(f"#!/bin/sh\ntouch {canary}\n")
    program.chmod(0o755)
    (subversion.parent / ".subversion").mkdir()
    (subversion.parent / ".subversion/config").write_text(f"[helpers]\ndiff-cmd = {program}\n")
    (subversion / "analysis.py").write_text("two\n")
    monkeypatch.setenv("HOME", str(subversion.parent))
    run(subversion, "svn", "diff")
    assert canary.exists(), "the trick does not work on Subversion itself"
    canary.unlink()
    assert changed(read_repository(os.fsencode(subversion), timeout=PATIENCE)) == {"analysis.py": "modified"}
    assert not canary.exists()


@pytest.mark.requires("hg", "svn", "svnadmin")
def test_each_kind_is_found(mercurial: Path, subversion: Path) -> None:
    """A path below a working tree of any kind leads to its root, and no other does."""
    paths = [os.fsencode(mercurial / "deep/down/file"), os.fsencode(subversion / "gone"), b"/usr/bin/env", b"relative"]
    assert find_repositories(paths) == [os.fsencode(subversion), os.fsencode(mercurial)]


@pytest.mark.requires("hg", "svn", "svnadmin")
def test_without_their_programs(mercurial: Path, subversion: Path) -> None:
    """Where the program is missing, the record says so."""
    for folder, name in ((mercurial, "Mercurial"), (subversion, "Subversion")):
        fact = read_repository(os.fsencode(folder), environ={"PATH": ""}, timeout=PATIENCE)
        assert str(fact["problem"]).startswith(f"{name} is not installed")
