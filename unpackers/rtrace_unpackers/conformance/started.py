"""Checks on a run as it starts and ends: the same program with the same words, in a world of its own."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import tempfile
from contextlib import closing
from dataclasses import replace

from rtrace.errors import CommandNotExecutableError, CommandNotFoundError, RtraceError
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.replay.grants import Grants, Port
from rtrace_unpackers.conformance.bench import Bench
from rtrace_unpackers.conformance.bundles import BIG, INPUT, USER, at_offset, list_descriptors, make_cat, make_run
from rtrace_unpackers.conformance.model import CannotTellError, Checks, expect, expect_same

STARTED = Checks()
NOBODY = 65534
LISTENING = b"0A"
LARGEST_OUTPUT = 2 << 20
FIFO_ONLY = b"cat fifo"
"""A run that never ends by itself."""


@STARTED.add("replay", "the bundle's own runs are replayed, and each finds what the ones before it left")
def check_replay(bench: Bench) -> None:
    """Replay both."""
    first, second = (bench.replay(run) for run in bench.target.runs())
    expect_same("what the first prints", first.stdout, INPUT)
    expect_same("what the second prints", second.stdout, b"one\ntwo\n")
    expect_same("their names", (first.outcome.run, second.outcome.run), ("run1", "run2"))
    bench.replay(b": >shared")


@STARTED.add("status", "the exit code is the program's")
def check_status(bench: Bench) -> None:
    """End with each of three."""
    codes = [bench.replay(b"exit %d" % code).outcome.exit_code for code in (0, 3, 255)]
    expect_same("the codes", codes, [0, 3, 255])


@STARTED.add("signal", "a signal that ends the program is told: as it is, or by 128 and its number")
def check_signal(bench: Bench) -> None:
    """Have a program kill itself."""
    outcome = bench.replay(b"kill -TERM $$").outcome
    expect_same("the status", outcome.exit_status, 128 + signal.SIGTERM)


@STARTED.add("not-found", "a program that is not there is a CommandNotFoundError, or ends with 127")
def check_not_found(bench: Bench) -> None:
    """Start one that nobody packed."""
    try:
        done = bench.replay(replace(make_run(), binary=b"/bin/absent"))
    except CommandNotFoundError:
        return
    expect(done.outcome.exit_status == CommandNotFoundError.exit_status, f"it ended with {done.told}")


@STARTED.add("not-executable", "a program that cannot be executed is a CommandNotExecutableError, or ends with 126")
def check_not_executable(bench: Bench) -> None:
    """Start a file without permission to execute it."""
    try:
        done = bench.replay(replace(make_run(), binary=b"/work/plain"))
    except CommandNotExecutableError:
        return
    expect(done.outcome.exit_status == CommandNotExecutableError.exit_status, f"it ended with {done.told}")


@STARTED.add("arguments", "a program gets its arguments byte for byte, its own name and empty ones included")
def check_arguments(bench: Bench) -> None:
    """Give it some that are no UTF-8, and look at /proc/self/cmdline."""
    words = (b"/proc/self/cmdline", b"", b"\xff\xfe", b"a b\n'\"$x`", b"--", b"*")
    run = make_cat(*words)
    expect_same("the arguments", bench.replay(run).stdout, b"".join(word + b"\0" for word in run.argv))
    named = bench.replay(replace(run, argv=(b"-odd \xff", *words))).stdout
    expect_same("the arguments", named, b"".join(word + b"\0" for word in (b"-odd \xff", *words)))


@STARTED.add("environment", "it gets the recorded environment and nothing else: doubles, what has no =, and any length")
def check_environment(bench: Bench) -> None:
    """Look at /proc/self/environ."""
    wide = tuple((b"V%d" % number, b"x" * 60_000) for number in range(4))
    for environ in ((), ((b"A", b"1"), (b"A", b"2"), (b"odd", None), (b"", b"x"), (b"B", b"\xff\n")), wide):
        run = replace(make_cat(b"/proc/self/environ"), environ=environ)
        wanted = b"".join(name + (b"" if value is None else b"=" + value) + b"\0" for name, value in environ)
        expect_same("the environment", bench.replay(run).stdout, wanted)


@STARTED.add("folder", "it starts in its working directory")
def check_folder(bench: Bench) -> None:
    """Ask for it."""
    expect_same("the folder", bench.ask(b"pwd", workingdir=b"/work/folder"), b"/work/folder\n")
    absent = replace(make_run(b"echo here"), workingdir=b"/work/absent")
    expect(is_refused(bench, absent), "it starts elsewhere where its folder is absent")


def is_refused(bench: Bench, run: Run) -> bool:
    """Whether a run is refused, or ends with a failure before it prints anything."""
    try:
        done = bench.replay(run)
    except RtraceError:
        return True
    return done.outcome.exit_status != 0 and not done.stdout


@STARTED.add("umask", "it has the recorded umask")
def check_umask(bench: Bench) -> None:
    """Ask for two."""
    found = [bench.ask(b"umask", umask=umask) for umask in (0o022, 0o137)]
    expect_same("the umask", [int(one, 8) for one in found], [0o022, 0o137])


@STARTED.add("user", "it is the recorded user, of the recorded group")
def check_user(bench: Bench) -> None:
    """Look at /proc/self/status."""
    bench.demand_isolation()  # what does not isolate cannot change what /proc tells
    status = read_status(bench)
    expect_same("user and group", (status["Uid"], status["Gid"]), ([USER] * 4, [USER] * 4))


@STARTED.add("groups", "it has the recorded further groups, or at least none that was not recorded")
def check_groups(bench: Bench) -> None:
    """Look at /proc/self/status."""
    recorded = (5, 50, USER)
    found = set(read_status(bench, groups=recorded)["Groups"])
    expect(found <= {*recorded, NOBODY}, f"it has the groups {sorted(found)}, and {sorted(recorded)} were recorded")
    if not found >= set(recorded):
        raise CannotTellError(f"of the groups {list(recorded)} it has {sorted(found)} here")


def read_status(bench: Bench, **changes: object) -> dict[str, list[int]]:
    """Return the ids of a run, by their names in proc(5), status."""
    done = bench.replay(replace(make_cat(b"/proc/self/status"), **changes))  # type: ignore[arg-type]
    lines = (line.split() for line in done.stdout.decode().splitlines())
    return {
        words[0][:-1]: [int(word) for word in words[1:]] for words in lines if words[0] in {"Uid:", "Gid:", "Groups:"}
    }


@STARTED.add("hostname", "it has the recorded host name", refusable=True)
def check_hostname(bench: Bench) -> None:
    """Look at /proc/sys/kernel/hostname."""
    bench.demand_isolation()
    expect_same("the name", bench.ask(b"cat /proc/sys/kernel/hostname"), b"elsewhere\n")


@STARTED.add("input", "standard input is the caller's: a file, a pipe or nothing")
def check_input(bench: Bench) -> None:
    """Copy it."""
    expect_same("a file of 1 MiB", bench.replay(make_cat(), BIG).stdout, BIG)
    expect_same("an empty file", bench.replay(make_cat(), b"").stdout, b"")
    with tempfile.TemporaryFile(dir=bench.folder) as file:
        file.write(BIG)
        file.seek(0)
        with subprocess.Popen(["cat"], stdin=file, stdout=subprocess.PIPE) as writer:
            assert writer.stdout is not None  # noqa: S101 -- for mypy
            expect_same("a pipe with 1 MiB", bench.replay(make_cat(), writer.stdout).stdout, BIG)


@STARTED.add("recorded-input", "a file that was standard input is that again, from the offset where it was read")
def check_recorded_input(bench: Bench) -> None:
    """Read the rest of it, as a file and as a pipe."""
    for offset, pipe in ((5, False), (0, True)):
        done = bench.replay(replace(make_cat(), stdin=at_offset(offset, pipe=pipe)))
        expect_same("what is read", done.stdout, INPUT[offset:])


@STARTED.add("descriptors", "further descriptors are there, and a closed standard input is closed", refusable=True)
def check_descriptors(bench: Bench) -> None:
    """Read from descriptor 7, and try descriptor 0."""
    given = list_descriptors()
    expect_same("descriptor 7", bench.ask(b"cat <&7", descriptors=given["file"]), INPUT[5:])
    closed = bench.ask(b"(: 3<&0) 2>/dev/null && echo open || echo closed", descriptors=given["closed"])
    expect_same("standard input", closed, b"closed\n")


@STARTED.add("output", "standard output and error are apart, and 1 MiB with every byte in it arrives as it is")
def check_output(bench: Bench) -> None:
    """Print to both."""
    done = bench.replay(b"cat big; cat big >&2")
    expect(done.stdout == BIG, f"standard output has {len(done.stdout)} bytes, and not the {len(BIG)} written")
    expect(done.stderr == BIG, f"standard error has {len(done.stderr)} bytes, and not the {len(BIG)} written")


@STARTED.add("joined", "where standard output and error are one, the order of what is written stays")
def check_joined(bench: Bench) -> None:
    """Print to both in turn."""
    done = bench.replay(b"i=0; while [ $i -lt 50 ]; do echo out; echo err >&2; i=$((i + 1)); done", joined=True)
    expect_same("what is printed", done.stdout, b"out\nerr\n" * 50)


@STARTED.add("background", "a replay lasts until the last of its processes has ended")
def check_background(bench: Bench) -> None:
    """Leave a process behind."""
    done = bench.replay(b"(i=0; while [ $i -lt 20000 ]; do i=$((i + 1)); done; echo done >late) >/dev/null 2>&1 &")
    expect_same("the status", done.outcome.exit_status, 0)
    expect_same("what the process behind it wrote", bench.ask(b"cat late"), b"done\n")


@STARTED.add("timeout", "a limit on time ends a replay, and is told", refusable=True)
def check_timeout(bench: Bench) -> None:
    """Wait for what never comes."""
    outcome = bench.replay(FIFO_ONLY, limits=Limits(timeout=1)).outcome
    expect_same("the limit that was reached", (outcome.reached, outcome.exit_status), ("timeout", 124))


@STARTED.add("output-limit", "a limit on output ends a replay, and is told; or that it cannot be kept", refusable=True)
def check_output_limit(bench: Bench) -> None:
    """Print more than that."""
    limits = Limits(output=1 << 20, timeout=60)
    done = bench.replay(b"for n in 1 2 3 4 5 6 7 8 9; do cat big big big; done", limits=limits)
    if done.outcome.reached is None and done.outcome.notes:
        raise CannotTellError("; ".join(done.outcome.notes))
    expect_same("the limit that was reached", done.outcome.reached, "output")
    expect(len(done.stdout) <= LARGEST_OUTPUT, f"{len(done.stdout)} bytes were printed")


@STARTED.add("host-files", "no file of the machine is there")
def check_host_files(bench: Bench) -> None:
    """Look for one, and write to where it is."""
    path = bytes(bench.canary)
    done = bench.replay(b"cat " + path + b"; cat /proc/1/root" + path + b"; echo pwned >" + path)
    expect(b"a file of" not in done.stdout, "a file of the machine can be read")
    expect_same("a file of the machine", bench.canary.read_bytes(), b"a file of the machine\n")


@STARTED.add("no-network", "what listens on the machine is not there, nor is a way to a network")
def check_no_network(bench: Bench) -> None:
    """Look at /proc/net."""
    bench.demand_isolation()
    with closing(listen()) as server:
        expect(not sees(bench, server, Grants()), "the machine's network is there, although nobody granted it")
    routes = bench.ask(b"cat /proc/net/route").splitlines()[1:]
    expect_same("the routes", routes, [])


@STARTED.add("network", "the network that a person grants is there, or is refused", refusable=True)
def check_network(bench: Bench) -> None:
    """Look at /proc/net: for the machine's own, or for a way that a container has to it."""
    bench.demand_isolation()
    granted = Grants(network=True)
    with closing(listen()) as server:
        routes = bench.replay(make_cat(b"/proc/net/route"), grants=granted).stdout.splitlines()[1:]
        there = bool(routes) or sees(bench, server, granted)
        expect(there, "it was granted, and is neither there nor refused")


@STARTED.add("ports", "a port that a person grants listens while a replay lasts, or is refused", refusable=True)
def check_ports(bench: Bench) -> None:
    """Connect while the replay reads from who connects."""
    bench.demand_isolation()
    with closing(listen()) as server:
        port = int(server.getsockname()[1])
    with subprocess.Popen([sys.executable, "-c", CONNECT, str(port)], stdout=subprocess.PIPE) as client:
        assert client.stdout is not None  # noqa: S101 -- for mypy
        try:
            done = bench.replay(make_cat(), client.stdout, grants=Grants(ports=(Port(port, 80),)))
        finally:
            client.kill()
    expect_same("what the client says", done.stdout, b"connected\n")


CONNECT = """\
import socket, sys, time
for _ in range(100):
    try:
        socket.create_connection(("127.0.0.1", int(sys.argv[1])), timeout=5).close()
    except OSError:
        time.sleep(0.1)
    else:
        print("connected")
        break
"""


def listen() -> socket.socket:
    """Return what listens at a port of the machine."""
    server = socket.socket()
    server.bind(("127.0.0.1", 0))
    server.listen()
    return server


def sees(bench: Bench, server: socket.socket, grants: Grants) -> bool:
    """Whether a replay sees who listens on the machine; see proc(5), /proc/net/tcp."""
    done = bench.replay(make_cat(b"/proc/net/tcp"), grants=grants)
    place = b":%04X" % server.getsockname()[1]
    lines = (line.split() for line in done.stdout.splitlines())
    return any(words[1].endswith(place) and words[3] == LISTENING for words in lines)


@STARTED.add("changed", "a run with other words, and one that is not of the bundle, are replayed as they are")
def check_changed(bench: Bench) -> None:
    """Make one up, as a shell is."""
    run = replace(make_run(name="shell"), argv=(b"sh",), workingdir=b"/", environ=((b"A", b"changed"),))
    done = bench.replay(run, b"echo $A; cat /work/folder/inside; exit 7\n")
    expect_same("what it prints", (done.stdout, done.outcome.exit_status), (b"changed\ninside\n", 7))


@STARTED.add("caller", "what a replay does not get, of the caller's: descriptors and variables")
def check_caller(bench: Bench) -> None:
    """Leave a descriptor of a file open."""
    descriptor = os.open(bench.canary, os.O_RDONLY)
    os.set_inheritable(descriptor, True)  # noqa: FBT003 -- as the module os has it
    os.environ["RTRACE_CONFORMANCE"] = "told"
    try:
        done = bench.replay(
            b'for n in 3 4 5 6 7 8 9; do (eval "cat <&$n") 2>/dev/null; done; echo "[$RTRACE_CONFORMANCE]"'
        )
    finally:
        os.close(descriptor)
        del os.environ["RTRACE_CONFORMANCE"]
    expect_same("what it finds", done.stdout, b"[]\n")
