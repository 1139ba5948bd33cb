"""A signal at any moment of any command: nothing half is left, the status is 128+N, and one sentence says it."""

import os
import shutil
import signal
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, wrote
from bundle_samples import make_bundle as make_sample
from rtrace.operations.check import check_bundle
from terminals import at_terminal

# In the background of a shell without job control some signals are ignored, which is not what is tested here.
RTRACE = ("env", "--default-signal=HUP,INT,TERM,QUIT", sys.executable, "-m", "rtrace")
MOMENTS = int(os.environ.get("RTRACE_MOMENTS", "3"))
"""At how many moments of each command a signal comes."""

SIGNALLING = textwrap.dedent(
    """\
    # Imported by Python at its start: sends signals to itself at events that Python tells of, such as opening a file.
    import os, signal, sys

    _first, _last, _number = (int(os.environ[f"SIGNAL_{name}"]) for name in ("FIRST", "LAST", "NUMBER"))
    _process, _count = os.getpid(), 0

    def _watch(event, arguments):
        global _count
        if event.partition(".")[0] not in {"open", "os", "shutil", "tempfile", "sqlite3", "subprocess"}:
            return
        if event == "os.kill" or os.getpid() != _process or signal.getsignal(signal.SIGTERM) is signal.SIG_DFL:
            return  # before rtrace has begun, or after its end
        _count += 1
        if _first <= _count <= _last:
            os.kill(_process, _number)

    def _tell():
        if "SIGNAL_COUNT" in os.environ:
            with open(os.environ["SIGNAL_COUNT"], "w") as file:
                file.write(str(_count))

    if _first >= 0:
        import atexit
        sys.addaudithook(_watch)
        atexit.register(_tell)
    """
)


class Place:
    """A folder to work in, with a folder for temporary files of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder / "work"
        self.temporary = folder / "temporary"
        self.modules = folder / "modules"

    def run(
        self, *argv: str, first: int = -1, last: int = -1, number: int = signal.SIGTERM, count: Path | None = None
    ) -> subprocess.CompletedProcess[str]:
        """Run a command, to which a signal comes at the first to the last of its events."""
        return subprocess.run(
            [*RTRACE, *argv],
            cwd=self.folder,
            env=self.environment(first, last, number, count),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=300,
        )

    def environment(self, first: int, last: int, number: int, count: Path | None) -> dict[str, str]:
        """Return the environment of a command."""
        told = {} if count is None else {"SIGNAL_COUNT": str(count)}
        numbers = {"SIGNAL_FIRST": str(first), "SIGNAL_LAST": str(last), "SIGNAL_NUMBER": str(int(number))}
        return {**os.environ, "TMPDIR": str(self.temporary), "PYTHONPATH": str(self.modules), **numbers, **told}

    def count_events(self, *argv: str) -> int:
        """Run a command undisturbed, and tell how many events it has."""
        count = self.temporary.parent / "count"
        done = self.run(*argv, first=0, last=0, count=count)
        assert done.returncode in {0, 1}, done.stderr
        return int(count.read_text())

    def list_files(self) -> set[str]:
        """List all that is in the folder, and what should not be in the one for temporary files."""
        found = {str(path.relative_to(self.folder)) for path in self.folder.rglob("*")}
        return found | {str(path) for path in self.temporary.iterdir()}

    def find_processes(self) -> list[str]:
        """List the processes that are still at work here."""
        mark = f"TMPDIR={self.temporary}".encode()
        found = []
        for process in Path("/proc").glob("[0-9]*"):
            try:
                if mark in (process / "environ").read_bytes().split(b"\0"):
                    found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
            except OSError:  # it has ended
                continue
        return found


def make_place(folder: Path) -> Place:
    """Make a place."""
    made = Place(folder)
    for part in (made.folder, made.temporary, made.modules):
        part.mkdir(parents=True)
    (made.modules / "sitecustomize.py").write_text(SIGNALLING)
    return made


@pytest.fixture
def place(tmp_path: Path) -> Place:
    """A place to work in."""
    return make_place(tmp_path / "place")


def prepare_trace(place: Place) -> None:
    """Make two traces and a bundle of ReproZip's kind's source."""
    (place.folder / "in").write_bytes(os.urandom(3 << 20))
    for name in (".rtrace", "other"):
        done = place.run("trace", "-d", name, "sh", "-c", "cat in > out")
        assert done.returncode == 0, done.stderr


def prepare_traced_bundle(place: Place) -> None:
    """Make a bundle with a trace in it."""
    prepare_trace(place)
    assert place.run("pack", "b.rpz").returncode == 0


def prepare_bundle(place: Place) -> None:
    """Make a bundle of files of some size."""
    make_sample(place.folder / "making").path.rename(place.folder / "b.rpz")


def prepare_replay(place: Place) -> None:
    """Make a bundle that can be replayed, and a target."""
    maker = BundleMaker(place.folder / "making")
    maker.file(b"/work/in", os.urandom(3 << 20))
    bundle = maker.write(make_run(b"cat in > out"), results=(wrote(b"/work/out", b"other"),))
    bundle.rename(place.folder / "b.rpz")


def prepare_target(place: Place) -> None:
    """Make a bundle and a target of it."""
    prepare_replay(place)
    assert place.run("unpack", "chroot", "b.rpz", "target").returncode == 0


Prepare = Callable[[Place], None]
CASES: dict[str, tuple[Prepare, tuple[str, ...], tuple[str, ...]]] = {
    "trace": (lambda _: None, ("trace", "sh", "-c", "echo > out"), (".rtrace", "out")),
    "continue": (prepare_trace, ("trace", "--continue", "sh", "-c", "cat in > out2"), (".rtrace", "out2")),
    "overwrite": (prepare_trace, ("trace", "--overwrite", "sh", "-c", "cat in > out2"), (".rtrace", "out2")),
    "combine": (prepare_trace, ("combine", "-d", "third", ".rtrace", "other"), ("third",)),
    "pack": (prepare_trace, ("pack", "new.rpz"), ("new.rpz",)),
    "pack-for-reprozip": (prepare_trace, ("pack", "--format", "reprozip", "new.rpz"), ("new.rpz",)),
    "export": (prepare_bundle, ("export", "-f", "reprozip", "-o", "new.rpz", "b.rpz"), ("new.rpz",)),
    "extract": (prepare_bundle, ("extract", "-o", "new", "b.rpz", "/data/large"), ("new",)),
    "extract-all": (prepare_bundle, ("extract", "-o", "new", "b.rpz", "/**"), ("new",)),
    "info": (prepare_bundle, ("info", "b.rpz"), ()),
    "list": (prepare_bundle, ("list", "b.rpz"), ()),
    "check": (prepare_bundle, ("check", "b.rpz"), ()),
    "audit": (prepare_traced_bundle, ("audit", "b.rpz"), ()),
    "unpack": (prepare_replay, ("unpack", "chroot", "b.rpz", "new"), ("new",)),
    "run": (prepare_replay, ("run", "b.rpz"), ()),
    "verify": (prepare_replay, ("verify", "b.rpz"), ()),
    "doctor": (prepare_target, ("doctor", "--clean"), ()),
    "destroy": (prepare_target, ("destroy", "target"), ("target",)),
}


@pytest.mark.parametrize("storm", [False, True], ids=["once", "again-and-again"])
@pytest.mark.parametrize("name", CASES)
def test_signal_at_any_moment(tmp_path: Path, name: str, *, storm: bool) -> None:
    """Whenever a signal comes, once or at every step from then on, nothing half is left, and the next command works."""
    prepare, argv, makes = CASES[name]

    prepare(make_place(tmp_path / "prepared"))

    def make(name: str) -> Place:
        shutil.copytree(tmp_path / "prepared", tmp_path / name, symlinks=True)
        return Place(tmp_path / name)

    events = make("counting").count_events(*argv)
    numbers = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    for moment in range(MOMENTS):
        place = make(str(moment))
        before = place.list_files()
        first = 1 + events * (2 * moment + 1) // (2 * MOMENTS)
        number = numbers[moment % len(numbers)]
        done = place.run(*argv, first=first, last=10**9 if storm else first, number=number)
        told = f"{name} at event {first} of {events} by {number}: {done}"
        assert done.returncode == 128 + number, told
        assert "Traceback" not in done.stderr, told
        assert done.stderr.count("interrupted by") <= 1, told
        assert place.find_processes() == [], told
        new = place.list_files() - before
        assert [path for path in new if path.split("/")[0] not in makes] == [], told
        if name != "destroy":
            assert before - place.list_files() == set(), told
        assert_whole(place, makes)
        assert_next_works(place, name, argv, makes)


def assert_whole(place: Place, makes: tuple[str, ...]) -> None:
    """Assert that what has its final name is whole."""
    if "new.rpz" in makes and (place.folder / "new.rpz").exists():
        assert check_bundle(place.folder / "new.rpz").problem is None
    if "new" in makes and (place.folder / "new/rtrace-target.json").exists():
        assert (place.folder / "new/root/work/in").stat().st_size == 3 << 20


def assert_next_works(place: Place, name: str, argv: tuple[str, ...], makes: tuple[str, ...]) -> None:
    """Assert that the same command works when it is called again, if it has not done its work already."""
    if name in {"trace", "continue", "overwrite"} and (place.folder / ".rtrace").exists():
        done = place.run("pack", "next.rpz")
        assert done.returncode == 0, done.stderr
        return
    if any((place.folder / made).exists() for made in makes) != (name == "destroy"):
        return
    done = place.run(*argv)
    assert done.returncode in {0, 1}, done.stderr


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM])
def test_ignored_signal_stays_ignored(place: Place, number: signal.Signals) -> None:
    """What nohup(1) or a shell's background had ignored, does not end a command."""
    prepare_bundle(place)
    name = number.name.removeprefix("SIG")
    done = subprocess.run(
        ["env", f"--ignore-signal={name}", *RTRACE[2:], "check", "b.rpz"],
        cwd=place.folder,
        env=place.environment(1, 10**9, number, None),
        capture_output=True,
        check=False,
    )
    assert done.returncode == 0, done


# BusyBox's shell ignores SIGQUIT: the program that is to die of it tells that it is there by itself.
DYING = "echo ready > ready; exec tail -f ready"
ENDING_WELL = "trap 'exit 0' HUP INT TERM QUIT; echo ready; while :; do read -t 1; done"


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGINT, signal.SIGTERM, signal.SIGQUIT])
@pytest.mark.parametrize("command", ["verify", "run"])
@pytest.mark.parametrize("script", [DYING, ENDING_WELL])
def test_signal_during_a_replay(place: Place, number: signal.Signals, command: str, script: str) -> None:
    """The program gets the signal; `verify` gives no verdict of what it did then, and `run` begins no further run.

    Whether the program dies of it or ends well, the target is gone afterwards.
    """
    maker = BundleMaker(place.folder / "making")
    runs = (make_run(script.encode()), make_run(b"echo second", id="run2"))
    maker.write(*runs).rename(place.folder / "b.rpz")
    with subprocess.Popen(
        [*RTRACE, command, "b.rpz"],
        cwd=place.folder,
        env=place.environment(-1, -1, number, None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        process.send_signal(number)
        rest = process.stdout.read()
    died = script == DYING
    assert process.returncode == (128 + number if died or command == "verify" else 0), rest
    assert [word for word in (b"same", b"different", b"Traceback") if word in rest] == []
    if command == "verify":
        assert rest == f"rtrace: interrupted by {number.name}; what was half done is removed\n".encode()
    elif died or number != signal.SIGINT:
        assert b"second" not in rest
    assert list(place.temporary.iterdir()) == []
    assert place.find_processes() == []


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGALRM, signal.SIGPROF, signal.SIGIO, signal.SIGRTMIN + 2])
def test_signal_that_a_replayed_program_handles(place: Place, number: int) -> None:
    """Whatever is sent to rtrace reaches the program, whose exit status is its own."""
    script = f"trap 'exit 5' {int(number)}; echo ready; while :; do read -t 1; done"
    maker = BundleMaker(place.folder / "making")
    maker.write(make_run(script.encode())).rename(place.folder / "b.rpz")
    with subprocess.Popen(
        [*RTRACE, "run", "b.rpz"],
        cwd=place.folder,
        env=place.environment(-1, -1, number, None),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    ) as process:
        assert process.stdout is not None
        first = process.stdout.readline()
        process.send_signal(number if first == b"ready\n" else signal.SIGTERM)
        rest = process.stdout.read()
    assert (process.returncode, first) == (5, b"ready\n"), rest
    assert place.find_processes() == []


def run_program(program: str) -> str:
    """Run a program that has signals raise exceptions, as the command line does; return what it printed."""
    begin = "import os, signal\nfrom rtrace import interrupts\nfrom rtrace.cli.terminal.crashes import tell_all\n"
    begin += "tell_all()\ninterrupts.begin()\nme = os.getpid()\n"
    argv = [*RTRACE[:3], "-c", begin + textwrap.dedent(program)]
    done = subprocess.run(argv, check=False, capture_output=True, text=True, timeout=60)
    assert (done.stderr, done.returncode) == ("", 0)
    return done.stdout


def test_shield_keeps_a_signal_until_its_end() -> None:
    """What is shielded is done as a whole, within a further shield too; where the shield is lifted, a signal comes."""
    program = """\
        try:
            with interrupts.shielded():
                with interrupts.shielded():
                    os.kill(me, signal.SIGTERM)
                    os.kill(me, signal.SIGINT)
                    print("inner")
                print("outer")
            print("never")
        except interrupts.Interrupted as interrupt:
            print(interrupt)
        interrupts.begin()
        signal.pthread_sigmask(signal.SIG_UNBLOCK, interrupts.ENDING)
        try:
            with interrupts.shielded(), interrupts.lifted():
                os.kill(me, signal.SIGHUP)
                print("never")
        except interrupts.Interrupted as interrupt:
            print(interrupt)
        """
    assert run_program(program) == "inner\nouter\ninterrupted by SIGTERM\ninterrupted by SIGHUP\n"


def test_what_is_held_is_always_let_go() -> None:
    """A signal while something is made comes when it is known that it has to be removed, and so it is."""
    program = """\
        import contextlib
        @contextlib.contextmanager
        def thing():
            os.kill(me, signal.SIGTERM)
            print("made")
            try:
                yield
            finally:
                os.kill(me, signal.SIGTERM)
                print("removed")
        try:
            with interrupts.held(thing):
                print("never")
        except interrupts.Interrupted as interrupt:
            print(interrupt)
        """
    assert run_program(program) == "made\nremoved\ninterrupted by SIGTERM\n"


def test_signal_in_a_destructor_comes_again() -> None:
    """Python swallows what a destructor raises: the signal comes again where it is heard."""
    program = """\
        class Last:
            def __del__(self):
                os.kill(me, signal.SIGTERM)
                print("never")
        try:
            Last()
            while True:
                signal.pause()
        except interrupts.Interrupted as interrupt:
            print(interrupt)
        """
    assert run_program(program) == "interrupted by SIGTERM\n"


def test_signal_in_a_destructor_at_the_very_end() -> None:
    """A signal that was to come again when nobody hears it any more ends rtrace as any other does, and no timer."""
    program = """\
        class Last:
            def __del__(self):
                os.kill(me, signal.SIGTERM)
        Last()
        try:
            interrupts.end()
        except interrupts.Interrupted as interrupt:
            print(interrupt, interrupts.raised(), signal.getitimer(signal.ITIMER_REAL))
        """
    assert run_program(program) == "interrupted by SIGTERM 15 (0.0, 0.0)\n"


def test_forked_process_dies_of_its_signal() -> None:
    """A process that was forked has nothing to clean up: a signal ends it, and its parent goes on."""
    program = """\
        child = os.fork()
        if child == 0:
            try:
                os.kill(os.getpid(), signal.SIGTERM)
            finally:
                print("never")
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]))
        """
    assert run_program(program) == "-15\n"


@pytest.mark.parametrize("key", [b"\x03", b"\x1c"], ids=["interrupt", "quit"])
@pytest.mark.parametrize("command", ["verify", "run"])
def test_key_at_a_terminal_during_a_replay(tmp_path: Path, command: str, key: bytes) -> None:
    """The keys that interrupt end a replay, and no verdict comes of it; the terminal is as it was."""
    maker = BundleMaker(tmp_path / "making")
    bundle = maker.write(make_run(DYING.encode()))
    with at_terminal(*RTRACE, command, "--color", "never", bundle, cwd=tmp_path) as person:
        before = person.modes()
        person.wait_for(b"ready\r\n")
        person.type(key)
        number = signal.SIGINT if key == b"\x03" else signal.SIGQUIT
        assert person.leave() == 128 + number
        assert person.modes() == before
    assert (f"interrupted by {number.name}".encode() in person.shown) == (command == "verify")
    assert b"different" not in person.shown
    assert b"\x1b" not in person.shown
