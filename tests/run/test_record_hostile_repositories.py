"""Repositories that would have git start a program: each trick works on git itself, and none on a record."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from repositories import PATIENCE, QUIET, make_repository, run_git
from rtrace.record.facts.repositories import read_repository

pytestmark = pytest.mark.requires("git")


@dataclass
class Trap:
    """A repository, and a program that leaves a file when it is started."""

    root: Path
    program: Path
    canary: Path
    environ: dict[str, str] = field(default_factory=dict)

    def configure(self, name: str, value: str | Path) -> None:
        """Set a setting of the repository."""
        run_git(self.root, "config", name, str(value))

    def attribute(self, line: str) -> None:
        """Give files an attribute, as a commit of a stranger would."""
        (self.root / ".gitattributes").write_text(f"{line}\n")

    def change(self) -> None:
        """Change a file, so that there is something to compare, and the times of another, so that git looks at it."""
        (self.root / "data.csv").write_text("a,b\n1,3\n")
        os.utime(self.root / "analysis.py", (1, 1))


@pytest.fixture
def trap(tmp_path: Path) -> Trap:
    """A repository with a changed file, and the program of whoever made it."""
    canary = tmp_path / "started"
    program = tmp_path / "evil"
    program.write_text(f'#!/bin/sh\necho "$0 $*" >>{canary}\nexit 0\n')
    program.chmod(0o755)
    return Trap(make_repository(tmp_path / "project"), program, canary)


Trick = Callable[[Trap], tuple[str, ...]]
"""Sets the trap, and returns the command of git that falls into it."""


def monitor(trap: Trap) -> tuple[str, ...]:
    """A monitor of the file system, which `git status` asks."""
    trap.configure("core.fsmonitor", trap.program)
    return ("status",)


def included_monitor(trap: Trap) -> tuple[str, ...]:
    """The same in a file that the settings include."""
    (trap.root / "more").write_text(f"[core]\n\tfsmonitor = {trap.program}\n")
    trap.configure("include.path", "../more")
    return ("status",)


def monitor_by_condition(trap: Trap) -> tuple[str, ...]:
    """The same in a file that is included on this branch."""
    (trap.root / "more").write_text(f"[core]\n\tfsmonitor = {trap.program}\n")
    trap.configure("includeIf.onbranch:main.path", "../more")
    return ("status",)


def monitor_of_the_tree(trap: Trap) -> tuple[str, ...]:
    """The same in the settings of one working tree."""
    trap.configure("extensions.worktreeConfig", "true")
    (trap.root / ".git/config.worktree").write_text(f"[core]\n\tfsmonitor = {trap.program}\n")
    return ("status",)


def monitor_of_a_submodule(trap: Trap) -> tuple[str, ...]:
    """The same in the settings of a submodule, which git enters by itself."""
    part = make_repository(trap.root.parent / "part")
    run_git(trap.root, "submodule", "--quiet", "add", part, "part")
    run_git(trap.root, "commit", "-q", "-m", "with a part")
    run_git(trap.root / "part", "config", "core.fsmonitor", str(trap.program))
    return ("status",)


def monitor_of_an_embedded_repository(trap: Trap) -> tuple[str, ...]:
    """The same in a repository that was committed as a link to a commit, without the file .gitmodules."""
    inner = make_repository(trap.root / "inner")
    run_git(trap.root, "add", "inner")
    run_git(trap.root, "commit", "-q", "-m", "with an inner one")
    run_git(inner, "config", "core.fsmonitor", str(trap.program))
    return ("status",)


def external_diff(trap: Trap) -> tuple[str, ...]:
    """A program that compares files."""
    trap.configure("diff.external", trap.program)
    return ("diff", "HEAD")


def diff_driver(trap: Trap) -> tuple[str, ...]:
    """A program that compares files of a kind."""
    trap.attribute("*.csv diff=evil")
    trap.configure("diff.evil.command", trap.program)
    return ("diff", "HEAD")


def text_conversion(trap: Trap) -> tuple[str, ...]:
    """A program that turns files of a kind into text."""
    trap.attribute("*.csv diff=evil")
    trap.configure("diff.evil.textconv", trap.program)
    return ("diff", "HEAD")


def clean_filter(trap: Trap) -> tuple[str, ...]:
    """A program through which files go on their way into a commit."""
    trap.attribute("*.csv filter=evil")
    trap.configure("filter.evil.clean", trap.program)
    return ("diff", "HEAD")


def filter_process(trap: Trap) -> tuple[str, ...]:
    """The same as a server."""
    trap.attribute("*.csv filter=evil")
    trap.configure("filter.evil.process", trap.program)
    trap.configure("filter.evil.required", "false")
    return ("status",)


def filter_by_own_attributes(trap: Trap) -> tuple[str, ...]:
    """A filter by the repository's own file of attributes."""
    (trap.root / ".git/info").mkdir(exist_ok=True)
    (trap.root / ".git/info/attributes").write_text("* filter=evil\n")
    trap.configure("filter.evil.clean", trap.program)
    return ("diff", "HEAD")


def attributes_elsewhere(trap: Trap) -> tuple[str, ...]:
    """A filter by a file of attributes that the settings name."""
    (trap.root / "more").write_text("* filter=evil\n")
    trap.configure("core.attributesFile", trap.root / "more")
    trap.configure("filter.evil.clean", trap.program)
    return ("diff", "HEAD")


def hook(trap: Trap) -> tuple[str, ...]:
    """A hook of the index, which git runs when it has looked at the files again."""
    path = trap.root / ".git/hooks/post-index-change"
    path.parent.mkdir(exist_ok=True)
    path.symlink_to(trap.program)
    return ("status",)


def hooks_elsewhere(trap: Trap) -> tuple[str, ...]:
    """The same hook in a folder that the settings name."""
    (trap.root / "hooks").mkdir()
    (trap.root / "hooks/post-index-change").symlink_to(trap.program)
    trap.configure("core.hooksPath", "hooks")
    return ("status",)


def pager(trap: Trap) -> tuple[str, ...]:
    """A pager, which a terminal brings about."""
    trap.configure("core.pager", trap.program)
    return ("diff", "HEAD")


def signature(trap: Trap) -> tuple[str, ...]:
    """A program that checks the signature of a commit."""
    header, text = run_git(trap.root, "cat-file", "commit", "HEAD").split("\n\n")
    seal = "gpgsig -----BEGIN PGP SIGNATURE-----\n \n x\n -----END PGP SIGNATURE-----"
    commit = f"{header}\n{seal}\n\n{text}\n".encode()
    signed = run_git(trap.root, "hash-object", "-t", "commit", "-w", "--stdin", given=commit)
    run_git(trap.root, "update-ref", "refs/heads/main", signed)
    trap.configure("gpg.program", trap.program)
    trap.configure("log.showSignature", "true")
    return ("log", "-1")


def missing_object(trap: Trap) -> tuple[str, ...]:
    """An object that is missing, which a partial clone would fetch from wherever its settings say."""
    name = run_git(trap.root, "rev-parse", "HEAD:data.csv")
    (trap.root / ".git/objects" / name[:2] / name[2:]).unlink()
    trap.configure("core.repositoryFormatVersion", "1")
    trap.configure("extensions.partialClone", "origin")
    trap.configure("remote.origin.promisor", "true")
    trap.configure("remote.origin.url", f"ext::{trap.program} %S")
    trap.configure("protocol.ext.allow", "always")
    return ("diff", "HEAD")


def secure_shell(trap: Trap) -> tuple[str, ...]:
    """The same by a program in the place of ssh."""
    missing_object(trap)
    trap.configure("remote.origin.url", "ssh://example.org/project")
    trap.configure("core.sshCommand", trap.program)
    return ("diff", "HEAD")


def credentials(trap: Trap) -> tuple[str, ...]:
    """A helper that knows passwords."""
    trap.configure("credential.helper", trap.program)
    return ("credential", "fill")


def alias(trap: Trap) -> tuple[str, ...]:
    """A command of the repository's own."""
    trap.configure("alias.look", f"!{trap.program}")
    return ("look",)


def environment_diff(trap: Trap) -> tuple[str, ...]:
    """A program that compares files, named by the environment of the run."""
    trap.environ["GIT_EXTERNAL_DIFF"] = str(trap.program)
    return ("diff", "HEAD")


def environment_settings(trap: Trap) -> tuple[str, ...]:
    """Settings in the environment of the run."""
    trap.environ.update(GIT_CONFIG_COUNT="1", GIT_CONFIG_KEY_0="core.fsmonitor", GIT_CONFIG_VALUE_0=str(trap.program))
    return ("status",)


def settings_of_the_home(trap: Trap) -> tuple[str, ...]:
    """Settings in a home folder that the environment of the run names."""
    (trap.root / ".gitconfig").write_text(f"[core]\n\tfsmonitor = {trap.program}\n")
    trap.environ.update(HOME=str(trap.root), GIT_CONFIG_GLOBAL=str(trap.root / ".gitconfig"))
    return ("status",)


def git_beside_the_code(trap: Trap) -> tuple[str, ...]:
    """A git in the repository, and a PATH that begins where we are."""
    (trap.root / "git").symlink_to(trap.program)
    trap.environ["PATH"] = f".::{os.environ['PATH']}"
    return ("status",)


TRICKS: list[Trick] = [
    monitor, included_monitor, monitor_by_condition, monitor_of_the_tree, monitor_of_a_submodule,
    monitor_of_an_embedded_repository, external_diff, diff_driver, text_conversion, clean_filter, filter_process,
    filter_by_own_attributes, attributes_elsewhere, hook, hooks_elsewhere, pager, signature, missing_object,
    secure_shell, credentials, alias, environment_diff, environment_settings, settings_of_the_home, git_beside_the_code,
]  # fmt: skip


def hash_folder(folder: Path) -> str:
    """Return a digest of all names, times and contents below a folder."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*")):
        status = path.lstat()
        digest.update(repr((str(path), status.st_mode, status.st_mtime_ns, status.st_ctime_ns)).encode())
        if path.is_file() and not path.is_symlink():
            digest.update(path.read_bytes())
    return digest.hexdigest()


@pytest.mark.parametrize("trick", TRICKS)
def test_a_repository_starts_nothing(trap: Trap, trick: Trick, monkeypatch: pytest.MonkeyPatch) -> None:
    """Git itself falls into the trap; what reads the record does not, knows the commit, and changes nothing."""
    command = trick(trap)
    trap.change()
    terminal, end = os.openpty()  # the few lines of an answer fit into it
    subprocess.run(
        ["git", *command], cwd=trap.root, env={**QUIET, "PAGER": "cat", "GIT_TERMINAL_PROMPT": "0", **trap.environ},
        check=False, stdout=end, stderr=subprocess.DEVNULL, input=b"protocol=https\nhost=example.org\n\n", timeout=60,
    )  # fmt: skip
    os.close(end)
    os.close(terminal)
    assert trap.canary.exists(), "the trick does not work on git itself"
    trap.canary.unlink()
    os.utime(trap.root / "analysis.py", (2, 2))
    for name, value in trap.environ.items():
        monkeypatch.setenv(name, value)
    monkeypatch.chdir(trap.root)
    before = hash_folder(trap.root)
    fact = read_repository(os.fsencode(trap.root), timeout=PATIENCE)
    assert not trap.canary.exists()
    assert hash_folder(trap.root) == before
    assert fact["dirty"] is True
    assert "data.csv" in {file["path"] for file in fact["changed"]}
    monkeypatch.undo()
    assert fact["commit"] == (trap.root / ".git/refs/heads/main").read_text().strip()


@pytest.mark.parametrize("environ", [{}, {"GIT_DIR": "/nonexistent"}])
def test_all_tricks_at_once(trap: Trap, environ: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    """A repository with every trick in it starts nothing either, and is told from a clean one by its changes alone."""
    for trick in TRICKS:
        if trick not in {missing_object, secure_shell, git_beside_the_code, monitor_of_a_submodule, included_monitor,
                         monitor_by_condition, attributes_elsewhere}:  # fmt: skip
            trick(trap)
    trap.change()
    trap.canary.unlink()  # making them has set some off
    for name, value in {**trap.environ, **environ}.items():
        monkeypatch.setenv(name, value)
    fact = read_repository(os.fsencode(trap.root), timeout=PATIENCE)
    assert not trap.canary.exists()
    assert (fact["branch"], fact["dirty"]) == ("main", True)
    assert "+1,3\n" in str(fact["diff"])
