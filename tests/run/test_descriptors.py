"""What comes by descriptor is an input: kept while it is read, nothing more taken, and there again in a replay."""

from __future__ import annotations

import os
import re
import socket
import sqlite3
import subprocess
import sys
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path

import pytest

from observing import Observation, run_rtrace
from plain_user import PlainUser
from rtrace.limits import Limits
from rtrace.manifest.incompleteness import limit_waiting
from rtrace.manifest.model import Descriptor
from rtrace.manifest.reading.load import load
from terminals import at_terminal

PATH = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
UNPACKERS = [
    pytest.param("chroot", marks=pytest.mark.requires("user-namespaces")),
    pytest.param("docker", marks=pytest.mark.requires("docker")),
]
ENGINES = ("notify", "seccomp", "stops")


def shell(script: str, folder: Path, **environ: str) -> subprocess.CompletedProcess[bytes]:
    """Run a script of bash in which $RTRACE traces what follows, without other descriptors than standard ones."""
    every = {**os.environ, "RTRACE": "rtrace trace -q -d trace --", "PATH": PATH, **environ}
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=every,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )


def notices(folder: Path) -> list[str]:
    """Return what the trace says was not captured."""
    rows = Observation(subprocess.CompletedProcess([], 0), folder / "trace").rows("SELECT what FROM notices")
    return [row["what"] for row in rows]


def verify(folder: Path, unpacker: str = "chroot") -> subprocess.CompletedProcess[bytes]:
    """Pack the trace and compare its replay with it."""
    packed = run_rtrace("pack", "-d", "trace", "bundle.rpz", cwd=folder)
    assert packed.returncode == 0, packed.stderr
    return run_rtrace("verify", "--all", "--unpacker", unpacker, "bundle.rpz", cwd=folder)


def read_descriptors(folder: Path) -> tuple[Descriptor, ...]:
    """Return the descriptors of the only run, as the manifest has them."""
    (run,) = load(folder / "trace/manifest.yml").runs
    return run.descriptors


GIVEN = """
printf 'x\\ny\\nz\\n' > half; echo old > log; echo nameless > gone; exec 8< gone; rm gone
{ read line <&3
  seq 3 | $RTRACE bash -c 'head -1; cat; test -p /dev/stdin && echo a pipe
    cat <&3; echo new >&4; echo fresh >&5; cat <&6; ls /dev/fd/7/. | grep -c passwd$; cat <&8; echo joined >&9
    cat /dev/fd/10; cat <&11; (echo more >&12)'
} 3< half 4>> log 5> out 6<<< 'a here-string' 7< /etc 9>&1 10< <(seq 70000) 11< /dev/null 12<> log
"""
"""All that a shell can hand over; `head` takes the whole pipe, so that `cat` finds nothing more in it."""


@pytest.mark.parametrize("unpacker", UNPACKERS)
def test_what_a_shell_hands_over_is_replayed(unpacker: str, tmp_path: Path) -> None:
    """Pipes, half-read, appended, removed files, folders and devices are there again, by the same numbers."""
    done = shell(f"exec > printed; {GIVEN}", tmp_path)
    assert done.returncode == 0, done.stderr
    rows = "".join(f"{number}\n" for number in range(1, 70001))
    assert (tmp_path / "printed").read_text() == (f"1\na pipe\ny\nz\na here-string\n1\nnameless\njoined\n{rows}")
    assert notices(tmp_path) == []
    kinds = {descriptor.number: descriptor.kind for descriptor in read_descriptors(tmp_path)}
    assert [kinds[number] for number in range(3, 13)] == [
        "file", "file", "file", "pipe", "file", "file", "same", "pipe", "file", "file",
    ]  # fmt: skip
    verified = verify(tmp_path, unpacker)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert b"same       standard output of run1\n" in verified.stdout
    assert b"same       " + os.fsencode(tmp_path / "log") in verified.stdout


@pytest.mark.parametrize("engine", ENGINES)
def test_nothing_is_taken_that_the_program_did_not_read(engine: str, tmp_path: Path) -> None:
    """The loop of a shell finds all lines but those that the traced command read itself."""
    script = """
    seq 6 | while read line; do echo "shell $line"; $RTRACE sh -c 'true'; rm -r trace
        $RTRACE sh -c 'read line; echo "program $line"'; rm -r trace; done
    seq 4 | { $RTRACE sh -c 'read line; read line'; cat; }
    """
    done = shell(script, tmp_path, RTRACE_ENGINE=engine)
    expected = "".join(f"shell {number}\nprogram {number + 1}\n" for number in (1, 3, 5)) + "3\n4\n"
    assert (done.stdout.decode(), done.returncode) == (expected, 0), done.stderr


def test_what_was_read_is_kept(tmp_path: Path) -> None:
    """Of a pipe that never ends, what the program took is in the bundle, and the program's writer gets SIGPIPE."""
    done = shell("yes | $RTRACE sh -c 'read line; read line'; echo ${PIPESTATUS[@]}", tmp_path)
    assert done.stdout == b"141 0\n"
    (run,) = load(tmp_path / "trace/manifest.yml").runs
    assert run.stdin is not None
    assert run.stdin.pipe
    rows = Observation(done, tmp_path / "trace").rows("SELECT size FROM streams WHERE descriptor = 0")
    assert rows == [{"size": 4}]


def test_writer_learns_that_its_reader_has_closed(tmp_path: Path) -> None:
    """A writer is ended by SIGPIPE when the program closes its input, while the program goes on."""
    script = "mkfifo over; { yes; echo $? > over; } | $RTRACE sh -c 'exec <&-; cat over'"
    assert shell(script, tmp_path).stdout == b"141\n"


def test_writer_is_held_back_by_what_is_not_read(tmp_path: Path) -> None:
    """A pipe takes what it would take without rtrace, until the program reads; then all of it arrives."""
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    os.mkfifo(tmp_path / "go")
    command = (sys.executable, "-m", "rtrace", "trace", "-q", "-d", "trace", "--", "sh", "-c")
    with subprocess.Popen(
        [*command, "echo ready; read go < go; wc -c"], cwd=tmp_path, stdin=reading, stdout=subprocess.PIPE
    ) as tracer:
        os.close(reading)
        assert tracer.stdout is not None
        assert tracer.stdout.readline() == b"ready\n"
        written = 0
        with suppress(BlockingIOError):
            while written < 1 << 22:
                written += os.write(writing, b"x" * 4096)
        assert written == 65536
        (tmp_path / "go").write_text("go\n")
        os.set_blocking(writing, True)
        for _ in range(100):
            written += os.write(writing, b"y" * 5000)
        os.close(writing)
        output, _ = tracer.communicate(timeout=60)
    assert int(output) == written


@pytest.mark.parametrize("unpacker", UNPACKERS)
@pytest.mark.parametrize("closing_it, number", [("<&-", 0), (">&-", 1), ("2>&-", 2)])
def test_closed_stream_stays_closed_in_run_and_replay(
    closing_it: str, number: int, unpacker: str, tmp_path: Path
) -> None:
    """Nothing is at the number of a closed stream, neither when the run is traced nor when it is replayed."""
    program = f"import os\ntry: os.fstat({number})\nexcept OSError as error: open('seen', 'w').write(str(error.errno))"
    done = shell(f'$RTRACE python3 -S -c "$PROGRAM" {closing_it}', tmp_path, PROGRAM=program)
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "seen").read_text() == "9"
    assert read_descriptors(tmp_path) == (Descriptor(number, "closed"),)
    verified = verify(tmp_path, unpacker)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert b"same       " + os.fsencode(tmp_path / "seen") in verified.stdout


@pytest.mark.requires("user-namespaces")
@pytest.mark.parametrize("source", ["/dev/zero", "/proc/self/mounts"])
def test_input_from_what_every_replay_has(source: str, tmp_path: Path) -> None:
    """A device that was standard input is the replay's own; a file of /proc holds what it held."""
    assert shell(f"$RTRACE sh -c 'head -c 1 | wc -c' < {source}", tmp_path).stdout == b"1\n"
    assert notices(tmp_path) == []
    verified = verify(tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.requires("user-namespaces")
def test_input_beyond_the_limit_is_told_and_nothing_is_judged(tmp_path: Path) -> None:
    """What --keep does not hold is named with the next step; the replay reads what there is, and is not judged."""
    done = shell("seq 10000 | rtrace trace --keep 1K -d trace cat", tmp_path)
    told = (
        b"not captured: standard input brought 47.7 KiB, and 1.0 KiB of it were kept (--keep); trace again with --keep"
    )
    assert told in done.stderr
    verified = verify(tmp_path)
    assert verified.returncode == 3
    assert verified.stdout.startswith(
        b"INCOMPLETE: standard input brought 47.7 KiB, and 1.0 KiB of it were kept (--keep);"
    )
    assert re.search(rb"unknown    standard output of run1: different, .*; some of the", verified.stdout)


def test_descriptors_that_nobody_uses_are_no_news(tmp_path: Path) -> None:
    """Pipes that a parent left open are not told of while nothing comes or goes by them, and files not packed."""
    script = "echo kept > lock; { seq 3 | $RTRACE true; } 3< <(seq 3) 4> >(cat) 5>> lock"
    assert shell(script, tmp_path).returncode == 0
    assert notices(tmp_path) == []
    assert (
        os.fsencode(tmp_path / "lock") not in Observation(subprocess.CompletedProcess([], 0), tmp_path / "trace").uses()
    )


def test_output_to_other_pipes_is_told(tmp_path: Path) -> None:
    """What is written to a process substitution arrives, and the trace says that nothing compares it."""
    done = shell("mkfifo f; { $RTRACE sh -c 'echo log >&3' 3> >(cat > f); } & cat f; wait", tmp_path)
    assert done.stdout == b"log\n"
    assert notices(tmp_path) == [
        "descriptor 3 of the run is a pipe, and the 4 B that the run wrote there will not be compared"
    ]


def test_a_socket_that_is_standard_input_is_told(tmp_path: Path) -> None:
    """What comes by a socket is not kept, and a sentence says so."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        ours.sendall(b"by socket\n")
        ours.shutdown(socket.SHUT_WR)
        traced = run_rtrace("trace", "-d", "trace", "cat", cwd=tmp_path, stdin=theirs)
    assert traced.stdout == b"by socket\n"
    assert b"not captured: standard input is a socket, and what came from it was not kept; give" in traced.stderr
    assert read_descriptors(tmp_path) == (Descriptor(0, "null"),)


@pytest.mark.parametrize("unpacker", UNPACKERS)
def test_fifo_with_its_other_end_outside_is_told_and_keeps_nobody_waiting(unpacker: str, tmp_path: Path) -> None:
    """The trace names the FIFO; a replay finds an empty file, ends, and is not judged by what it lacks."""
    script = "mkfifo in out; echo through > in & cat out > got & $RTRACE sh -c 'cat in; echo gone > out'; wait"
    assert shell(script, tmp_path).stdout == b"through\n"
    assert [what.replace(f"{tmp_path}/", "") for what in notices(tmp_path)] == [
        "the run read from the FIFO in, which a program outside of it filled",
        "the run wrote to the FIFO out, which a program outside of it read",
    ]
    verified = verify(tmp_path, unpacker)
    assert verified.returncode == 3
    assert (
        b"unknown    standard output of run1: different, text, line 1: no more lines, was through; some of the "
        in verified.stdout
    )
    assert b"different  " not in verified.stdout


OWN_FIFO = "(until [ -p p ]; do sleep 0.05; done; {}) & $RTRACE sh -c 'mkfifo p; {}; rm p'; wait"
SHARED_FIFO = "mkfifo p; echo through > p & $RTRACE bash -c 'exec 3<> p; read line <&3; echo $line'"


@pytest.mark.parametrize(
    "script, told",
    [
        (OWN_FIFO.format("echo through > p", "cat p"), "the run made the FIFO p, which a program outside of it filled"),
        (OWN_FIFO.format("cat p", "echo through > p"), "the run made the FIFO p, which a program outside of it read"),
        (SHARED_FIFO, "the run opened the FIFO p, which was there before, to read and to write at once"),
    ],
    ids=["made and read", "made and written", "both at once"],
)
@pytest.mark.requires("user-namespaces")
def test_replay_that_waits_at_a_fifo_is_told_and_ended(script: str, told: str, tmp_path: Path) -> None:
    """A FIFO that is one in the replay, too, keeps it waiting for a program outside; not for ever."""
    assert shell(script, tmp_path).stdout == b"through\n"
    assert [what.replace(f"{tmp_path}/", "") for what in notices(tmp_path)] == [told]
    assert run_rtrace("pack", "-d", "trace", "bundle.rpz", cwd=tmp_path).returncode == 0
    verified = run_rtrace("verify", "--all", "--timeout", "2", "bundle.rpz", cwd=tmp_path)
    assert verified.returncode == 124
    assert b"INCOMPLETE: the run " in verified.stdout
    manifest = load(tmp_path / "trace/manifest.yml")
    (run,) = manifest.runs
    assert limit_waiting(Limits(), manifest, replace(run, started=100, finished=130)).timeout == 360
    assert limit_waiting(Limits(timeout=5), manifest, run).timeout == 5


@pytest.mark.requires("user-namespaces")
def test_own_fifo_that_nobody_filled_gives_no_doubt(tmp_path: Path) -> None:
    """One that the run made, and looked into without waiting, as Open MPI does for a debugger, is told as that."""
    script = "import os; os.mkfifo('p'); print(os.read(os.open('p', os.O_RDONLY | os.O_NONBLOCK), 9))"
    assert shell(f'$RTRACE "{sys.executable}" -c "{script}"', tmp_path).stdout == b"b''\n"
    assert [what.replace(f"{tmp_path}/", "") for what in notices(tmp_path)] == [
        "the run made the FIFO p, and read from it, although no program of the run wrote to it"
    ]
    verified = verify(tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr
    assert b"INCOMPLETE" not in verified.stdout


@pytest.mark.requires("user-namespaces")
def test_fifo_between_two_programs_of_the_run_stays_one(tmp_path: Path) -> None:
    """A FIFO that the run reads and writes is replayed as a FIFO, and nothing is told."""
    script = "mkfifo p; $RTRACE sh -c 'echo through > p & cat p; test -p p && echo a FIFO; wait'"
    assert shell(script, tmp_path).stdout == b"through\na FIFO\n"
    assert notices(tmp_path) == []
    verified = verify(tmp_path)
    assert verified.returncode == 0, verified.stdout + verified.stderr


@pytest.mark.requires("user-namespaces")
def test_secret_that_came_by_a_pipe_is_redacted(tmp_path: Path) -> None:
    """Kept input is searched for secrets as files are."""
    token = "ghp_" + "A1b2C3d4E5f6G7h8I9j0K1l2M3n4O5p6Q7r8"
    shell(f"echo token={token} | $RTRACE wc -c", tmp_path)
    packed = run_rtrace("pack", "-d", "trace", "bundle.rpz", cwd=tmp_path)
    assert b"a GitHub token, line 1 (github-token): redacted" in packed.stderr
    replayed = run_rtrace("run", "bundle.rpz", cwd=tmp_path)
    assert replayed.stdout == b"47\n"


def test_process_substitution_at_a_terminal(tmp_path: Path) -> None:
    """A program at a terminal gets its pipes, too, though it is started by the relay there."""
    script = f"'{sys.executable}' -m rtrace trace -q -d trace cat <(echo one) <(echo two)"
    with at_terminal("bash", "-c", script, cwd=tmp_path) as person:
        assert person.leave() == 0
        assert person.shown == b"one\r\ntwo\r\n"
    assert [one.kind for one in read_descriptors(tmp_path) if one.number in (62, 63)] == ["pipe", "pipe"]


def test_lost_input_waits_for_nobody_at_a_terminal(tmp_path: Path) -> None:
    """`rtrace run` at a terminal says that input was not captured, and does not wait for somebody to type it."""
    shell("echo lost | rtrace trace -q --no-capture -d trace cat", tmp_path)
    assert notices(tmp_path) == ["standard input is a pipe, and what came from it was not kept"]
    assert run_rtrace("pack", "-d", "trace", "bundle.rpz", cwd=tmp_path).returncode == 0
    with at_terminal(sys.executable, "-m", "rtrace", "run", "bundle.rpz", cwd=tmp_path) as person:
        assert person.leave() == 0
    assert b"run1: its standard input was not captured, so the replay reads none" in person.shown


def test_traces_of_before_are_continued(tmp_path: Path) -> None:
    """A trace whose database has no column for how descriptors were opened gets one."""
    shell("$RTRACE true", tmp_path)
    with closing(sqlite3.connect(tmp_path / "trace/trace.sqlite3")) as connection:
        connection.execute("ALTER TABLE streams DROP COLUMN access")
    assert shell("echo more | rtrace trace -q --continue -d trace cat", tmp_path).stdout == b"more\n"
    assert [run.id for run in load(tmp_path / "trace/manifest.yml").runs] == ["run1", "run2"]


@pytest.mark.requires("user-namespaces")
def test_plain_user_keeps_and_replays_what_is_handed_over(plain_user: PlainUser) -> None:
    """Without privileges, too, pipes and files come by their numbers in run and replay."""
    script = f"exec > printed; RTRACE='{plain_user.rtrace} trace -q -d trace --'; {GIVEN}"
    script += f"\n{plain_user.rtrace} pack -d trace b.rpz && {plain_user.rtrace} verify b.rpz"
    done = plain_user.run("bash", "-c", script)
    assert done.returncode == 0, done.stderr
