"""A PostgreSQL server of a test's own, in a folder of its own, which a plain user runs."""

from __future__ import annotations

import contextlib
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

PASSWORD = "s3cret/pass"  # noqa: S105 -- of a server that is there for a moment


class Server(NamedTuple):
    """A server that runs: its port on 127.0.0.1, and its folder."""

    port: int
    folder: Path
    programs: Path

    @property
    def url(self) -> str:
        """The address of its database, with the password."""
        return f"postgresql://postgres:{PASSWORD.replace('/', '%2F')}@127.0.0.1:{self.port}/postgres"

    @property
    def shown(self) -> str:
        """The address as rtrace shows it."""
        return f"postgresql://postgres@127.0.0.1:{self.port}/postgres"

    def start(self) -> None:
        """Start it, and wait until it answers."""
        options = f"-c listen_addresses=127.0.0.1 -c port={self.port} -c unix_socket_directories= -c fsync=off"
        log = self.folder / "log"
        self._control("start", "--wait", "--log", str(log), "--options", options)

    def stop(self, mode: str = "fast") -> None:
        """Stop it: `fast`, or `immediate` as a crash would."""
        self._control("stop", "--wait", "--mode", mode)

    def _control(self, *arguments: str) -> None:
        command = [str(self.programs / "pg_ctl"), "--pgdata", str(self.folder / "data"), *arguments]
        run_as_server(command)


def find_programs() -> Path | None:
    """Return the folder of the server's programs, as Debian has it, or where PATH finds them."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"))
    here = shutil.which("pg_ctl")
    return found[-1] if found else Path(here).parent if here else None


def as_server() -> dict[str, Any]:
    """Return what has subprocess run a program as a plain user: the server refuses to be root."""
    if os.geteuid() != 0:
        return {}
    with contextlib.suppress(KeyError):
        pwd.getpwnam("postgres")
        return {"user": "postgres", "group": "postgres", "extra_groups": []}
    return {"user": "nobody", "group": "nogroup", "extra_groups": []}


def run_as_server(command: Sequence[str | Path]) -> None:
    """Run one of the server's programs as the user that the server is."""
    options: dict[str, Any] = as_server()
    subprocess.run(command, check=True, cwd="/", timeout=120, stdout=subprocess.DEVNULL, **options)


@contextlib.contextmanager
def serve_postgresql() -> Iterator[Server]:
    """Yield a server with an empty database; it is stopped and removed afterwards."""
    programs = find_programs()
    assert programs is not None
    with tempfile.TemporaryDirectory(prefix="rtrace-postgresql-") as made:
        folder = Path(made)
        user = as_server().get("user")
        if user:
            shutil.chown(folder, str(user))
        password = folder / "password"
        password.write_text(PASSWORD)
        if user:
            shutil.chown(password, str(user))
        command: list[str | Path] = [programs / "initdb", "--pgdata", folder / "data"]
        command += ["--username=postgres", "--auth=scram-sha-256"]
        command += [f"--pwfile={password}", "--no-sync", "--encoding=UTF8", "--locale=C.UTF-8"]
        run_as_server(command)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        server = Server(port, folder, programs)
        server.start()
        try:
            yield server
        finally:
            with contextlib.suppress(subprocess.CalledProcessError):  # a test may have stopped it
                server.stop("immediate")
