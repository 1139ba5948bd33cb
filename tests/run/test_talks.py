"""Whom a run talks to: servers that are no part of it are told, its own and those that do not answer are not."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from observing import observe

ENGINES = ("notify", "seccomp", "stops")
BEGIN = "import asyncio, os, socket, sys; s = socket; place, port, datagrams, path, name = sys.argv[1:]\n"
OUTSIDE = {
    "loopback": "s.create_connection(('127.0.0.1', int(port)))",
    "localhost": "s.create_connection(('localhost', int(port)))",
    "mapped": "s.socket(s.AF_INET6).connect(('::ffff:127.0.0.1', int(port)))",
    "another address of loopback": "s.create_connection(('127.0.0.1', int(port)), source_address=('127.0.0.9', 0))",
    "asyncio": "async def talk(): await asyncio.open_connection('127.0.0.1', int(port))\nasyncio.run(talk())",
    "with a timeout": "s.create_connection(('127.0.0.1', int(port)), timeout=60)",
    "datagrams, connected": "u = s.socket(type=s.SOCK_DGRAM); u.connect(('127.0.0.1', int(datagrams))); u.send(b'x')",
    "datagrams, sendto": "s.socket(type=s.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', int(datagrams)))",
    "datagrams, sendmsg": "s.socket(type=s.SOCK_DGRAM).sendmsg([b'x'], [], 0, ('127.0.0.1', int(datagrams)))",
    "path": "s.socket(s.AF_UNIX).connect(path + '/server')",
    "abstract": "s.socket(s.AF_UNIX).connect('\\0' + name)",
    "abstract datagrams": "s.socket(s.AF_UNIX, s.SOCK_DGRAM).sendto(b'x', '\\0' + name + '-datagrams')",
    "datagrams to a group": (
        "u = s.socket(type=s.SOCK_DGRAM); u.setsockopt(0, s.IP_MULTICAST_IF, s.inet_aton('127.0.0.1'))\n"
        "u.sendto(b'x', ('239.1.2.3', int(datagrams)))"
    ),
    "datagrams by path": "u = s.socket(s.AF_UNIX, s.SOCK_DGRAM); u.connect(path + '/datagrams'); u.send(b'x')",
}
"""Ways to a server that was there before the run."""
INSIDE = {
    "on loopback": "a = s.create_server(('127.0.0.1', 0)); s.create_connection(a.getsockname())",
    "on all addresses": "a = s.create_server(('0.0.0.0', 0)); s.create_connection(('127.0.0.1', a.getsockname()[1]))",
    "never bound": "a = s.socket(); a.listen(); s.create_connection(('127.0.0.1', a.getsockname()[1]))",
    "in a child": (
        "r, w = os.pipe()\n"
        "if os.fork() == 0:\n"
        " a = s.create_server(('127.0.0.1', 0)); os.write(w, b'%d' % a.getsockname()[1]); a.accept(); os._exit(0)\n"
        "s.create_connection(('127.0.0.1', int(os.read(r, 9)))); os.wait()"
    ),
    "datagrams, and the answer": (
        "a, b = s.socket(type=s.SOCK_DGRAM), s.socket(type=s.SOCK_DGRAM); a.bind(('127.0.0.1', 0))\n"
        "b.sendto(b'x', a.getsockname()); a.sendto(b'y', a.recvfrom(1)[1]); b.recv(1)"
    ),
    "abstract": (
        "a = s.socket(s.AF_UNIX); a.bind('\\0own-' + name); a.listen(); s.socket(s.AF_UNIX).connect('\\0own-' + name)"
    ),
    "named by the kernel": (
        "a = s.socket(s.AF_UNIX); a.bind(''); a.listen(); s.socket(s.AF_UNIX).connect(a.getsockname())"
    ),
    "in the place of a stale socket": (
        "os.unlink('stale'); a = s.socket(s.AF_UNIX); a.bind('stale'); a.listen(); s.socket(s.AF_UNIX).connect('stale')"
    ),
    "abstract datagrams": (
        "a = s.socket(s.AF_UNIX, s.SOCK_DGRAM); a.bind('\\0own-' + name); b = s.socket(s.AF_UNIX, s.SOCK_DGRAM)\n"
        "b.sendto(b'x', '\\0own-' + name); b.connect('\\0own-' + name); b.send(b'y')"
    ),
    "a group": (
        "a, b = s.socket(type=s.SOCK_DGRAM), s.socket(type=s.SOCK_DGRAM); a.bind(('', 0))\n"
        "b.setsockopt(0, s.IP_MULTICAST_IF, s.inet_aton('127.0.0.1'))\n"
        "b.sendto(b'x', ('239.1.2.3', a.getsockname()[1]))"
    ),
    "a pair": "a, b = s.socketpair(); a.send(b'x'); b.recv(1)",
    "inherited": "s.create_connection(('127.0.0.1', int(place)))",
}
"""Ways to a server of the run's own; ``inherited`` was listening before, and is the run's by its descriptor."""
NOBODY = {
    "refused": "s.socket().connect_ex(('127.0.0.1', 1))",
    "refused later": (
        "c = s.socket(); c.setblocking(False); c.connect_ex(('127.0.0.1', 1)); c.getsockopt(s.SOL_SOCKET, s.SO_ERROR)"
    ),
    "asyncio, refused": (
        "async def talk():\n try: await asyncio.open_connection('127.0.0.1', 1)\n except OSError: pass\n"
        "asyncio.run(talk())"
    ),
    "a datagram that nobody takes": "s.socket(type=s.SOCK_DGRAM).sendto(b'x', ('127.0.0.1', 1))",
    "a screen that is not there": "s.socket(s.AF_UNIX).connect_ex('\\0/tmp/.X11-unix/X' + name)",
    "a socket that nobody listens to": "s.socket(s.AF_UNIX).connect_ex('stale')",
    "an engine that is not there": "s.socket(s.AF_UNIX).connect_ex('/run/docker-not-here.sock')",
}
"""Ways to nobody."""


def with_engines(ways: dict[str, str]) -> list[tuple[str, str]]:
    """Return all ways with the first engine, and some of them with the others, behind which the same code runs."""
    return [(way, ENGINES[0]) for way in ways] + [(way, engine) for way in list(ways)[::3] for engine in ENGINES[1:]]


class Outside:
    """Servers that are no part of any run; ``arguments`` say where, ``inherited`` is one that a run may get."""

    def __init__(self, stack: ExitStack, folder: Path) -> None:
        folder.mkdir()
        name = f"rtrace-{os.getpid()}-{folder.parent.name}"
        self.inherited = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        server = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        datagrams = stack.enter_context(socket.socket(type=socket.SOCK_DGRAM))
        datagrams.bind(("127.0.0.1", 0))
        for kind, ending in ((socket.SOCK_STREAM, ""), (socket.SOCK_DGRAM, "-datagrams")):
            for address in (f"\0{name}{ending}", str(folder / ("datagrams" if ending else "server"))):
                unix = stack.enter_context(socket.socket(socket.AF_UNIX, kind))
                unix.bind(address)
                if not ending:
                    unix.listen()
        ports = (self.inherited.getsockname()[1], server.getsockname()[1], datagrams.getsockname()[1])
        self.arguments = (*map(str, ports), str(folder), name)


@pytest.fixture
def outside(tmp_path: Path) -> Iterator[Outside]:
    """Servers of this test."""
    with ExitStack() as stack:
        yield Outside(stack, tmp_path / "outside")


def tell(outside: Outside, tmp_path: Path, engine: str, program: str) -> list[tuple[str, str]]:
    """Run a program; return the kinds and texts of the notices of whom it talked to."""
    work = tmp_path / "work"
    work.mkdir()
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(work / "stale"))
    observation = observe(
        tmp_path / "trace",
        sys.executable,
        "-S",
        "-c",
        BEGIN + program,
        *outside.arguments,
        cwd=work,
        env={**os.environ, "RTRACE_ENGINE": engine},
        pass_fds=[outside.inherited.fileno()],
    )
    assert observation.completed.returncode == 0, observation.completed.stderr
    query = "SELECT kind, what FROM notices WHERE kind IN ('connection', 'display', 'escape')"
    return [(row["kind"], row["what"]) for row in observation.rows(query)]


@pytest.mark.parametrize("way,engine", with_engines(OUTSIDE))
def test_server_outside_is_told(way: str, engine: str, outside: Outside, tmp_path: Path) -> None:
    """A server on this machine that is no part of the run is told once, by its port or its name."""
    if way.endswith("group"):
        with socket.socket(type=socket.SOCK_DGRAM) as probe:
            if probe.connect_ex(("239.1.2.3", 9)):
                pytest.skip("no route leads to a group: give this machine a network")
    ((kind, what),) = tell(outside, tmp_path, engine, OUTSIDE[way])
    assert kind == "connection"
    assert any(place in what for place in outside.arguments[1:])


@pytest.mark.parametrize("way,engine", with_engines(INSIDE))
def test_server_of_the_run_is_not_told(way: str, engine: str, outside: Outside, tmp_path: Path) -> None:
    """What the run listens to itself is there in a replay, and not worth a word."""
    assert tell(outside, tmp_path, engine, INSIDE[way]) == []


@pytest.mark.parametrize("way,engine", with_engines(NOBODY))
def test_connection_that_failed_is_not_told(way: str, engine: str, outside: Outside, tmp_path: Path) -> None:
    """A connection that was not made is not told as made."""
    assert tell(outside, tmp_path, engine, NOBODY[way]) == []


def test_processes_that_do_the_same_are_added_up(outside: Outside, tmp_path: Path) -> None:
    """The same notice comes once, with the programs and how often it happened."""
    program = (
        "for _ in range(3):\n if os.fork() == 0: s.create_connection(('127.0.0.1', int(port))); os._exit(0)\n os.wait()"
    )
    ((_, what),) = tell(outside, tmp_path, "notify", program)
    assert what.endswith(f" connected to 127.0.0.1 port {outside.arguments[1]} (3 times)")


SERVE_NAMES = """
import socket
u = socket.socket(type=socket.SOCK_DGRAM); u.bind(("127.53.0.1", 53)); print("ready", flush=True)
while True:
    query, asker = u.recvfrom(512)
    end = query.index(0, 12) + 5
    answer = b"\\xc0\\x0c\\0\\1\\0\\1\\0\\0\\0\\x3c\\0\\4" + bytes([192, 0, 2, 80]) if query[end - 3] == 1 else b""
    u.sendto(query[:2] + b"\\x81\\x80\\0\\1\\0" + bytes([bool(answer)]) + bytes(4) + query[12:end] + answer, asker)
"""


CONNECT_BY_NAME = {
    "both families": "import socket; socket.create_connection(('www.example', 80))",
    "one family": "import socket as s; s.socket(s.AF_INET).connect(('www.example', 80))",
    "asked for only": "import socket; socket.gethostbyname('www.example')",
}
"""Ways to a name: the C library asks for the addresses of both families by sendmmsg(2), for those of one by send(2)."""


@pytest.mark.requires("root", "unshare", "ip")
@pytest.mark.parametrize(
    "way,engine", with_engines(CONNECT_BY_NAME) + [("one family", engine) for engine in ENGINES[1:]]
)
def test_host_is_told_by_its_name(way: str, engine: str, tmp_path: Path) -> None:
    """A host is told by the name that its program asked a name server for; the name server is not told."""
    (tmp_path / "resolv.conf").write_text("nameserver 127.53.0.1\n")
    (tmp_path / "names.py").write_text(SERVE_NAMES)
    (tmp_path / "server.py").write_text(
        "import socket\ns = socket.create_server(('192.0.2.80', 80)); print(flush=True)\ns.accept()"
    )
    (tmp_path / "hosts").write_text("127.0.0.1 localhost\n")
    program = CONNECT_BY_NAME[way]
    script = (
        "ip link set lo up; ip address add 192.0.2.80/32 dev lo; mount --bind resolv.conf /etc/resolv.conf\n"
        "mount --bind hosts /etc/hosts; exec 3< <(python3 -S names.py); exec 4< <(python3 -S server.py)\n"
        f'read _ <&3; read _ <&4; "{sys.executable}" -m rtrace trace -q -d trace python3 -S -c "{program}"; status=$?\n'
        "exit $status"
    )
    command = ["unshare", "--mount", "--net", "--pid", "--fork", "--mount-proc", "bash", "-c", script]
    environ = {**os.environ, "RTRACE_ENGINE": engine}
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, check=False, timeout=120, env=environ)
    assert done.returncode == 0, done.stderr
    told = [line for line in done.stderr.decode().splitlines() if "not captured" in line]
    assert len(told) == 1, told
    only = way == "asked for only"
    words = (
        "asked for the address of the host www.example; " if only else "connected to www.example (192.0.2.80) port 80; "
    )
    assert words in told[0]
