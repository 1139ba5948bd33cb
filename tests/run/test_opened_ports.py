"""Ports of this machine that lead into a replay: reached while it runs, by nobody afterwards, and no way out of it."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, contextmanager, suppress
from pathlib import Path

import pytest

from bundle_making import BundleMaker, make_run, unpack_as
from docker_making import made_target
from plain_user import PlainUser
from ports import ECHO, ask, ask_many, find_free_port, in_background, is_answered, wait_for_server
from rtrace.errors import TargetError
from rtrace.limits import Limits
from rtrace.manifest.model import Run
from rtrace.replay.grants import Grants, Port
from rtrace.replay.protocol import Outcome, Streams, Target
from rtrace_unpackers.chroot import UNPACKER
from rtrace_unpackers.engines.forwarding.multiplexing import Multiplexer
from rtrace_unpackers.engines.image.launcher import build_forwarder
from rtrace_unpackers.granted.listening import Listener, listening
from rtrace_unpackers.granted.relaying import relaying
from waiting import wait_until

SERVER, ENDER = 4000, 4001
SERVE = (ECHO % SERVER) + b" & busybox nc -l -p %d </dev/null; busybox kill -9 -1; echo left" % ENDER
"""Serve until somebody connects to the other port."""
EMULATORS = {"x86_64": (), "i386": (), "aarch64": ("qemu-aarch64-static",)}

Make = Callable[..., AbstractContextManager[Target]]

chroot = pytest.mark.requires("busybox", "user-namespaces")
docker = pytest.mark.requires("busybox", "docker")


@pytest.fixture
def maker(tmp_path: Path) -> BundleMaker:
    """A bundle in the making, with busybox in it."""
    return BundleMaker(tmp_path / "made")


@contextmanager
def chroot_target(maker: BundleMaker, folder: Path, *runs: Run) -> Iterator[Target]:
    """Unpack a bundle for chroot, and destroy the target in the end."""
    target = UNPACKER.open(UNPACKER.unpack(maker.write(*runs), folder / "target").target)
    try:
        yield target
    finally:
        target.destroy()


def replay(target: Target, run: Run, grants: Grants, limits: Limits = Limits(timeout=120)) -> tuple[Outcome, bytes]:  # noqa: B008 -- it is frozen
    """Replay a run that reads nothing; return how it ended and what it printed."""
    out = target.path.parent / "out"
    with out.open("wb") as stdout, open(os.devnull, "rb") as null:
        streams = Streams(null.fileno(), stdout.fileno(), stdout.fileno())
        outcome = target.run(run, streams=streams, limits=limits, grants=grants)
    return outcome, out.read_bytes()


@pytest.mark.parametrize("make", [pytest.param(chroot_target, marks=chroot), pytest.param(made_target, marks=docker)])
def test_clients_outside_reach_a_server_inside(make: Make, maker: BundleMaker, tmp_path: Path) -> None:
    """Bytes go both ways, of many clients at a time; what one has sent may still be answered; then nobody listens."""
    port, ender = find_free_port(), find_free_port()
    run = make_run(b"busybox nc -w 5 1.1.1.1 53 </dev/null; " + SERVE)
    found: dict[str, object] = {}

    def use() -> None:
        wait_for_server(port)
        found["two"] = ask_many(port, 2, 300_000)
        found["large"] = ask_many(port, 1, 6_000_000)
        with socket.create_connection(("127.0.0.1", port)) as left_open:
            left_open.sendall(b"x")
            found["left"] = left_open.recv(1)
            ask(ender, b"")
            found["end"] = left_open.recv(1)

    with make(maker, tmp_path, run) as target:
        user = in_background(use)
        outcome, said = replay(target, run, Grants(ports=(Port(port, SERVER), Port(ender, ENDER))))
        user.join(60)
        assert (is_answered(port), is_answered(ender)) == (False, False)
    assert b"Network is unreachable" in said
    assert found == {"two": [True] * 2, "large": [True], "left": b"x", "end": b""}
    assert outcome.exit_status == 128 + signal.SIGKILL


@pytest.mark.parametrize("make", [pytest.param(chroot_target, marks=chroot), pytest.param(made_target, marks=docker)])
def test_a_port_in_use_is_told_before_anything_starts(make: Make, maker: BundleMaker, tmp_path: Path) -> None:
    """What another program has is not taken, and the run has not begun when it is said."""
    with make(maker, tmp_path, make_run(b"echo started")) as target, socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        with pytest.raises(TargetError, match=f"port {port} of 127.0.0.1 is in use by another program; name another"):
            replay(target, make_run(b"echo started"), Grants(ports=(Port(port, 1),)))
        assert (tmp_path / "out").read_bytes() == b""


@chroot
def test_a_port_is_refused_beside_the_network(maker: BundleMaker, tmp_path: Path) -> None:
    """A replay with the machine's network serves there by itself."""
    with chroot_target(maker, tmp_path, make_run()) as target, pytest.raises(TargetError, match="leave out --port"):
        replay(target, make_run(), Grants(network=True, ports=(Port(find_free_port(), 1),)))


@chroot
def test_who_makes_sockets_is_not_part_of_the_replay(maker: BundleMaker, tmp_path: Path) -> None:
    """The process beside it is not seen, is reached by no descriptor, and counts for no limit."""
    grants = Grants(ports=(Port(find_free_port(), 1),))
    run = make_run(b"echo /proc/[0-9]*; ls -1 /proc/self/fd")
    with chroot_target(maker, tmp_path, run) as target:
        assert replay(target, run, grants) == replay(target, run, Grants())
        outcome, _ = replay(target, make_run(b"true & true & wait"), grants, Limits(timeout=60, processes=3))
        assert outcome == Outcome("run1", 0, None)


@chroot
@pytest.mark.parametrize("has_others", [False, True])
def test_a_plain_user_opens_ports_as_well(
    has_others: bool,  # noqa: FBT001 -- a parameter of the test
    maker: BundleMaker,
    request: pytest.FixtureRequest,
) -> None:
    """Without root, with and without subordinate ids, a client reaches the server."""
    user: PlainUser = request.getfixturevalue("user_with_others" if has_others else "plain_user")
    port, ender = find_free_port(), find_free_port()
    target = unpack_as(user, maker.write(make_run(SERVE)))
    found: list[bytes] = []

    def use() -> None:
        wait_for_server(port)
        found.append(ask(port, b"from outside"))
        ask(ender, b"")

    asking = in_background(use)
    ports = ("--port", f"{port}:{SERVER}", "--port", f"{ender}:{ENDER}/tcp")
    done = user.run(user.rtrace, "replay", "--no-history", "--timeout", "100", *ports, target)
    asking.join(60)
    assert (found, done.returncode) == ([b"from outside"], 137), done.stderr.decode()
    assert f"127.0.0.1:{port} leads to port {SERVER} of the replay; every user" in done.stderr.decode()


KILLED = """\
import os, sys
from pathlib import Path
from rtrace.replay.grants import Grants, Port
from rtrace.replay.protocol import Streams
from rtrace.replay.registry import open_target
target = open_target(Path(sys.argv[1]))
null = os.open(os.devnull, os.O_RDWR)
target.run(target.runs()[0], streams=Streams(null, null, null), grants=Grants(ports=(Port(int(sys.argv[2]), 4000),)))
"""


@pytest.mark.parametrize("make", [pytest.param(chroot_target, marks=chroot), pytest.param(made_target, marks=docker)])
def test_nothing_listens_after_a_kill(make: Make, maker: BundleMaker, tmp_path: Path) -> None:
    """Whatever ends rtrace ends what it listens with, who makes sockets, and the replay."""
    port = find_free_port()
    with make(maker, tmp_path, make_run(ECHO % SERVER)) as target:
        victim = subprocess.Popen([sys.executable, "-c", KILLED, target.path, str(port)])
        try:
            wait_for_server(port)
        finally:
            victim.kill()
            victim.wait()
        wait_until(lambda: not is_answered(port))
        wait_until(lambda: not find_processes(os.fsencode(target.path)))


def find_processes(argument: bytes) -> list[str]:
    """Return the processes that have this argument: rtrace's have the same as the one that they were forked from."""
    found = []
    for name in os.listdir("/proc"):
        with suppress(OSError):
            if name.isdigit() and argument in Path("/proc", name, "cmdline").read_bytes().split(b"\0"):
                found.append(name)
    return found


@contextmanager
def echo_server(address: str) -> Iterator[int]:
    """Yield the port of a server of this process that sends back what comes."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET

    def serve() -> None:
        with suppress(OSError):
            while True:
                threading.Thread(target=echo, args=(server.accept()[0],), daemon=True).start()

    with closing(socket.create_server((address, 0), family=family)) as server:
        in_background(serve)
        yield server.getsockname()[1]


def echo(client: socket.socket) -> None:
    """Send back what comes until its end."""
    with client, suppress(OSError):
        while part := client.recv(1 << 16):
            client.sendall(part)


@contextmanager
def forwarder(architecture: str, folder: Path) -> Iterator[Multiplexer]:
    """Yield a multiplexer over a process that runs the program for a kind of processor."""
    program = folder / "forward"
    program.write_bytes(build_forwarder(architecture))
    program.chmod(0o755)
    with subprocess.Popen(
        [*EMULATORS[architecture], program], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        multiplexer = Multiplexer(process.stdin.fileno(), process.stdout.fileno())
        assert multiplexer.start()
        try:
            yield multiplexer
        finally:
            process.kill()


@pytest.mark.requires("qemu-aarch64-static")
@pytest.mark.parametrize("architecture", EMULATORS)
@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_the_forwarder_of_each_processor_carries(architecture: str, address: str, tmp_path: Path) -> None:
    """It reaches servers at both loopbacks; where nobody serves, the connection ends, and its number is used again."""
    nobody = find_free_port(address)
    with echo_server(address) as port, forwarder(architecture, tmp_path) as multiplexer:
        listener = socket.create_server(("127.0.0.1", 0))
        listener.setblocking(False)  # noqa: FBT003 -- it takes no keyword
        with closing(listener), relaying([Listener(listener, port)], multiplexer.connect):
            outside = listener.getsockname()[1]
            assert ask_many(outside, 40, 200_000) == [True] * 40
            for _ in range(40):
                with closing(multiplexer.connect(nobody)) as refused:
                    assert refused.recv(1) == b""
            wait_until(lambda: not multiplexer.connections)
            with closing(multiplexer.connect(port)) as silent:  # it reads nothing, and holds up nobody
                in_background(lambda: flood(silent))
                assert ask_many(outside, 3, 200_000) == [True] * 3


def flood(connection: socket.socket) -> None:
    """Send much, and read nothing of what comes back."""
    with suppress(OSError):
        connection.sendall(bytes(20_000_000))


def test_many_clients_are_carried_at_a_time() -> None:
    """More than there is room for wait to be accepted, and none is lost; one whose server is gone ends at once."""

    def connect(port: int) -> socket.socket:
        return socket.create_connection(("127.0.0.1", port))

    with echo_server("127.0.0.1") as port, listening([Port(find_free_port(), port)]) as listeners:
        outside = listeners[0].socket.getsockname()[1]
        with relaying(listeners, connect):
            assert ask_many(outside, 40, 300_000) == [True] * 40
    nobody = Port(find_free_port(), find_free_port())
    with listening([nobody]) as listeners, relaying(listeners, connect):
        assert [ask(nobody.host, b"x") for _ in range(40)] == [b""] * 40


HOSTILE = {
    "data of nobody": b"\x05\x02\x01\0x",
    "too long": b"\0\x02\xff\xff",
    "no kind": b"\0\x63\0\0",
    "an order": b"\0\x01\x02\0\0\0",
    "more than was taken": b"\0\x02\x01\0x" * 50_000,
    "cut off": b"\0\x02\x09\0x",
}


@pytest.mark.parametrize("frames", HOSTILE.values(), ids=HOSTILE)
def test_what_a_container_sends_cannot_do_harm(frames: bytes) -> None:
    """A frame that should not come ends all connections: none waits for ever, and no new one is made."""
    theirs_in, into = os.pipe()
    out_of, theirs_out = os.pipe()
    multiplexer = Multiplexer(into, out_of)
    os.write(theirs_out, b"\0\x06\0\0")
    assert multiplexer.start()
    connection = multiplexer.connect(80)
    connection.settimeout(60)

    def attack() -> None:
        with suppress(OSError), open(theirs_out, "wb") as file:
            file.write(frames)

    in_background(attack)
    with closing(connection):
        while connection.recv(1 << 16):
            pass
    wait_until(lambda: multiplexer.is_over)
    with pytest.raises(OSError):  # noqa: PT011 -- nobody reads what it says
        multiplexer.connect(80)
    for descriptor in (theirs_in, into, out_of):
        os.close(descriptor)
