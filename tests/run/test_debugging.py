"""What rtrace tells of itself to whoever looks into a failure, and how much it tells to everybody else."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run
from rtrace.debugging import debug, is_about, is_debugging, switch_off, switch_on
from rtrace.manifest.model import Output
from terminals import at_terminal

Command = Callable[..., subprocess.CompletedProcess[bytes]]


@pytest.fixture(autouse=True)
def silent_afterwards() -> Iterator[None]:
    """Nobody listens after a test."""
    yield
    switch_off()


def test_nothing_is_told_or_loaded_until_it_is_switched_on() -> None:
    """A module that tells something costs nobody the import of logging."""
    program = "import sys; from rtrace.debugging import debug; debug('rtrace.x', 'never %s', 1); print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True)
    assert "logging" not in done.stdout.split()
    assert "rtrace.debugging" in done.stdout.split()
    assert done.stderr == ""


def test_messages_are_handed_on_with_their_module() -> None:
    """Whoever listens gets each message in a line with its module; arguments that do not fit are no failure."""
    told: list[str] = []
    debug("rtrace.capture", "too early")
    switch_on(told.append)
    assert is_debugging()
    debug("rtrace.capture.loop", "took %d of %s", 3, "four")
    debug("rtrace_unpackers.chroot", "%d", "no number")
    assert [line[9:] for line in told] == [
        "rtrace.capture.loop: took 3 of four",
        "rtrace_unpackers.chroot: %d ('no number',)",
    ]
    assert all(float(line[:8]) >= 0 for line in told)


def test_topics_choose() -> None:
    """A topic is a module or a folder of them, and no other of which the name only begins in the same way."""
    told: list[str] = []
    switch_on(told.append, ("capture", "rtrace.pack"))
    for name in ("rtrace.capture", "rtrace.capture.loop", "rtrace.captured", "rtrace.packages", "rtrace.pack.plan"):
        debug(name, "x")
    assert [line.split()[1] for line in told] == ["rtrace.capture:", "rtrace.capture.loop:", "rtrace.pack.plan:"]


def test_unpackers_are_topics() -> None:
    """The other package's folders are named in the same way."""
    assert is_about("rtrace_unpackers.engines.docker", "engines")
    assert not is_about("rtrace_unpackers.engines.docker", "chroot")


@pytest.mark.parametrize("arguments", [("--debug", "info", "nosuch"), ("info", "--debug", "nosuch")])
def test_debug_tells_where_a_failure_comes_from(rtrace: Command, arguments: tuple[str, ...]) -> None:
    """--debug is understood before the command and behind it; the sentence for everybody comes as well."""
    done = rtrace(*arguments)
    assert done.returncode == 125
    assert b"Traceback" in done.stderr
    assert b"exit status 125" in done.stderr
    assert (
        b"\nrtrace: cannot open nosuch: No such file or directory; `rtrace pack` makes a bundle of what was traced\n"
        in done.stderr
    )
    assert b"Traceback" not in rtrace("info", "nosuch").stderr


def test_log_file(rtrace: Command, tmp_path: Path) -> None:
    """RTRACE_LOG with a slash is a file, behind which is written; standard error and the trace know nothing of it."""
    (tmp_path / "log").write_text("before\n")
    done = rtrace("trace", "true", env={"RTRACE_LOG": "./log"})
    again = rtrace("info", "nosuch", env={"RTRACE_LOG": f"cli,{tmp_path}/log"})
    log = (tmp_path / "log").read_text()
    assert log.startswith("before\n")
    assert (done.returncode, log.count("exit status 0"), log.count("exit status 125")) == (0, 1, 1)
    assert b"exit status 125" not in again.stderr
    assert "descriptors" not in (tmp_path / ".rtrace/manifest.yml").read_text()


@pytest.mark.parametrize("setting", ["nosuch", "capture,nosuch", "rtrace.nosuch", "./no/such/folder/log"])
def test_log_that_makes_no_sense(rtrace: Command, setting: str) -> None:
    """A topic that does not exist, or a file that cannot be written, is wrong usage."""
    done = rtrace("schema", env={"RTRACE_LOG": setting})
    assert (done.returncode, done.stdout) == (2, b"")
    assert done.stderr.startswith(b"rtrace: RTRACE_LOG")


@pytest.mark.parametrize("setting", ["1", "capture", "rtrace.capture.loop", "rtrace_unpackers.chroot,pack", ""])
def test_log_that_makes_sense(rtrace: Command, setting: str) -> None:
    """All parts of both packages can be named."""
    done = rtrace("schema", env={"RTRACE_LOG": setting})
    assert done.returncode == 0
    assert (b"exit status 0" in done.stderr) == (setting == "1")


@pytest.mark.parametrize("arguments", [("-q", "trace"), ("trace", "--quiet")])
def test_quiet(rtrace: Command, arguments: tuple[str, ...]) -> None:
    """--quiet leaves nothing to read where all goes well, and every error and warning where it does not."""
    assert rtrace(*arguments, "true").stderr == b""
    assert b".rtrace exists already" in rtrace(*arguments, "true").stderr
    talking = "import socket; socket.socket(type=socket.SOCK_DGRAM).connect(('192.0.2.1', 9))"
    warned = rtrace(*arguments, "--overwrite", "--", sys.executable, "-c", talking).stderr
    assert b"192.0.2.1 port 9" in warned
    assert warned.count(b"\n") == 1


COLORS: tuple[tuple[dict[str, str], tuple[str, ...], bool], ...] = (
    ({}, (), False),
    ({"FORCE_COLOR": "1"}, (), True),
    ({"FORCE_COLOR": "1", "NO_COLOR": "1"}, (), False),
    ({"NO_COLOR": "1"}, ("--color", "always"), True),
    ({"FORCE_COLOR": "1"}, ("--color=never",), False),
    ({}, ("--color", "auto"), False),
)


@pytest.mark.parametrize("environment, options, colored", COLORS)
def test_color(rtrace: Command, environment: dict[str, str], options: tuple[str, ...], colored: bool) -> None:  # noqa: FBT001
    """An error is red as --color says, else as NO_COLOR, else as FORCE_COLOR, and not in a pipe."""
    done = rtrace(*options, "info", "nosuch", env={"NO_COLOR": "", "FORCE_COLOR": "", **environment})
    prefix = b"\x1b[1;31mrtrace:\x1b[0m" if colored else b"rtrace:"
    assert (
        done.stderr
        == prefix + b" cannot open nosuch: No such file or directory; `rtrace pack` makes a bundle of what was traced\n"
    )
    usage = rtrace(*options, "info", "--nosuch", env={"NO_COLOR": "", "FORCE_COLOR": "", **environment})
    assert (b"\x1b[1;31mError:" in usage.stderr) == colored


@pytest.mark.parametrize("terminal, colored", [("xterm", True), ("dumb", False), ("", False)])
def test_color_on_a_terminal(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    terminal: str,
    colored: bool,  # noqa: FBT001
) -> None:
    """On a terminal an error is red, unless the terminal is said to be dumb; data is never coloured."""
    monkeypatch.setenv("TERM", terminal)
    monkeypatch.setenv("NO_COLOR", "")
    monkeypatch.setenv("FORCE_COLOR", "")
    with at_terminal(sys.executable, "-m", "rtrace", "info", "nosuch", cwd=tmp_path) as person:
        assert person.leave() == 125
    assert (b"\x1b[1;31mrtrace:\x1b[0m cannot" in person.shown) == colored
    with at_terminal(sys.executable, "-m", "rtrace", "schema", cwd=tmp_path) as person:
        assert person.leave() == 0
    assert b"\x1b" not in person.shown


FORCED = {"FORCE_COLOR": "1", "NO_COLOR": ""}


def paint(text: bytes, code: int) -> bytes:
    """Return a text as it is in bold and a colour."""
    return b"\x1b[1;%dm%b\x1b[0m" % (code, text)


def test_verdicts_are_coloured_and_data_is_not(rtrace: Command, tmp_path: Path) -> None:
    """What is good is green, what is not is red; lists and what surrounds a verdict have no colour."""
    maker = BundleMaker(tmp_path / "making")
    bundle = maker.write(make_run(b"echo new", stdout=Output("pipe", 4, "0" * 64)), make_run(b"true", id="run2"))
    checked = rtrace("check", bundle, env=FORCED)
    assert checked.stdout.startswith(paint(b"%b is intact" % os.fsencode(bundle), 32) + b"; identity: sha256:")
    wrong = rtrace("check", "--identity", "sha256:00", bundle, env=FORCED)
    assert wrong.stdout.startswith(b"\x1b[1;31m")
    assert [rtrace(name, "-q", *more).returncode for name, *more in (("trace", "true"), ("pack",))] == [0, 0]
    assert rtrace("audit", "bundle.rpz", env=FORCED).stdout.startswith(b"\x1b[1;32mnothing")
    verified = rtrace("verify", bundle, env=FORCED).stdout.splitlines()
    assert verified[0].startswith(paint(b"different", 31) + b"  ")
    assert verified[-1].startswith(b"\x1b[1;31m1 of 3 results differs")
    for command in (("list", bundle), ("info", bundle), ("schema",), ("check", "--json", bundle)):
        assert b"\x1b" not in rtrace(*command, env=FORCED).stdout


def test_escapes_of_strangers_stay_escapes(rtrace: Command) -> None:
    """Colour is put around what has been escaped: a stranger's escape sequence is text."""
    done = rtrace("--color", "always", "info", "\x1b[32mgood")
    assert (
        done.stderr
        == paint(b"rtrace:", 31)
        + b" cannot open \\x1b[32mgood: No such file or directory; `rtrace pack` makes a bundle of what was traced\n"
    )


def test_verbose_tells_more(rtrace: Command, tmp_path: Path) -> None:
    """-v adds to what is told, before the command's name and behind it; data stays the same."""
    bundle = BundleMaker(tmp_path / "making").write(make_run(b"echo out"))
    usual, more = rtrace("replay", bundle), rtrace("-v", "replay", bundle)
    assert usual.stdout == more.stdout == b"out\n"
    assert (usual.stderr, more.stderr) == (b"", b"rtrace: run1 ended with status 0\n")
    assert b"the command took" in rtrace("trace", "-v", "true").stderr
    lines = rtrace("unpack", "chroot", bundle, "target", "-v").stderr.splitlines()
    assert len(lines) > 1
    assert b"same  " not in rtrace("verify", bundle).stdout
    assert b"same  " in rtrace("verify", "-v", bundle).stdout
