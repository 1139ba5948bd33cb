"""A real registry on the loopback interface: Debian's docker-registry, in a process of its own."""

import json
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from dav_server import find_port, wait_for

NAME, PASSWORD = "ada", "hunter2-secret"


@dataclass(frozen=True)
class RegistryServer:
    """Where the registry answers, and what it has written down of each request."""

    host: str
    log: Path

    def requests(self, method: str) -> list[str]:
        """Return the paths of the requests of a method that it answered."""
        lines = self.log.read_text().splitlines()
        return [line.split(f'"{method} ')[1].split()[0].partition("?")[0] for line in lines if f'"{method} ' in line]


@contextmanager
def serve_registry(
    folder: Path, *, password: bool = False, certificate: tuple[Path, Path] | None = None
) -> Iterator[RegistryServer]:
    """Have a registry until the block ends; it wants a password, or has a certificate (with its key), if asked to."""
    folder.mkdir()
    port = find_port()
    host = f"127.0.0.1:{port}"
    settings = {
        "version": 0.1,
        "log": {"accesslog": {"disabled": False}, "level": "error"},
        "storage": {"filesystem": {"rootdirectory": str(folder / "data")}},
        "http": {"addr": host, "secret": "the same in each process"},
    }
    if password:
        users = folder / "htpasswd"
        users.write_bytes(subprocess.check_output(["htpasswd", "-Bbn", NAME, PASSWORD]))
        settings["auth"] = {"htpasswd": {"realm": "tests", "path": str(users)}}
    if certificate is not None:
        settings["http"]["tls"] = {"certificate": str(certificate[0]), "key": str(certificate[1])}  # type: ignore[index]
    (folder / "config.yml").write_text(json.dumps(settings))
    log = folder / "log"
    command = ["docker-registry", "serve", str(folder / "config.yml")]
    with (
        log.open("wb") as output,
        subprocess.Popen(command, stdout=output, stderr=output, stdin=subprocess.DEVNULL) as server,
    ):
        try:
            wait_for(port, server)
            yield RegistryServer(host, log)
        finally:
            server.kill()


def make_certificate(folder: Path) -> tuple[Path, Path, Path]:
    """Make an authority of our own, and a certificate of it for this machine; return both certificates and the key."""
    folder.mkdir()
    authority, key, request, certificate = (folder / name for name in ("ca.pem", "key.pem", "request.pem", "cert.pem"))
    curve: list[str | Path] = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"]
    extensions = folder / "extensions"
    extensions.write_text("subjectAltName=DNS:localhost,IP:127.0.0.1\n")
    more: list[str | Path] = ["-CAcreateserial", "-days", "2", "-extfile", extensions]
    commands: tuple[list[str | Path], ...] = (
        ["req", "-x509", *curve, "-keyout", folder / "ca.key", "-out", authority, "-subj", "/CN=tests", "-days", "2"],
        ["req", *curve, "-keyout", key, "-out", request, "-subj", "/CN=localhost"],
        ["x509", "-req", "-in", request, "-CA", authority, "-CAkey", folder / "ca.key", "-out", certificate, *more],
    )
    for command in commands:
        subprocess.run(["openssl", *command], check=True, capture_output=True)
    return authority, certificate, key
