"""The coverage report: what could not be captured is said once, in plain words; else there is silence."""

from __future__ import annotations

import os
import socket
import sqlite3
from pathlib import Path

import pytest

from observing import Row, observe
from plain_user import PlainUser
from rtrace.capture.network.addresses import Address
from rtrace.capture.network.peers import is_reachable

READ_MEMORY = """
import ctypes, os, sys
class Vector(ctypes.Structure): _fields_ = [("base", ctypes.c_void_p), ("length", ctypes.c_size_t)]
target = int(sys.argv[1]) or os.getpid()
start = int(open(f"/proc/{target}/maps").readline().partition("-")[0], 16)
here, there = Vector(ctypes.addressof(ctypes.create_string_buffer(8)), 8), Vector(start, int(sys.argv[2]))
libc = ctypes.CDLL(None)
print(libc.process_vm_readv(target, ctypes.byref(here), 1, ctypes.byref(there), 1, 0))
"""
QUIET = {
    "ls": "ls -la /",
    "python": "python3 -c 'import json'",
    "gcc": "printf 'int main(void) { return 0; }' > a.c && gcc a.c && ./a.out",
    "git": "git init -q && git status --short",
    "terminal devices": "echo > /dev/null; head -c1 /dev/urandom > /dev/zero; test -e /dev/tty",
    "its own server": 'python3 -c \'import socket as s; a = s.create_server(("127.0.0.1", 0));'
    " s.create_connection(a.getsockname())'",
    "its own memory": f"python3 -c '{READ_MEMORY}' 0 8",
    "own folder listed": "ls -a; ls -l .rtrace-elsewhere 2> messages; echo new > new; mv new newer; rm newer",
}


def find_notices(tmp_path: Path, script: str, trace: str = "trace") -> list[Row]:
    """Trace a script in a folder of its own and return the notices of the run."""
    work = tmp_path / "work"
    work.mkdir(exist_ok=True)
    environ = {**os.environ, "HOME": str(tmp_path)}
    observation = observe(tmp_path / trace, "bash", "-c", script, cwd=work, env=environ)
    return observation.rows("SELECT kind, what, advice FROM notices")


@pytest.mark.parametrize("what", QUIET)
def test_nothing_to_say_is_not_said(what: str, tmp_path: Path) -> None:
    """Ordinary programs are captured whole, and rtrace keeps silent."""
    assert find_notices(tmp_path, QUIET[what]) == []


def test_looking_into_the_private_folder_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A run that looks where rtrace writes it down is told of it, with what helps; that is no input of the run."""
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path / "state"))
    (tmp_path / "place").mkdir()
    script = "find ../state -name trace.sqlite3 | grep -q . && cat ../state/rtrace/*/*/trace/* > copy"
    (notice,) = find_notices(tmp_path, script, "place/trace")
    assert notice["kind"] == "trace-directory"
    assert str(tmp_path / "state") in notice["what"]
    assert "XDG_STATE_HOME" in notice["advice"]
    with sqlite3.connect(tmp_path / "place/trace/trace.sqlite3") as connection:
        below = connection.execute("SELECT path FROM paths WHERE CAST(path AS TEXT) GLOB ?", [f"{tmp_path}/state/*"])
        assert below.fetchall() == []
    connection.close()


@pytest.mark.parametrize("send", ["connect(a)", "sendto(b'x', a)", "sendmsg([b'x'], [], 0, a)"])
def test_message_to_another_host_is_told(send: str, tmp_path: Path) -> None:
    """A datagram to another host is told with address and port, whichever call sends it, and once; it needs a route."""
    if not is_reachable(Address("inet", host="198.51.100.1", port=9)):
        pytest.skip("needs a route to other hosts")
    begin = "import socket as s; a = ('198.51.100.1', 9); u = s.socket(s.AF_INET, s.SOCK_DGRAM)"
    program = f"{begin}\nfor _ in 'ab':\n try: u.{send}\n except OSError: pass"
    (notice,) = find_notices(tmp_path, f'python3 -c "{program}"')
    assert notice["kind"] == "connection"
    assert "198.51.100.1 port 9" in notice["what"]


def test_server_from_before_the_run_is_told(tmp_path: Path) -> None:
    """A connection to a server that was there before the run is told under the path of its socket."""
    with socket.socket(socket.AF_UNIX) as server:
        server.bind(str(tmp_path / "server"))
        server.listen()
        (notice,) = find_notices(
            tmp_path, "python3 -c 'import socket as s; s.socket(s.AF_UNIX).connect(\"../server\")'"
        )
    assert notice["kind"] == "connection"
    assert str(tmp_path / "server") in notice["what"]


def test_memory_of_a_process_outside_is_told(tmp_path: Path) -> None:
    """Reaching into the memory of a process that is not part of the run is told."""
    (notice,) = find_notices(tmp_path, f"python3 -c '{READ_MEMORY}' {os.getpid()} 8")
    assert notice["kind"] == "escape"
    assert "process_vm_readv" in notice["what"]


@pytest.mark.requires("root", "unshare")
def test_namespaces_and_mounts_are_told(tmp_path: Path) -> None:
    """A mount namespace of its own and what is mounted in it are told."""
    notices = find_notices(tmp_path, "mkdir place && unshare -m mount -t tmpfs none place")
    assert {notice["what"].rpartition("(")[2] for notice in notices} == {"unshare)", "mount)"}


def test_file_that_cannot_be_kept_is_told(plain_user: PlainUser) -> None:
    """A file that may be written but not read cannot be copied before the change, which is told with the reason."""
    secret = plain_user.home / "secret"
    secret.write_text("old\n")
    plain_user.give(secret)
    secret.chmod(0o200)
    completed = plain_user.run(plain_user.rtrace, "trace", "--", "sh", "-c", "echo more >> secret")
    assert completed.returncode == 0, completed.stderr
    told = [line for line in completed.stderr.decode().splitlines() if "secret" in line]
    assert len(told) == 1
    assert "Permission denied" in told[0]


def test_unreadable_file_was_only_looked_up(plain_user: PlainUser) -> None:
    """A file that the run may not read is no input of the run, and nothing to complain about."""
    secret = plain_user.home / "secret"
    secret.write_text("old\n")
    secret.chmod(0o600 if os.geteuid() == 0 else 0o000)
    completed = plain_user.run(plain_user.rtrace, "trace", "--", "sh", "-c", "cat secret; true")
    assert "secret" not in completed.stderr.decode().replace("cat: secret: Permission denied", "")
    with sqlite3.connect(plain_user.home / ".rtrace/trace.sqlite3") as connection:
        query = "SELECT DISTINCT u.use FROM uses u JOIN paths p ON p.id = u.path WHERE p.path = ?"
        assert connection.execute(query, [os.fsencode(secret)]).fetchall() == [(32,)]
    connection.close()


@pytest.mark.parametrize("mask, is_told", [(0x20, True), (0x1 | 0x100, True), (0x2 | 0x100 | 0x8, False)])
def test_watching_what_is_opened_is_told(mask: int, is_told: bool, tmp_path: Path) -> None:  # noqa: FBT001
    """A run that asks inotify(7) who opens or reads files is told of rtrace's own; changes are the run's alone."""
    program = f"import ctypes as c, os; l = c.CDLL(None); l.inotify_add_watch(l.inotify_init(), b'.', {mask})"
    observation = observe(tmp_path / "trace", "/usr/bin/python3", "-S", "-c", program, cwd=tmp_path)
    told = [row["what"] for row in observation.rows("SELECT what FROM notices WHERE kind = 'watch'")]
    assert [str(tmp_path) in what for what in told] == [True] * is_told
