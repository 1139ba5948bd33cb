"""The program that a container of an exported image starts: what it replays, compares, and says of it."""

import os
import signal
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bundle_making import digest, make_run, wrote
from emulators import EMULATORS, need_emulator
from rtrace.bundle.entry import FileType, Result
from rtrace.errors import TargetError
from rtrace.exports.protocol import Expectations, ExpectedResult
from rtrace.manifest.model import Output, Run
from rtrace_unpackers.engines.image.dockerfile import name_launchers
from rtrace_unpackers.oci import first_program
from rtrace_unpackers.oci.first_program import build_first_program

UNJUDGED = (
    "not judged here, but by `rtrace verify`: new files that the original did not leave, outputs under another name"
)


@pytest.fixture(params=sorted(EMULATORS))
def architecture(request: pytest.FixtureRequest) -> str:
    """An architecture whose programs this machine can execute, if need be with an emulator that it happens to have."""
    return need_emulator(request.param)


class Maker:
    """Writes the program of an image, whose launchers are scripts of a folder."""

    def __init__(self, folder: Path, architecture: str, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder = folder
        self.architecture = architecture
        self._monkeypatch = monkeypatch

    def write(self, scripts: Mapping[str, str], runs: Sequence[Run], expectations: Expectations) -> list[str]:
        """Write it for runs with these scripts; return how it is started."""
        launchers = {run.id: str(self.folder / f"launcher-{number}") for number, run in enumerate(runs)}
        for name, script in scripts.items():
            launcher = Path(launchers[name])
            launcher.write_text(f"#!/bin/sh\ncd {self.folder} || exit 99\n{script}\n")
            launcher.chmod(0o755)
        self._monkeypatch.setattr(first_program, "name_launchers", lambda _: launchers)
        placed = [replace(run, architecture=self.architecture, uid=os.getuid(), gid=os.getgid()) for run in runs]
        program = self.folder / "start"
        program.write_bytes(build_first_program(placed, expectations, "ab" * 32, keeps_digests=True))
        program.chmod(0o755)
        return [*EMULATORS[self.architecture], str(program)]


@pytest.fixture
def maker(tmp_path: Path, architecture: str, monkeypatch: pytest.MonkeyPatch) -> Maker:
    """What writes programs for an architecture."""
    return Maker(tmp_path, architecture, monkeypatch)


def start(argv: Sequence[str], *arguments: str) -> subprocess.CompletedProcess[str]:
    """Run a program with no input."""
    return subprocess.run(
        [*argv, *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        check=False,
        timeout=60,
    )


def printed(text: bytes, kind: str = "pipe", **more: Any) -> Output:
    """Return what a stream of the original had."""
    return Output(kind, len(text), digest(text), **more)


def test_each_result_has_its_verdict(maker: Maker) -> None:
    """Existence, kind, size, content, mode and target are compared; each line is safe for a terminal."""
    folder = os.fsencode(maker.folder)
    other = b"x" * 70_000

    def left(name: bytes, content: bytes | None = b"", **more: Any) -> Result:
        path = folder + b"/" + name
        if content is None:
            return Result("run1", path, more.pop("type", FileType.SYMLINK), **more)
        return Result("run1", path, FileType.REGULAR, more.pop("mode", 0o644), len(content), digest(content), **more)

    results = {
        "same": left(b"same", other),
        "empty": left(b"empty"),
        "odd": left(b"odd\x1b[31m\n\xff", b"1"),
        "content": left(b"content", b"1"),
        "size": left(b"size", b"12"),
        "mode": left(b"mode", b"1", mode=0o755),
        "both": left(b"both", b"1", mode=0o600),
        "absent": left(b"absent"),
        "link": left(b"link", None, target=b"same"),
        "moved": left(b"moved", None, target=b"\x1bthere"),
        "kind": left(b"kind"),
        "folder": left(b"folder", None, type=FileType.DIRECTORY),
        "fifo": left(b"fifo", None, type=FileType.FIFO),
        "removed": left(b"removed", None, type=None),
        "kept": left(b"kept", None, type=None),
        "through": left(b"folder-link/in"),
        "unknown": replace(left(b"size"), sha256=None, size=1),
    }
    script = (
        "umask 022; head -c 70000 /dev/zero | tr '\\0' x > same; : > empty\n"
        "printf 1 > \"$(printf 'odd\\033[31m\\n\\377')\"\n"
        "for one in size mode both kept; do printf 1 > $one; done; printf 2 > content; printf 2 > both\n"
        "ln -s same link; ln -s here moved; mkdir kind folder; mkfifo fifo; : > folder/in; ln -s folder folder-link"
    )
    expected = [ExpectedResult(result) for result in results.values()]
    argv = maker.write({"run1": script}, (make_run(),), Expectations(tuple(expected)))
    done = start(argv, "verify")
    where = f"{maker.folder}/"
    assert done.stdout.splitlines() == [
        "same       exit status of run1",
        f"missing    {where}absent",
        f"different  {where}both: the content differs, 1 bytes as before; mode 0644, was 0600",
        f"different  {where}content: the content differs, 1 bytes as before",
        f"same       {where}empty",
        f"same       {where}fifo",
        f"same       {where}folder",
        f"missing    {where}folder-link/in",
        f"extra      {where}kept: it is still there; the original run removed it",
        f"different  {where}kind: a directory, was a file",
        f"same       {where}link",
        f"different  {where}mode: mode 0644, was 0755",
        f"different  {where}moved: leads elsewhere, led to \\x1bthere",
        f"same       {where}odd\\x1b[31m\\n\\xff",
        f"same       {where}removed",
        f"same       {where}same",
        f"different  {where}size: 1 bytes, was 2",
        f"unknown    {where}size: the bundle does not hold the original's digest",
        UNJUDGED,
        *tell_network(),
        "the results differ: 8 same, 6 different, 2 missing, 1 extra, 1 unknown",
    ]
    assert (done.returncode, done.stderr) == (1, "")


def tell_network() -> list[str]:
    """Return the line that tells of a network, which this machine may have."""
    has_more = len(Path("/proc/net/dev").read_text().splitlines()) > 3
    return ["the replay had a network; `docker run --network none` takes it away"] if has_more else []


def test_all_the_same_ends_with_0(maker: Maker) -> None:
    """Where nothing differs, the last line says so; other files are counted, and told where they differ."""
    path = os.fsencode(maker.folder) + b"/"
    results = (
        ExpectedResult(wrote(path + b"out", b"1\n")),
        ExpectedResult(wrote(path + b"log", b"9\n"), counts=False),
        ExpectedResult(wrote(path + b"same.log", b"1\n"), counts=False),
    )
    run = make_run(stdout=printed(b"hello\n"), stderr=printed(b"oh\n"), exit_code=3)
    script = "umask 022; echo 1 | tee same.log > out; echo 8 > log; echo hello; echo oh >&2; exit 3"
    done = start(maker.write({"run1": script}, (run,), Expectations(results, ignored=2)), "verify")
    assert done.stdout.splitlines() == [
        "same       exit status of run1",
        "same       standard output of run1",
        "same       standard error of run1",
        f"different  {maker.folder}/log: the content differs, 2 bytes as before{NO_OUTPUT}",
        f"same       {maker.folder}/out",
        "other files that the runs wrote, which have no part in the verdict: 1 same, 1 different",
        f"{UNJUDGED}; 2 results left out by the author",
        *tell_network(),
        "all results are identical: 4 same",
    ]
    assert done.returncode == 0
    assert sorted(done.stderr.splitlines()) == ["hello", "oh"]


def test_what_proves_nothing_is_no_verdict(maker: Maker) -> None:
    """A difference of a run that lacks its input, an output that nobody wrote or renames: 3, and why."""
    path = os.fsencode(maker.folder) + b"/"
    named = Result("run1", path + b"out-17", FileType.REGULAR, 0o644, 0, digest(b""))
    results = (ExpectedResult(named, renamed=True), ExpectedResult(replace(named, path=path + b"gone")))
    doubts = {"run1": "some of the original's input was not captured"}
    unwritten = (("run1", path + b"never"),)
    done = start(maker.write({"run1": "exit 1"}, (make_run(),), Expectations(results, doubts, unwritten)), "verify")
    assert done.stdout.splitlines()[:4] == [
        "unknown    exit status of run1: 1, was 0; different, but some of the original's input was not captured",
        f"unknown    {maker.folder}/gone; missing, but some of the original's input was not captured",
        f"unknown    {maker.folder}/out-17: {OTHER_NAME}",
        f"unknown    {maker.folder}/never: {first_program.NOT_WRITTEN}",
    ]
    assert done.stdout.splitlines()[-1] == "there is no verdict: 4 unknown"
    assert done.returncode == 3


def test_what_the_image_holds_counts_when_it_is_written_anew(maker: Maker) -> None:
    """An output that came with the image is the same only if the replay wrote it."""
    for name in ("anew", "left"):
        (maker.folder / name).write_text("1\n")
        (maker.folder / name).chmod(0o644)
    results = tuple(
        ExpectedResult(
            Result("run1", os.fsencode(maker.folder / name), FileType.REGULAR, 0o644, 2, digest(b"1\n")), held=True
        )
        for name in ("anew", "left")
    )
    done = start(maker.write({"run1": "echo 1 > anew"}, (make_run(),), Expectations(results)), "verify")
    assert done.stdout.splitlines()[1:3] == [
        f"same       {maker.folder}/anew",
        f"missing    {maker.folder}/left: the replay did not write it: what is there came with the image",
    ]


@pytest.mark.parametrize(
    "kind, words", [("pipe", "fifo"), ("file", "regular empty file"), ("terminal", "character special file")]
)
def test_streams_are_of_the_original_kind(kind: str, words: str, maker: Maker) -> None:
    """A program that looks at its output finds what the original found; all bytes are compared, as they are."""
    text = f"{words}\n24 80\n".encode() if kind == "terminal" else f"{words}\n".encode()
    text += b"\x00a\r\n\t" * 30_000
    size = "stty size <&1\n" if kind == "terminal" else ""
    script = f"stat -Lc %F /proc/self/fd/1\n{size}i=0; perl -e 'print \"\\0a\\r\\n\\t\" x 30000'"
    window = (24, 80) if kind == "terminal" else None
    run = make_run(stdout=printed(text, kind, window=window))
    done = start(maker.write({"run1": script}, (run,), Expectations()), "verify")
    assert done.stdout.splitlines()[1] == "same       standard output of run1"


def test_what_a_run_prints_is_shown_harmless(maker: Maker) -> None:
    """What a terminal would obey is compared as it is, and shown as a question mark."""
    text = b"\x1b[31m\x07 \xc3\xa9\xc2\x9b\x7f\t\n"
    run = make_run(stdout=printed(text))
    script = "printf '\\033[31m\\007 \\303\\251\\302\\233\\177\\t\\n'"
    done = start(maker.write({"run1": script}, (run,), Expectations()), "verify")
    assert done.stdout.splitlines()[1] == "same       standard output of run1"
    assert done.stderr.encode("utf-8", "surrogateescape") == b"?[31m? \xc3\xa9\xc2??\t\n"


def test_both_streams_at_once_are_one(maker: Maker) -> None:
    """Where standard error was standard output, both are compared as one, in their order."""
    run = make_run(stdout=printed(b"1\n2\n3\n"), stderr=Output("pipe", joined=True))
    script = "echo 1; echo 2 >&2; echo 3"
    done = start(maker.write({"run1": script}, (run,), Expectations()), "verify")
    assert done.stdout.splitlines()[:2] == ["same       exit status of run1", "same       standard output of run1"]
    assert "standard error" not in done.stdout


def test_stream_that_was_cut_is_cut_again(maker: Maker) -> None:
    """Of a stream whose reader went away as much is read, and then it is closed: the program ends as it did."""
    run = make_run(stdout=printed(b"y\n" * 500, cut=True), exit_code=141)
    done = start(maker.write({"run1": "yes & wait $!; exit $?"}, (run,), Expectations()), "verify")
    assert done.stdout.splitlines()[:2] == ["same       exit status of run1", "same       standard output of run1"]


OTHER_NAME = "its name changes from run to run, and only `rtrace verify` finds the new one"
NO_OUTPUT = " (no output, and no part of the verdict)"
RUNS = tuple(make_run(id=name) for name in ("make", "plot", "verify", "odd\x1bname"))
CHAIN = (RUNS[0], replace(RUNS[1], needs=("make",)), RUNS[2], RUNS[3])
SCRIPTS = {"make": "echo make", "plot": "echo plot; exit 5", "verify": "echo verify", "odd\x1bname": "echo odd"}


@pytest.mark.parametrize(
    "arguments, stdout, stderr, status",
    [
        ((), "make\nplot\n", "", 5),
        (("make",), "make\n", "", 0),
        (("plot",), "plot\n", "make\n", 5),
        (("odd\x1bname", "make"), "make\nodd\n", "", 0),
        (("--", "verify"), "verify\n", "", 0),
        (("pl\x1bot",), "", "rtrace: there is no run pl?ot; the runs are make, plot, verify, odd\\x1bname\n", 2),
        (("verify", "x"), "", "rtrace: there is no run x; the runs are make, plot, verify, odd\\x1bname\n", 2),
        (("/bin/echo", "a b"), "a b\n", "", 0),
        (("/nonexistent",), "", "rtrace: cannot execute /nonexistent\n", 127),
    ],
)
def test_arguments_choose_runs(arguments: tuple[str, ...], stdout: str, stderr: str, status: int, maker: Maker) -> None:
    """Runs are replayed in their order, those that are needed first and not shown; a run that fails is the last."""
    done = start(maker.write(SCRIPTS, CHAIN, Expectations()), *arguments)
    assert (done.stdout, done.stderr, done.returncode) == (stdout, stderr, status)


def test_verify_of_one_run_compares_what_it_needs_too(maker: Maker) -> None:
    """`verify RUN` replays and compares the run and those that it needs, and all of them even if one fails."""
    done = start(maker.write(SCRIPTS, CHAIN, Expectations()), "verify", "plot")
    assert done.stdout.splitlines()[:2] == [
        "same       exit status of make",
        "different  exit status of plot: 5, was 0",
    ]
    assert done.returncode == 1
    assert "odd" not in done.stdout


def test_help_names_the_runs(maker: Maker) -> None:
    """`--help` says how the image is used, and which runs there are, safe for a terminal."""
    done = start(maker.write(SCRIPTS, CHAIN, Expectations()), "--help")
    assert done.returncode == 0
    assert "\x1b" not in done.stdout
    assert "  odd\\x1bname  sh -c  zero\n" in done.stdout
    assert "ab" * 32 in done.stdout


def test_a_signal_ends_a_verification_without_a_verdict(maker: Maker) -> None:
    """SIGTERM reaches the run; there is no verdict then, but the status of the signal."""
    argv = maker.write(
        {"run1": "trap 'exit 0' TERM; echo ready; while :; do sleep 0.02; done"}, (make_run(),), Expectations()
    )
    with subprocess.Popen([*argv, "verify"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        assert process.stderr.readline() == "ready\n"
        process.send_signal(signal.SIGTERM)
        assert process.stderr.read() == "rtrace: interrupted; there is no verdict\n"
        assert (process.stdout.read(), process.wait()) == ("", 143)


def test_what_outlives_a_run_is_waited_for(maker: Maker) -> None:
    """The results are compared when everything that the run started has ended."""
    path = os.fsencode(maker.folder) + b"/late"
    if EMULATORS[maker.architecture]:
        pytest.skip("the emulator does not hand processes on to those that ask for them")
    results = (ExpectedResult(wrote(path, b"1\n")),)
    script = "umask 022; (trap '' HUP; sleep 0.3; echo 1 > late) > /dev/null 2>&1 &"
    done = start(maker.write({"run1": script}, (make_run(),), Expectations(results)), "verify")
    assert done.stdout.splitlines()[1] == f"same       {maker.folder}/late"


def test_runs_of_two_kinds_of_processors_are_refused() -> None:
    """An image is for one kind of processor; programs of 32 bits are for the same one."""
    runs = (make_run(), make_run(id="other", architecture="aarch64"))
    with pytest.raises(TargetError, match="one kind of processor, and the runs are for aarch64, x86_64"):
        build_first_program(runs, Expectations(), "0", keeps_digests=True)
    with pytest.raises(TargetError, match="an image cannot replay programs for riscv64"):
        build_first_program((make_run(architecture="riscv64"),), Expectations(), "0", keeps_digests=True)
    assert name_launchers((make_run(id="start"),)) == {"start": "/.rtrace/run-number-1"}
