"""A real WebDAV server on the loopback interface: WsgiDAV, in a process of its own."""

import json
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from requirements import CHECKOUT

NAME, PASSWORD = "ada", "hunter2-secret"


@dataclass(frozen=True)
class DavServer:
    """Where the server answers, and the folder that it shares."""

    port: int
    root: Path

    @property
    def url(self) -> str:
        """The address without a password."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def url_with_password(self) -> str:
        """The address with the name and the password that it wants."""
        return f"http://{NAME}:{PASSWORD}@127.0.0.1:{self.port}"


@contextmanager
def serve_dav(folder: Path, port: int | None = None) -> Iterator[DavServer]:
    """Have a server that wants a name and a password and shares a folder, until the block ends."""
    folder.mkdir(exist_ok=True)
    port = find_port() if port is None else port
    settings = {
        "host": "127.0.0.1",
        "port": port,
        "provider_mapping": {"/": str(folder)},
        "http_authenticator": {"accept_basic": True, "accept_digest": False, "default_to_digest": False},
        "simple_dc": {"user_mapping": {"*": {NAME: {"password": PASSWORD}}}},
        "property_manager": False,
        "lock_storage": True,
        "verbose": 1,
    }
    configuration = folder.with_suffix(".json")
    configuration.write_text(json.dumps(settings))
    program = CHECKOUT / ".bench/webdav/bin/wsgidav"
    log = folder.with_suffix(".log")
    with (
        log.open("wb") as output,
        subprocess.Popen(
            [program, "-c", configuration], stdout=output, stderr=output, stdin=subprocess.DEVNULL
        ) as server,
    ):
        try:
            wait_for(port, server)
            yield DavServer(port, folder)
        finally:
            server.kill()


def find_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port: int = listener.getsockname()[1]
        return port


def wait_for(port: int, server: "subprocess.Popen[bytes]") -> None:
    """Wait until a server takes connections."""
    for _ in range(600):
        assert server.poll() is None, "the server has ended"
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError("the server takes no connections")
