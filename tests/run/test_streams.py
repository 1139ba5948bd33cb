"""Standard streams: kept without the program noticing, whether they are terminals, pipes or files."""

from __future__ import annotations

import hashlib
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from observing import Observation, Row, run_rtrace
from rtrace.manifest.model import Output
from rtrace.manifest.reading.load import load
from terminals import at_terminal

PYTHON = (sys.executable, "-S", "-c")
RTRACE = (sys.executable, "-m", "rtrace")
TRACE = (*RTRACE, "trace", "-q", "-d", "trace", "--")
PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
"""With the interpreter of these tests, and its rtrace, before all others."""
DESCRIBE = """
import os, stat, sys, fcntl
for number in (0, 1, 2):
    mode = os.fstat(number).st_mode
    kind = "fifo" if stat.S_ISFIFO(mode) else "file" if stat.S_ISREG(mode) else "tty" if os.isatty(number) else "other"
    os.write(1, f"{number} is {kind}\\n".encode())
"""


def streams(folder: Path) -> dict[int, Row]:
    """Return the rows of the only run's streams, by descriptor."""
    rows = Observation(subprocess.CompletedProcess([], 0), folder / "trace").rows("SELECT * FROM streams")
    return {row["descriptor"]: row for row in rows}


def kept(folder: Path, name: str = "run1.stdout") -> bytes:
    """Return what was kept of a stream."""
    return (folder / "trace/streams" / name).read_bytes()


def sha256(content: bytes) -> str:
    """Return a digest as the trace has it."""
    return hashlib.sha256(content).hexdigest()


def shell(script: str, folder: Path) -> subprocess.CompletedProcess[bytes]:
    """Run a shell script in which $RTRACE traces what follows."""
    environ = {**os.environ, "RTRACE": "rtrace trace -q -d trace --", "PATH": PATH, "DESCRIBE": DESCRIBE}
    return subprocess.run(
        ["bash", "-c", script], cwd=folder, env=environ, capture_output=True, check=False, timeout=120
    )


def test_pipes_are_kept_apart(tmp_path: Path) -> None:
    """Both streams reach their readers and are kept, with size and digest of each, when they are two pipes."""
    traced = run_rtrace(*TRACE[3:], "sh", "-c", "echo out; echo err >&2; exit 3", cwd=tmp_path)
    assert (traced.returncode, traced.stdout, traced.stderr) == (3, b"out\n", b"err\n")
    assert (kept(tmp_path), kept(tmp_path, "run1.stderr")) == (b"out\n", b"err\n")
    rows = streams(tmp_path)
    assert [(rows[n]["kind"], rows[n]["size"], rows[n]["sha256"]) for n in (1, 2)] == [
        ("pipe", 4, sha256(b"out\n")),
        ("pipe", 4, sha256(b"err\n")),
    ]


def test_a_pipe_stays_a_pipe(tmp_path: Path) -> None:
    """A program sees FIFOs where pipes were, a file where a file was, and no descriptor more."""
    script = '$RTRACE python3 -S -c "$DESCRIBE" < /etc/passwd | cat'
    assert shell(script, tmp_path).stdout == b"0 is file\n1 is fifo\n2 is fifo\n"


def test_one_pipe_for_both_keeps_the_order(tmp_path: Path) -> None:
    """With 2>&1 both streams stay one, so that a thousand alternating lines come and are kept in their order."""
    program = "import os\nfor n in range(1000): os.write(1 + n % 2, b'%d\\n' % n)"
    traced = run_rtrace(*TRACE[3:], *PYTHON, program, cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                        capture_output=False)  # fmt: skip
    expected = b"".join(b"%d\n" % number for number in range(1000))
    assert traced.stdout == expected
    assert kept(tmp_path) == expected
    assert (streams(tmp_path)[2]["joined"], os.listdir(tmp_path / "trace/streams")) == (1, ["run1.stdout"])


def test_reader_that_goes_away_ends_the_program(tmp_path: Path) -> None:
    """`yes | head -1` ends with the SIGPIPE of yes, traced or not, and the row says that there may have been more."""
    done = shell("$RTRACE yes | head -1; echo ${PIPESTATUS[@]}", tmp_path)
    assert done.stdout == b"y\n141 0\n"
    row = streams(tmp_path)[1]
    assert (row["cut"], row["sha256"]) == (1, sha256(b"y\n" * (row["size"] // 2)))


def test_program_that_waits_for_its_reader_to_go_is_woken(tmp_path: Path) -> None:
    """A program that polls its standard output, as `tail -f` does, learns that the reader has gone while it is idle."""
    program = (
        "import os, select\n"
        "poll = select.poll(); poll.register(1, 0); os.write(1, b'ready\\n')\n"
        "os.write(2, b'gone\\n' if poll.poll(60000) else b'waited in vain\\n')"
    )
    environ = {**os.environ, "RTRACE": "rtrace trace -q -d trace --", "PATH": PATH, "PROGRAM": program}
    done = subprocess.run(
        ["bash", "-c", '$RTRACE python3 -S -c "$PROGRAM" | head -1'],
        cwd=tmp_path, env=environ, capture_output=True, check=False, timeout=120,
    )  # fmt: skip
    assert (done.stdout, done.stderr) == (b"ready\n", b"gone\n")


def test_slow_reader_holds_the_program_back(tmp_path: Path) -> None:
    """A program cannot run ahead of its reader by more than the pipes hold: it waits for it, as it would untraced."""
    program = (
        "import os\n"
        "os.set_blocking(1, False)\n"
        "total = 0\n"
        "try:\n"
        "    while True: total += os.write(1, b'x' * 4096)\n"
        "except BlockingIOError: os.write(2, b'%d\\n' % total)"
    )
    with subprocess.Popen(
        [*TRACE, *PYTHON, program], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as tracer:
        assert tracer.stderr is not None
        written = int(tracer.stderr.readline())
        output, _ = tracer.communicate(timeout=60)
    assert (len(output), written <= 4 * 65536, tracer.returncode) == (written, True, 0)


def test_reader_sees_the_end_when_the_program_closes_its_output(tmp_path: Path) -> None:
    """The reader's end of file comes when the program closes its standard output, not when the tracer ends."""
    with subprocess.Popen(
        [*TRACE, "sh", "-c", "echo all; exec >&-; read line"],
        cwd=tmp_path, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
    ) as tracer:  # fmt: skip
        assert tracer.stdout is not None
        assert tracer.stdin is not None
        assert tracer.stdout.read() == b"all\n"
        assert tracer.poll() is None
        tracer.stdin.write(b"\n")


def test_output_to_a_file_is_left_alone(tmp_path: Path) -> None:
    """A program writes to `> out` itself; the trace knows the file, and what the run wrote between two offsets."""
    script = "{ echo before; $RTRACE sh -c 'echo now; echo $(readlink /proc/$$/fd/1) >&2'; echo after; } > out"
    done = shell(script, tmp_path)
    assert os.fsencode(tmp_path / "out") in done.stderr
    assert (tmp_path / "out").read_bytes() == b"before\nnow\nafter\n"
    row = streams(tmp_path)[1]
    assert (row["kind"], row["path"], row["begin"], row["end"]) == ("file", os.fsencode(tmp_path / "out"), 7, 11)
    assert (row["size"], row["sha256"]) == (4, sha256(b"now\n"))


def test_appended_output_is_found(tmp_path: Path) -> None:
    """With `>> out` what the run wrote begins at the end that the file had."""
    (tmp_path / "out").write_text("there before\n")
    shell("$RTRACE echo now >> out", tmp_path)
    row = streams(tmp_path)[1]
    assert (row["begin"], row["end"], row["sha256"]) == (13, 17, sha256(b"now\n"))


@pytest.mark.parametrize("script", ["echo k > /dev/stderr", "echo k >> /dev/stderr; echo m >> /proc/self/fd/2"])
def test_output_file_opened_once_more_is_output(script: str, tmp_path: Path) -> None:
    """What a run prints to /dev/stderr, which is a file that it opens anew then, is printed, and no other output."""
    work = tmp_path / "work"
    work.mkdir()
    command = [sys.executable, "-m", "rtrace", "trace", "-q", "sh", "-c", f"echo a; {script}; echo b"]
    with (tmp_path / "out").open("wb") as out, (tmp_path / "err").open("wb") as err:
        subprocess.run(command, cwd=work, stdout=out, stderr=err, check=True)
    assert (tmp_path / "out").read_bytes() == b"a\nb\n"
    assert run_rtrace("pack", "../bundle.rpz", cwd=work).returncode == 0
    assert not load(work / ".rtrace/manifest.yml").outputs
    verified = run_rtrace("verify", "--all", "../bundle.rpz", cwd=work)
    assert verified.returncode == 0, verified.stdout


def test_no_capture_leaves_all_alone(tmp_path: Path) -> None:
    """With --no-capture the program has the very pipe that rtrace was given, and nothing is kept."""
    command = (*RTRACE, "trace", "-q", "--no-capture", "-d", "trace", "--", "readlink", "/proc/self/fd/1")
    with subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE) as tracer:
        assert tracer.stdout is not None
        name = os.readlink(f"/proc/self/fd/{tracer.stdout.fileno()}")
        assert tracer.stdout.read() == os.fsencode(name) + b"\n"
    assert not (tmp_path / "trace/streams").exists()
    assert streams(tmp_path)[1]["sha256"] is None
    (run,) = load(tmp_path / "trace/manifest.yml").runs
    assert run.stdout == Output("pipe")  # so that nobody takes it for the same


def test_a_limit_bounds_what_is_kept(tmp_path: Path) -> None:
    """Beyond --keep nothing more is kept, and the digest is still that of all."""
    command = ("trace", "-q", "--keep", "1K", "-d", "trace", "--", "seq", "100000")
    traced = run_rtrace(*command, cwd=tmp_path)
    assert kept(tmp_path) == traced.stdout[:1024]
    row = streams(tmp_path)[1]
    assert (row["kept"], row["size"], row["sha256"]) == (1024, len(traced.stdout), sha256(traced.stdout))


def test_daemon_that_keeps_standard_output_open(tmp_path: Path) -> None:
    """What a daemon writes after its parent ended is relayed and kept, too."""
    traced = run_rtrace(*TRACE[3:], "sh", "-c", "(setsid sh -c 'sleep 0.2; echo late' &); echo early", cwd=tmp_path)
    assert traced.stdout == b"early\nlate\n"
    assert kept(tmp_path) == b"early\nlate\n"


def test_closed_stream_stays_closed(tmp_path: Path) -> None:
    """A standard stream that is closed is closed for the program, and the trace says so."""
    done = shell("$RTRACE sh -c 'ls /proc/self/fd/ > list' >&-; cat list", tmp_path)
    assert streams(tmp_path)[1]["kind"] == "closed", done.stderr


@pytest.mark.parametrize("place", ["2>&1 >/dev/null | cat", "2> err"])
def test_output_that_names_process_ids_is_told(place: str, tmp_path: Path) -> None:
    """Of a shell's message about a program that a signal ended, the trace says that a replay has other ids."""
    shell(
        f"ulimit -c 0; printf '%s\\n' 'sh -c \"kill -SEGV \\$\\$\"' : > run.sh; $RTRACE bash run.sh {place}", tmp_path
    )
    rows = Observation(subprocess.CompletedProcess([], 0), tmp_path / "trace").rows("SELECT what, advice FROM notices")
    (pid,) = re.findall(
        r"standard error names process ids of the run \(([0-9]+)\), and a replay has others", rows[0]["what"]
    )
    pids = Observation(subprocess.CompletedProcess([], 0), tmp_path / "trace").rows("SELECT pid FROM processes")
    assert int(pid) in {row["pid"] for row in pids}
    assert rows[0]["advice"] == "`rtrace verify --ignore stderr` leaves it out of the verdict"


# At a terminal.


def test_a_terminal_stays_a_terminal(tmp_path: Path) -> None:
    """All three streams are terminals of the outer one's size and modes, and it is the program's controlling one."""
    script = "test -t 0 && test -t 1 && test -t 2 && stty size && stty -g && stty size < /dev/tty"
    with at_terminal("sh", "-c", script, cwd=tmp_path, rows=33, columns=101) as person:
        assert person.leave() == 0
        bare = person.shown
    with at_terminal(*TRACE, "sh", "-c", script, cwd=tmp_path, rows=33, columns=101) as person:
        assert person.leave() == 0
        assert person.modes() == person.modes_before
        assert person.shown == bare
    assert kept(tmp_path) == bare.replace(b"\r\n", b"\n")
    rows = streams(tmp_path)
    assert [rows[number]["kind"] for number in (0, 1, 2)] == ["terminal"] * 3
    assert (rows[1]["rows"], rows[1]["columns"], rows[2]["joined"]) == (33, 101, 1)


def test_typing_reaches_the_program(tmp_path: Path) -> None:
    """A line that is typed is echoed once and read by the program; ^D is the end of its input."""
    with at_terminal(*TRACE, "sh", "-c", "echo ready; cat; echo end", cwd=tmp_path) as person:
        person.wait_for(b"ready\r\n")
        person.type(b"typed\r")
        assert person.wait_for(b"typed\r\ntyped\r\n") == b""
        person.type(b"\x04")
        person.wait_for(b"end\r\n")
        assert person.leave() == 0


HANDLER = """
import signal, sys, time
def handle(number, frame):
    print("handled", number, flush=True)
    sys.exit(7)
signal.signal(signal.SIGINT, handle)
signal.signal(signal.SIGQUIT, handle)
print("ready", flush=True)
while True: time.sleep(0.05)  # a signal just before signal.pause() would not end it
"""


@pytest.mark.parametrize("key, number", [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT)])
def test_interrupt_keys_reach_the_program(key: bytes, number: signal.Signals, tmp_path: Path) -> None:
    r"""Ctrl-C and Ctrl-\ run the program's own handlers, once."""
    with at_terminal(*TRACE, *PYTHON, HANDLER, cwd=tmp_path) as person:
        person.wait_for(b"ready\r\n")
        person.type(key)
        assert person.leave() == 7
        assert person.shown.count(b"handled %d" % number) == 1


def test_interrupted_program_gives_130(tmp_path: Path) -> None:
    """A program without a handler that is interrupted by Ctrl-C gives 130, and the terminal is as it was."""
    with at_terminal(*TRACE, "sh", "-c", "echo ready; exec sleep 60", cwd=tmp_path) as person:
        person.wait_for(b"ready\r\n")
        assert person.modes() != person.modes_before
        person.type(b"\x03")
        assert person.leave() == 130
        assert person.modes() == person.modes_before


def test_window_size_changes_are_passed_on(tmp_path: Path) -> None:
    """The program gets SIGWINCH when the window changes, and reads the new size."""
    program = (
        "import os, signal\n"
        "signal.signal(signal.SIGWINCH, lambda *_: None)\n"
        "print('ready', flush=True); signal.pause()\n"
        "print('now', *os.get_terminal_size(), flush=True)"
    )
    with at_terminal(*TRACE, *PYTHON, program, cwd=tmp_path) as person:
        person.wait_for(b"ready\r\n")
        person.resize(40, 120)
        person.wait_for(b"now 120 40\r\n")
        assert person.leave() == 0


def test_stop_key_stops_the_whole_job_and_fg_continues_it(tmp_path: Path) -> None:
    """Ctrl-Z stops rtrace as a job of the shell, with the terminal as the shell wants it; fg lets it go on raw."""
    program = "import sys\nprint('ready', flush=True)\nfor line in sys.stdin: print('got', line, end='', flush=True)"
    (tmp_path / "program.py").write_text(program)
    with at_terminal("bash", "--norc", "--noprofile", "-i", cwd=tmp_path) as person:
        person.type(b"PS1='prompt''> '; set +o emacs\r")
        person.wait_for(b"prompt> ")
        person.type(shlex.join((*TRACE, sys.executable, "-S", "program.py")).encode() + b"\r")
        person.wait_for(b"ready\r\n")
        person.type(b"one\r")
        person.wait_for(b"got one\r\n")
        raw = person.modes()
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(b"prompt> ")
        assert person.modes() != raw
        person.type(b"echo the shell $((40 + 2))\r")
        person.wait_for(b"the shell 42\r\n")
        person.type(b"fg\r")
        person.wait_for(b"program.py\r\n")
        person.wait_for_modes(raw)
        person.type(b"two\r")
        person.wait_for(b"got two\r\n")
        person.type(b"\x04")
        person.wait_for(b"prompt> ")
        person.type(b"echo status $?\r")
        person.wait_for(b"status 0\r\n")
        person.type(b"exit\r")
        assert person.leave() == 0


def test_job_control_works_inside(tmp_path: Path) -> None:
    """An interactive shell that is traced stops and continues jobs of its own with Ctrl-Z and fg."""
    with at_terminal(*TRACE, "bash", "--norc", "--noprofile", "-i", cwd=tmp_path) as person:
        person.type(b"PS1='inner''> '; set +o emacs\r")
        person.wait_for(b"inner> ")
        person.type(b"cat\r")
        person.wait_for(b"cat\r\n")
        person.type(b"one\r")
        person.wait_for(b"one\r\none\r\n")
        person.type(b"\x1a")
        person.wait_for(b"Stopped")
        person.wait_for(b"inner> ")
        person.type(b"fg\r")
        person.wait_for(b"cat\r\n")
        person.type(b"two\r")
        person.wait_for(b"two\r\ntwo\r\n")
        person.type(b"\x03")
        person.wait_for(b"inner> ")
        person.type(b"exit 4\r")
        assert person.leave() == 4


def test_terminal_is_restored_when_the_tracer_is_killed(tmp_path: Path) -> None:
    """After SIGKILL of the tracer the program is gone, and the terminal is as it was before."""
    with at_terminal(
        "sh", "-c", f"{shlex.join(TRACE)} sh -c 'echo $PPID ready; exec sleep 60'; echo over", cwd=tmp_path
    ) as person:
        person.wait_for(b" ready\r\n")
        children = Path(f"/proc/{person.pid}/task/{person.pid}/children").read_text(encoding="ascii").split()
        os.kill(int(children[0]), signal.SIGKILL)
        person.wait_for(b"over")  # its newline may come before the terminal is restored
        person.wait_for_modes(person.modes_before)
        assert person.leave() == 0


def test_background_job_leaves_what_is_typed_to_the_shell(tmp_path: Path) -> None:
    """Traced in the background, a program writes to the terminal, and the shell goes on reading from it."""
    with at_terminal("bash", "--norc", "--noprofile", "-i", cwd=tmp_path) as person:
        person.type(b"PS1='prompt''> '; set +o emacs\r")
        person.wait_for(b"prompt> ")
        person.type(shlex.join((*TRACE, "sh", "-c", "echo there; read line; echo got $line")).encode() + b" &\r")
        person.wait_for(b"there\r\n")
        person.type(b"echo for the shell $((40 + 2))\r")
        person.wait_for(b"for the shell 42\r\n")
        person.type(b"fg\r")
        person.type(b"typed\r")
        person.wait_for(b"got typed\r\n")
        person.wait_for(b"prompt> ")
        person.type(b"exit\r")
        assert person.leave() == 0


@pytest.mark.parametrize(
    "place, shown", [(0, "0 is file 1 is tty 2 is tty"), (1, ""), (2, "0 is tty 1 is tty 2 is file")]
)
def test_only_what_was_a_terminal_is_one(place: int, shown: str, tmp_path: Path) -> None:
    """With one stream redirected to a file, the other two are terminals still, and that one is the file."""
    with (
        (tmp_path / "other").open("w+") as other,
        at_terminal(*TRACE, *PYTHON, DESCRIBE, cwd=tmp_path, streams={place: other.fileno()}) as person,
    ):
        assert person.leave() == 0
        assert person.modes() == person.modes_before
        output = (tmp_path / "other").read_text() if place == 1 else person.shown.decode()
    assert " ".join(output.split()) == (shown or "0 is tty 1 is file 2 is tty")


def test_pager_reads_the_keys_while_the_traced_program_writes_to_it(tmp_path: Path) -> None:
    """In `rtrace trace prog | pager` what is typed belongs to the pager: the relay does not read the terminal."""
    program = "sh -c 'echo line; test -t 0 && echo input is a terminal'"
    script = f"{shlex.join(TRACE)} {program} | (cat; echo ready; read key < /dev/tty; echo got $key)"
    with at_terminal("bash", "-c", script, cwd=tmp_path) as person:
        person.wait_for(b"line\r\ninput is a terminal\r\nready\r\n")
        person.type(b"key\r")
        person.wait_for(b"got key\r\n")
        assert person.leave() == 0
    assert kept(tmp_path) == b"line\ninput is a terminal\n"


# Replayed.


REPLAYS = [
    pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
    pytest.param("docker", marks=pytest.mark.requires("docker")),
]


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_standard_input_from_a_file_is_replayed(unpacker: str, tmp_path: Path) -> None:
    """The file is packed though no call names it, and the replay reads it from the same offset; verify compares all."""
    work = tmp_path / "work"
    work.mkdir()
    (work / "data").write_text("first\nsecond\nthird\n")
    done = shell("{ read line; $RTRACE sh -c 'cat; echo err >&2'; } < data | cat", work)
    assert done.stdout == b"second\nthird\n"
    assert run_rtrace("pack", "-d", "trace", tmp_path / "bundle.rpz", cwd=work).returncode == 0
    shutil.rmtree(work)
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    for name in (b"output", b"error"):
        assert b"same       standard " + name + b" of run1\n" in verified.stdout


@pytest.mark.parametrize("unpacker", REPLAYS)
def test_joined_output_is_replayed_in_its_order(unpacker: str, tmp_path: Path) -> None:
    """With 2>&1 the replay's streams are one, too, so that alternating lines compare equal."""
    script = "for n in 1 2 3 4 5 6 7 8 9; do echo out $n; echo err $n >&2; done"
    traced = subprocess.run(
        [*RTRACE, "trace", "-q", "sh", "-c", script], cwd=tmp_path, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        check=True,
    )  # fmt: skip
    assert traced.stdout.splitlines()[:3] == [b"out 1", b"err 1", b"out 2"]
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "--unpacker", unpacker, tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert b"same       standard output of run1\n" in verified.stdout


@pytest.mark.requires("user-namespaces")
def test_input_that_has_no_name_any_more_is_kept(tmp_path: Path) -> None:
    """A file that was removed before the run began, as a shell's here-document may be, is replayed all the same."""
    with (tmp_path / "gone").open("w+") as file:
        file.write("nameless\n")
        file.seek(0)
        (tmp_path / "gone").unlink()
        traced = run_rtrace("trace", "-q", "cat", cwd=tmp_path, stdin=file)
    assert traced.stdout == b"nameless\n"
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("redirection", ["| cat", "> out", "2>&1 | cat"])
def test_changed_output_is_told(redirection: str, tmp_path: Path) -> None:
    """A program that prints a random number gives `different` for its standard output, and status 1."""
    script = f"{shlex.join(RTRACE)} trace -q sh -c 'od -An -N8 -tx8 /dev/urandom' {redirection}"
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.returncode == 1
    assert b"different  standard output of run1: text, line 1: " in verified.stdout
    strict = run_rtrace("verify", "--all", "--strict", tmp_path / "bundle.rpz")
    assert b"different  standard output of run1: same size (18 bytes), different content" in strict.stdout


@pytest.mark.requires("user-namespaces")
def test_output_to_a_terminal_is_compared_at_a_terminal(tmp_path: Path) -> None:
    """A program that writes otherwise to a terminal, in its width, finds one of the same size when it is verified."""
    script = "test -t 1 && echo a terminal; stty size <&1"
    trace = (*RTRACE, "trace", "-q", "--", "sh", "-c", script)
    with at_terminal(*trace, cwd=tmp_path, rows=17, columns=71) as person:
        assert person.leave() == 0
        assert person.shown == b"a terminal\r\n17 71\r\n"
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.requires("user-namespaces")
def test_output_that_was_cut_off_is_cut_off_again(tmp_path: Path) -> None:
    """`yes | head -1` verifies: the replay's reader goes away after as many bytes, and SIGPIPE ends it again."""
    script = f"{shlex.join(RTRACE)} trace -q yes | head -1"
    subprocess.run(["sh", "-c", script], cwd=tmp_path, check=True, capture_output=True)
    assert run_rtrace("pack", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", tmp_path / "bundle.rpz")
    assert verified.returncode == 0, verified.stdout + verified.stderr
