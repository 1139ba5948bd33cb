"""The vocabulary of the command line: commands, synonyms, help, and what is said of a word that it does not know."""

import os
import shlex
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import click
import pytest

from bundle_making import BundleMaker, make_run
from rtrace import __version__
from rtrace.cli.frame.command import RtraceCommand
from rtrace.cli.frame.commands import COMMANDS, GROUPS, SYNONYMS
from rtrace.cli.frame.commands import rtrace as group

Command = Callable[..., subprocess.CompletedProcess[bytes]]


def load(name: str) -> RtraceCommand:
    """Import a command."""
    command = group.get_command(click.Context(group), name)
    assert isinstance(command, RtraceCommand)
    return command


def test_overview_is_grouped(rtrace: Command) -> None:
    """`--help`, `-h` and `help` show all commands by what they are for, within the width of a terminal."""
    shown = {rtrace(word).stdout for word in ("--help", "-h", "help")}
    assert len(shown) == 1
    lines = shown.pop().decode().splitlines()
    assert max(map(len, lines)) <= 80
    places = [lines.index(f"{title}:") for title in ("Record", "Look", "Replay", "Publish", "Help", "Exit status")]
    assert places == sorted(places)
    for title, commands in GROUPS.items():
        rest = lines[lines.index(f"{title}:") + 1 :]
        listed = [line.split()[0] for line in rest[: rest.index("")] if line[:3].strip()]
        assert listed == list(commands)


@pytest.mark.parametrize("name", COMMANDS)
def test_help_of_a_command_ends_with_statuses_and_an_example(rtrace: Command, name: str) -> None:
    """What a command's exit status means, and how it is called, stands in its own help: by `--help`, `-h` or `help`."""
    shown = {rtrace(name, "--help").stdout, rtrace("help", name).stdout}
    if name != "list":  # where -h may be about sizes, as everywhere that files are listed
        shown.add(rtrace(name, "-h").stdout)
    assert len(shown) == 1
    text = shown.pop().decode()
    assert text.startswith(f"Usage: rtrace {name}")
    ending = text[text.index("\nExit status:\n") :]
    for status in ("2", "125", "128+N"):
        assert f"\n  {status} " in ending
    assert f"\n  rtrace {name}" in ending[ending.index("\nExample") :]
    assert not ending.rstrip().endswith(":")


@pytest.mark.parametrize("name", COMMANDS)
def test_examples_are_understood(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The examples in the help use options and arguments that the command has."""
    monkeypatch.chdir(tmp_path)
    for folder in ("paper", "study"):  # which examples speak of
        Path(folder).mkdir()
    for example in load(name).examples:
        words = shlex.split(example)
        words = words[: words.index(">")] if ">" in words else words
        words = words[words.index("rtrace") :]
        command = load(words[1])
        context = command.make_context(words[1], words[2:], parent=click.Context(group), resilient_parsing=False)
        assert context.command is command


def test_version(rtrace: Command) -> None:
    """-V and --version name the version."""
    assert {rtrace(word).stdout for word in ("-V", "--version")} == {f"rtrace {__version__}\n".encode()}


UNKNOWN = (
    (("trce",), b"there is no command 'trce'; did you mean trace?"),
    (("verifi", "b.rpz"), b"did you mean verify?"),
    (("replya",), b"did you mean replay or repeat?"),
    (("xyzzy",), b"there is no command 'xyzzy'; `rtrace help` lists all"),
    (("help", "trce"), b"did you mean trace?"),
    (("trace", "--overwrit", "true"), b"--overwrite"),
    (("unpack", "dokcer", "b.rpz"), b"there is no unpacker 'dokcer'; did you mean docker?"),
    (
        ("unpack", "xyzzy", "b.rpz"),
        b"there is no unpacker 'xyzzy'; choose one of: apptainer, chroot, directory, docker",
    ),
    (("export", "-f", "reprozipp", "b.rpz"), b"there is no format 'reprozipp'; did you mean reprozip?"),
    (("export", "-f", "xyzzy", "b.rpz"), b"there is no format 'xyzzy'; choose one of: reprozip"),
    (("convert", "b.rpz", "c.rpz"), b"there is no command 'convert'"),
)


@pytest.mark.parametrize("words, sentence", UNKNOWN)
def test_what_may_have_been_meant(rtrace: Command, words: tuple[str, ...], sentence: bytes) -> None:
    """A word that is not known is answered with the nearest that is, and the status of wrong usage."""
    done = rtrace(*words)
    assert (done.returncode, done.stdout) == (2, b"")
    assert sentence in done.stderr


def test_run_is_replay(rtrace: Command, tmp_path: Path) -> None:
    """The synonym does the same, and its help says that it is one."""
    assert SYNONYMS == {"run": "replay"}
    bundle = BundleMaker(tmp_path / "making").write(make_run(b"echo replayed; exit 7"))
    for name in ("run", "replay"):
        done = rtrace(name, bundle)
        assert (done.returncode, done.stdout) == (7, b"replayed\n"), done
    assert b"another name" in rtrace("run", "--help").stdout


def test_run_of_a_program_hints_at_trace(rtrace: Command, tmp_path: Path) -> None:
    """Whoever means to record a run is told with what, for a script, a binary and the name of a command."""
    (tmp_path / "script").write_text("#!/bin/sh\necho no\n")
    (tmp_path / "script").chmod(0o755)
    for words, hint in (
        (("script",), "rtrace trace ./script"),
        (("./script", "x"), "rtrace trace ./script"),
        ((sys.executable, "x.py"), f"rtrace trace {sys.executable}"),
        (("sh",), "rtrace trace sh"),
    ):
        done = rtrace("run", *words)
        assert (done.returncode, done.stdout) == (2, b"")
        assert done.stderr.decode().endswith(f"; to record a run of it: {hint}\n") or hint in done.stderr.decode()


def test_run_of_what_is_neither(rtrace: Command, tmp_path: Path) -> None:
    """A file that is no program is no bundle, and what does not exist is no target: nobody is sent to `trace`."""
    (tmp_path / "text").write_text("#!/bin/sh\n")
    for name in ("text", "nosuchcommand", "no/such/path"):
        done = rtrace("run", name)
        assert done.returncode == 125
        assert b"rtrace trace" not in done.stderr


def test_exported_name(rtrace: Command, tmp_path: Path) -> None:
    """Without --output the file is named by the bundle and the format, in this folder."""
    (tmp_path / "elsewhere").mkdir()
    bundle = BundleMaker(tmp_path / "making").write(make_run())
    os.rename(bundle, tmp_path / "elsewhere/study.rpz")
    done = rtrace("export", "elsewhere/study.rpz", "--format", "reprozip")
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "study.reprozip.rpz").exists()


@pytest.mark.parametrize("signal, name", [("KILL", "SIGKILL"), ("TERM", "SIGTERM"), ("RTMIN", "SIGRTMIN")])
def test_trace_names_signal_and_counts(rtrace: Command, signal: str, name: str) -> None:
    """One process is one process, and a signal has a name."""
    done = rtrace("trace", "--", "bash", "-c", f"kill -{signal} $$")
    assert b"rtrace: traced 1 process and " in done.stderr
    assert f"; killed by {name}\n".encode() in done.stderr


def test_garbage_is_collected_while_a_command_runs() -> None:
    """The collector is off while rtrace is loaded, and on again for what takes long."""
    program = (
        "import gc, sys; sys.argv = ['rtrace', 'schema']\n"
        "import rtrace.cli.schema\n"
        "rtrace.cli.schema.command.callback = lambda **_options: print(gc.isenabled())\n"
        "from rtrace.cli import main\n"
        "main()"
    )
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert done.stdout == "True\n"
