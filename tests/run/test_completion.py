"""Completion in real shells: bash, zsh and fish at a terminal, and a person who presses TAB."""

import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.cli.options.completing import read_bash_words, unquote
from terminals import Person, at_terminal

Command = Callable[..., subprocess.CompletedProcess[bytes]]
SHELLS = {
    "bash": ("bash", "--norc", "--noprofile", "-i"),
    "zsh": ("zsh", "-f", "-i"),
    "fish": ("fish", "--no-config", "-i"),
}
LOAD = {
    "bash": 'PS1="> "; bind "set bell-style none"; eval "$(rtrace completion bash)"',
    "zsh": 'PS1="> "; unsetopt beep; autoload -U compinit; compinit -u -D; eval "$(rtrace completion zsh)"',
    "fish": "rtrace completion fish | source",
}


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a bundle of two runs, a target made of it, a text, and a command that shows how it is called."""
    folder = tmp_path_factory.mktemp("place")
    runs = (make_run(b"true", id="prepare"), make_run(b"true", id="plot"))
    BundleMaker(folder / "making").write(*runs).rename(folder / "my study.rpz")
    shutil.rmtree(folder / "making")
    (folder / "notes.txt").write_text("notes")
    (folder / "bin").mkdir()
    command = folder / "bin/rtrace"
    real = f'exec "{sys.executable}" -m rtrace "$@"'
    command.write_text(
        f"#!/bin/sh\ncase $1$_RTRACE_COMPLETE in completion | unpack | *bash | *zsh | *fish) {real} ;; esac\n"
        "printf '<%s>' \"$@\"\necho\n"
    )
    command.chmod(0o755)
    subprocess.run([command, "unpack", "chroot", "my study.rpz", "made"], check=True, capture_output=True, cwd=folder)
    return folder


@contextmanager
def at_shell(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Person]:
    """A shell that has read what `rtrace completion` prints."""
    monkeypatch.setenv("PATH", f"{place / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("HOME", str(place))
    with at_terminal(*SHELLS[name], cwd=place, rows=40, columns=160) as person:
        person.type(f"{LOAD[name]}; printf '%s%s' re ady; echo\n".encode())
        person.wait_for(b"ready")
        yield person


TYPED = {
    "ver\t": "<verify>",
    "verify --unpacker chr\t": "<verify><--unpacker><chroot>",
    "export -f rep\t": "<export><-f><reprozip>",
    "export --format=rep\t": "<export><--format=reprozip>",
    "--color al\t": "<--color><always>",
    "info my\t": "<info><my study.rpz>",
    "replay my\\ study.rpz pl\t": "<replay><my study.rpz><plot>",
    "replay made pre\tpl\t": "<replay><made><prepare><plot>",
    "trace cat no\t": "<trace><cat><notes.txt>",
    "trace -d no\t": "<trace><-d><notes.txt>",
    "help verif\t": "<help><verify>",
}


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.requires(name)) for name in SHELLS])
def test_what_tab_makes_of_words(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A beginning and TAB become commands, unpackers, formats, bundles, runs of bundles and targets, and files."""
    with at_shell(name, place, monkeypatch) as person:
        for typed, called in TYPED.items():
            person.type(f"rtrace {typed}\n".encode())
            person.wait_for(called.encode())
        person.type(b"rtrace destroy ma\t\n")
        person.wait_for(b"<destroy><made")
        person.type(b"rtrace destroy \x15exit\n")
        assert person.leave() == 0


@pytest.mark.parametrize("name", [pytest.param(name, marks=pytest.mark.requires(name)) for name in SHELLS])
def test_what_is_offered(name: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two TABs show all that fits: the targets and bundles, and not the text beside them."""
    with at_shell(name, place, monkeypatch) as person:
        person.type(b"rtrace replay \t\t")
        person.wait_for(b"made")
        person.wait_for(b"study")
        person.type(b"\x15\x03")
    assert b"notes.txt" not in person.shown


@pytest.mark.parametrize("name", SHELLS)
def test_script_is_printed(rtrace: Command, name: str) -> None:
    """What `rtrace completion` prints is for that shell; nothing else is on standard output."""
    done = rtrace("completion", name)
    assert (done.returncode, done.stderr) == (0, b"")
    assert f"for {name}".encode() in done.stdout.splitlines()[0] + done.stdout.splitlines()[1]


def test_words_of_bash() -> None:
    """Quotes are taken off as bash would, open ones too, and an option's value is put back behind its sign."""
    words = {"a\\ b": "a b", "'a b": "a b", '"a b"': "a b", "a'b\"c'": 'ab"c', "": ""}
    assert {word: unquote(word) for word in words} == words
    assert read_bash_words(["export", "--format", "=", "rep"]) == ["export", "--format=rep"]
    assert read_bash_words(["export", "--format", "="]) == ["export", "--format="]
    assert read_bash_words(["info", "a", "=", "b"]) == ["info", "a", "=", "b"]
    assert read_bash_words([]) == []


def ask(rtrace: Command, *words: str) -> list[str]:
    """Return the kinds and values that are offered to zsh for the last word."""
    done = rtrace(*words, env={"_RTRACE_COMPLETE": "zsh"})
    assert (done.returncode, done.stderr) == (0, b"")
    return [" ".join(line.split("\t")[:2]) for line in done.stdout.decode().splitlines()]


def test_nothing_is_done_or_told_while_completing(rtrace: Command, tmp_path: Path) -> None:
    """Options that act at once do not, and what cannot be read offers nothing instead of an error."""
    (tmp_path / "broken.rpz").write_bytes(b"x")
    assert ask(rtrace, "--debug", "--color", "always", "replay", "broken.rpz", "r") == []
    assert ask(rtrace, "trace", "--debug", "-V", "") == ["commands "]


def test_folders_on_the_way(rtrace: Command, tmp_path: Path) -> None:
    """Bundles come before folders; where there is none, any file may be meant; hidden ones are offered on request."""
    for name in ("b.rpz", "a/c.rpz", ".h/d.rpz", "e/f.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"")
    assert ask(rtrace, "check", "") == ["path b.rpz", "path a/", "path e/"]
    assert ask(rtrace, "check", "a/") == ["path a/c.rpz"]
    assert ask(rtrace, "check", "e/") == ["files e/"]
    assert ask(rtrace, "check", ".h/") == ["path .h/d.rpz"]
    assert ask(rtrace, "check", "no/such/") == ["files no/such/"]
